"""Writes the pages of this folder from the code, so that they cannot say anything else: `make reference`.

With --check it writes nothing and exits 1 if a page is out of date (a test does this).
"""

import ast
import inspect
import re
import sys
from pathlib import Path
from typing import Any

import click
from pydantic import BaseModel, SecretStr

from dispatcher import errors, provider, resources
from dispatcher.cli import main as command_line
from dispatcher.provider import AnswersQueries, ProviderSettings, ReportsEvents
from dispatcher.settings import variable

HERE = Path(__file__).parent
PACKAGE = HERE.parent.parent / "dispatcher"
GENERATED = "<!-- Written by docs/reference/write.py from the code: change it there. -->"


def pages() -> dict[str, str]:
    """Every page of the reference, by file name."""
    made = {
        "settings.md": settings(),
        "providers.md": providers(),
        "commands.md": commands(),
        "errors.md": error_codes(),
    }
    return {name: f"{GENERATED}\n\n{text.strip()}\n" for name, text in made.items()}


# --- settings


def settings() -> str:
    """Key, variable, default and meaning, in the order and the words of the shipped file."""
    text = (resources.shipped("config") / "default.toml").read_text(encoding="utf-8")
    out = [
        "# Settings",
        "Built-in < `config/default.toml` < the site's file < secret files < `DISPATCHER_*` variables < flags. "
        "The site's file is the one that `DISPATCHER_CONFIG` names, else `./dispatcher.toml`, else "
        "`./config/site.toml`, else `dispatcher/dispatcher.toml` in the XDG configuration folder. `dispatcher config "
        "where KEY` says which of them won.",
        "A variable that would hold a secret may end in `_FILE` and name a file instead; a folder of such files is "
        "named by `DISPATCHER_SECRETS_DIR` (or systemd's `CREDENTIALS_DIRECTORY`). Secret files that everybody can "
        "read are refused. An empty variable counts as unset; a list is written with commas.",
    ]
    for table, rows in _rows(text):
        out += [
            f"## `[{table}]`" if table else "## At the top",
            _table(["key", "default", "variable", "meaning"], rows),
        ]
    return "\n\n".join(out)


def _rows(text: str) -> list[tuple[str, list[list[str]]]]:
    tables: list[tuple[str, list[list[str]]]] = [("", [])]
    said: list[str] = []
    for line in text.splitlines():
        key = re.match(r"^(# )?([a-z_]+) = (.+)$", line)
        if header := re.match(r"^\[([\w.]+)\]$", line):
            tables.append((header[1], []))
            said = []
        elif key:
            full = f"{tables[-1][0]}.{key[2]}".lstrip(".")
            tables[-1][1].append([f"`{full}`", f"`{key[3]}`", f"`{variable(full)}`", " ".join(said)])
            said = []
        elif line.startswith("# "):
            said.append(line.removeprefix("# "))
        else:
            said = []
    return [(table, rows) for table, rows in tables if rows]


# --- providers


def providers() -> str:
    """What each installed provider can do, and the settings of an account of it."""
    loaded = {kind: provider.load(kind) for kind in provider.kinds()}
    rows = [
        [
            f"`{kind}`",
            str(made.channel),
            f"{made.recipients_per_request:,}",
            "yes" if issubclass(made, ReportsEvents) else "no",
            "yes" if issubclass(made, AnswersQueries) else "no",
        ]
        for kind, made in loaded.items()
    ]
    head = ["kind", "channel", "recipients per request, at most", "sends events back", "can be asked afterwards"]
    out = [
        "# Providers",
        _table(head, rows),
        "An account is a block `[providers.NAME]` with `kind` = one of these (by default the name itself). Every "
        "account has the settings of the first table below, and those of its kind.",
        "## Every account",
        _fields(ProviderSettings, skip=()),
    ]
    for kind, made in loaded.items():
        own = [name for name in made.Settings.model_fields if name not in ProviderSettings.model_fields]
        skip = [name for name in made.Settings.model_fields if name not in own and name != "base_url"]
        out += [f"## `{kind}`", inspect.cleandoc(made.Settings.__doc__ or ""), _fields(made.Settings, skip=skip)]
    return "\n\n".join(out)


def _fields(model: type[BaseModel], *, skip: Any) -> str:
    rows = []
    for name, info in model.model_fields.items():
        if name not in skip:
            default = info.get_default(call_default_factory=True)
            shown = "must be set" if info.is_required() else "" if default in (None, "") else f"`{default}`"
            common = ProviderSettings.model_fields.get(name)
            meaning = info.description or (common.description if common else "") or ""
            rows.append([f"`{name}`", shown, "secret" if _is_secret(info.annotation) else "", meaning])
    return _table(["key", "default", "", "meaning"], rows)


def _is_secret(annotation: Any) -> bool:
    return annotation is SecretStr or any(_is_secret(part) for part in getattr(annotation, "__args__", ()))


# --- commands


def commands() -> str:
    """Every command with its help, as `--help` prints it."""
    out = [
        "# Commands",
        "Every command also takes `--json` (one object on stdout), `--plain` (no colour, one line per event), "
        "`--no-color`, `--config FILE`, `--work-dir DIR`, `--as WHO` and `--token-file FILE`. Data goes to stdout, "
        "words to stderr. Exit codes: [errors.md](errors.md).",
    ]
    root = click.Context(command_line.cli, info_name="dispatcher")
    for name in command_line.cli.list_commands(root):
        found = command_line.cli.get_command(root, name)
        if found is not None:
            out += _command(found, click.Context(found, info_name=name, parent=root), 2)
    return "\n\n".join(out)


def _command(command: click.Command, call: click.Context, level: int) -> list[str]:
    out = [f"{'#' * level} `{call.command_path}`", _prose(command.help or "")]
    if isinstance(command, click.Group):
        for name in command.list_commands(call):
            below = command.get_command(call, name)
            if below is not None:
                out += _command(below, click.Context(below, info_name=name, parent=call), level + 1)
        return out
    out.append(f"```\n{call.command_path} {' '.join(command.collect_usage_pieces(call))}\n```")
    everywhere = getattr(command, "everywhere", [])
    own = [p for p in command.get_params(call) if p not in everywhere and "--help" not in p.opts]
    rows = [[f"`{record[0]}`", record[1]] for p in own if (record := p.get_help_record(call))]
    return [*out, _table(["option", ""], rows)] if rows else out


def _prose(text: str) -> str:
    return "\n\n".join(" ".join(part.split()) for part in text.replace("\b", "").split("\n\n"))


# --- errors


def error_codes() -> str:
    """Exit codes from the error tree; every stable code with what it says, from the places that raise it."""
    ours = errors.DispatcherError
    classes = {name: c for name, c in vars(errors).items() if isinstance(c, type) and issubclass(c, ours)}
    exits: dict[int, list[str]] = {}
    for name, made in classes.items():
        exits.setdefault(made.exit_code, []).append(f"`{made.default_code}` {name}")
    rows = [[str(code), ", ".join(exits.get(code, [])), meaning] for code, meaning in _MEANINGS.items()]
    found: dict[str, set[str]] = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        for code, words in _raised(ast.parse(path.read_text(encoding="utf-8")), classes):
            found.setdefault(code, set()).add(words)
    listed = [[f"`{code}`", "<br>".join(sorted(words))] for code, words in sorted(found.items())]
    return "\n\n".join(
        [
            "# Errors and exit codes",
            "An error says what happened, why, and how to mend it; with `--json` it is one object on stderr: "
            "`{code, what, why, mend}`. Codes are stable.",
            "## Exit codes",
            _table(["exit", "codes", "meaning"], rows),
            "## Codes",
            _table(["code", "says"], listed),
        ]
    )


_MEANINGS = {
    0: "done",
    1: "a bug, or an inbound request that was not the vendor's",
    2: "the words of the call are off",
    3: "settings, accounts or environment",
    4: "refused by a check",
    5: "approval missing, or this person may not",
    6: "the typed audience size does not match",
    7: "done, some people not reached",
    8: "nothing sent",
    9: "stopped by a person",
    10: "too late: it has expired",
    124: "`--wait` ran out of time; sending goes on",
    130: "Ctrl-C; sending goes on",
}


def _raised(tree: ast.Module, classes: dict[str, Any]) -> list[tuple[str, str]]:
    calls = (n for n in ast.walk(tree) if isinstance(n, ast.Call) and isinstance(n.func, ast.Name))
    out = []
    for call in calls:
        made = classes.get(call.func.id)  # type: ignore[attr-defined]
        if made is not None and call.args:
            code = next(
                (k.value.value for k in call.keywords if k.arg == "code" and isinstance(k.value, ast.Constant)), ""
            )
            words = _words(call.args[0])
            if words.strip("…:. ") and not words.isdigit():
                out.append((code or made.default_code, words))
    return out


def _words(node: ast.expr) -> str:
    """A message as it reads, with … for what is filled in."""
    if isinstance(node, ast.Constant):
        return str(node.value)
    if isinstance(node, ast.JoinedStr):
        return "".join(_words(part) for part in node.values)
    return "…"


def _table(head: list[str], rows: list[list[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(
        "| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in line) + " |" for line in lines
    )


def stale() -> list[str]:
    """Pages that do not say what the code says."""
    return [
        name
        for name, text in pages().items()
        if not (HERE / name).is_file() or (HERE / name).read_text(encoding="utf-8") != text
    ]


if __name__ == "__main__":
    if "--check" in sys.argv:
        old = stale()
        sys.exit(f"Out of date: {', '.join(old)}. Mend: make reference" if old else 0)
    for name, text in pages().items():
        (HERE / name).write_text(text, encoding="utf-8")
