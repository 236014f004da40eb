"""What a template may say: a small, logic-poor part of Jinja, checked before anything runs.

Templates are written by operators in a hurry. They may print, choose, loop over a list, include and inherit; they may
not calculate, call methods, switch escaping off or look behind names. Recipient data is special: it appears only as
`{{ recipient.first_name }}` or `{{ recipient.first_name or "customer" }}`, which becomes a slot.
"""

import difflib
from collections.abc import Collection, Iterator

from jinja2 import Environment, nodes

from dispatcher.errors import TemplateError

RECIPIENT = "recipient"
SLOT_CALL = "_slot"

_ALLOWED: tuple[type[nodes.Node], ...] = (
    nodes.Template, nodes.Output, nodes.TemplateData, nodes.Name, nodes.NSRef, nodes.Getattr, nodes.Getitem,
    nodes.Const, nodes.List, nodes.Tuple, nodes.If, nodes.For, nodes.CondExpr, nodes.And, nodes.Or, nodes.Not,
    nodes.Compare, nodes.Operand, nodes.Filter, nodes.Test, nodes.Include, nodes.Extends, nodes.Block, nodes.Macro,
    nodes.Call, nodes.CallBlock, nodes.Import, nodes.FromImport, nodes.Assign, nodes.AssignBlock, nodes.Concat,
    nodes.Keyword, nodes.Scope,
)  # fmt: skip
_LOADERS = (nodes.Include, nodes.Extends, nodes.Import, nodes.FromImport)


def read(environment: Environment, source: str, name: str, known: Collection[str]) -> nodes.Template:
    """The parsed template with its slots in place; TemplateError naming part and line where it says too much."""
    tree = environment.parse(source, name, name)
    for node in tree.find_all(nodes.Node):
        _check(node, name)
    _place_slots(tree, name)
    _check_names(tree, name, known)
    return tree


def _doing(node: nodes.Node) -> str:
    """What the writer tried, in plain words."""
    if isinstance(node, nodes.BinExpr | nodes.UnaryExpr):
        return "calculate"
    if isinstance(node, nodes.EvalContextModifier):
        return "switch escaping on or off"
    return f"use {type(node).__name__.lower()}"


def _refuse(name: str, line: int, what: str, mend: str) -> TemplateError:
    return TemplateError(f"{name}, line {line}: {what}", mend=mend, code="E-TPL")


def _check(node: nodes.Node, name: str) -> None:
    if not isinstance(node, _ALLOWED):
        raise _refuse(name, node.lineno, f"a template may not {_doing(node)}.", "Put the value into a fact instead.")
    if isinstance(node, nodes.Call) and not isinstance(node.node, nodes.Name):
        raise _refuse(name, node.lineno, "a template may call macros only.", "Use a filter, or put it into a fact.")
    word = node.attr if isinstance(node, nodes.Getattr) else node.name if isinstance(node, nodes.Name) else ""
    if word.startswith("_"):
        raise _refuse(name, node.lineno, f"{word} is private.", "Use one of the documented names.")
    if isinstance(node, _LOADERS) and not isinstance(node.template, nodes.Const):
        raise _refuse(name, node.lineno, "the included name must stand in quotes.", 'Write {% include "mail.txt" %}.')
    if isinstance(node, nodes.For) and node.recursive:
        raise _refuse(name, node.lineno, "a loop may not be recursive.", "Use a plain loop.")


def _place_slots(tree: nodes.Template, name: str) -> None:
    """Each allowed mention of the recipient becomes a call that leaves a slot; any other is refused."""
    for output in tree.find_all(nodes.Output):
        output.nodes = [_as_slot(node) or node for node in output.nodes]
    for mention in tree.find_all(nodes.Name):
        if mention.name == RECIPIENT:
            raise _refuse(
                name, mention.lineno, "recipient may only be printed, with a default in quotes at most.",
                'Write {{ recipient.first_name or "customer" }}; make a variant where groups differ.',
            )  # fmt: skip


def _as_slot(node: nodes.Node) -> nodes.Call | None:
    """The call that a bare `recipient.x`, or one with a default in quotes, becomes; None for anything else."""
    default = None
    if isinstance(node, nodes.Or) and isinstance(node.right, nodes.Const) and isinstance(node.right.value, str):
        default = node.right.value
        node = node.left
    if not (isinstance(node, nodes.Getattr) and isinstance(node.node, nodes.Name) and node.node.name == RECIPIENT):
        return None
    line = node.lineno
    arguments: list[nodes.Expr] = [nodes.Const(node.attr, lineno=line), nodes.Const(default, lineno=line)]
    call = nodes.Call(nodes.Name(SLOT_CALL, "load", lineno=line), arguments, [], None, None, lineno=line)
    if node.environment:
        call.set_environment(node.environment)
    return call


def _check_names(tree: nodes.Template, name: str, known: Collection[str]) -> None:
    """A name that nothing defines is a slip of the pen: told here, not when it is first printed."""
    made = set(_made_here(tree)) | {*known, SLOT_CALL, "loop", "super", "caller"}
    for mention in tree.find_all(nodes.Name):
        if mention.ctx == "load" and mention.name not in made:
            near = difflib.get_close_matches(mention.name, [n for n in made if n[0] != "_"], n=1)
            hint = f"Did you mean {near[0]}?" if near else "Add it to the facts in template.toml."
            raise _refuse(name, mention.lineno, f"nothing is called {mention.name}.", hint)


def _made_here(tree: nodes.Template) -> Iterator[str]:
    for node in tree.find_all((nodes.Name, nodes.Macro, nodes.FromImport, nodes.Import)):
        if isinstance(node, nodes.Macro) or (isinstance(node, nodes.Name) and node.ctx in ("store", "param")):
            yield node.name
        elif isinstance(node, nodes.Import):
            yield node.target
        elif isinstance(node, nodes.FromImport):
            yield from (entry[1] if isinstance(entry, tuple) else entry for entry in node.names)
