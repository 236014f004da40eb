"""Turns one job into texts, in this process: Jinja first, MJML second. `cage` runs it where it can do no harm.

A job and its result are plain JSON, since they cross a process border.
"""

import re
import traceback
from collections.abc import Callable, Iterable, Mapping
from types import CodeType
from typing import Any, TypeAlias, TypedDict

import mrml
from babel.lists import format_list
from jinja2 import BaseLoader, Environment, StrictUndefined, Template, TemplateNotFound, Undefined, pass_context
from jinja2.exceptions import TemplateError as JinjaError
from jinja2.exceptions import TemplateSyntaxError
from jinja2.runtime import Context
from jinja2.sandbox import ImmutableSandboxedEnvironment

from dispatcher.compose import grammar
from dispatcher.compose.printing import Absent, Moment, Printer, ServiceLine, babel_locale
from dispatcher.errors import TemplateError
from dispatcher.model.fact import FactKind
from dispatcher.model.rendition import SlotForm

LARGEST = 512 * 1024
"""Characters one part may come to; a mail client clips at a fifth of that."""

FILTERS = ("capitalize", "first", "join", "last", "length", "lower", "replace", "reverse", "sort", "trim", "upper")
TESTS = ("defined", "divisibleby", "eq", "equalto", "even", "in", "ne", "none", "odd", "sameas", "undefined")
_MARKDOWN = re.compile(r"([\\`*_\[\]<>|#~&])")
_MJ_TAG = re.compile(r"<(mj-[a-z-]+)")
MJ_TAGS = frozenset((
    "mj-all", "mj-attributes", "mj-body", "mj-breakpoint", "mj-button", "mj-class", "mj-column", "mj-divider",
    "mj-group", "mj-head", "mj-image", "mj-preview", "mj-raw", "mj-section", "mj-spacer", "mj-style", "mj-table",
    "mj-text", "mj-title", "mj-wrapper",
))  # fmt: skip
_FORM_LETTER = {SlotForm.TEXT: "t", SlotForm.HTML: "m", SlotForm.HEADER: "s"}


class Piece(TypedDict):
    """One part to be rendered. `entry` is the file; `form` how recipient values are made safe in it; `voice` language
    and variant."""

    entry: str
    form: str
    locale: str
    voice: str
    slots: bool


class Job(TypedDict):
    """Everything a render needs.

    `facts` by locale: name to [kind, plain value]; None is an absent optional fact. `aliases` by voice: the name that
    a template includes to the file that serves this language and variant.
    """

    nonce: str
    zone: str
    sources: dict[str, str]
    aliases: dict[str, dict[str, str]]
    words: dict[str, dict[str, str]]
    facts: dict[str, dict[str, list[Any] | None]]
    context: dict[str, dict[str, Any]]
    moments: dict[str, str | None]
    pieces: list[Piece]


class Made(TypedDict):
    """One rendered part: its text, and its slots as [tag, name, default]."""

    text: str
    slots: list[list[str | None]]


_Compiled: TypeAlias = dict[tuple[str, bool], CodeType]


class _Slots:
    """Gives each recipient field of a part its tag; the same field with the same default keeps its tag."""

    def __init__(self, nonce: str, form: SlotForm, allowed: bool) -> None:
        self._nonce, self._form, self._allowed = nonce, form, allowed
        self.tags: dict[tuple[str, str | None], str] = {}

    def __call__(self, name: str, default: str | None) -> str:
        if not self._allowed:
            raise TemplateError(
                f"recipient.{name} cannot stand here.",
                why="A public text has no single reader.",
                mend="Take the recipient out of posts and documents.",
            )
        tag = f"Q{self._nonce}{len(self.tags):02d}{_FORM_LETTER[self._form]}Q"
        return self.tags.setdefault((name, default), tag)


class _Loader(BaseLoader):
    """Loads sources through the grammar, so that included and inherited parts are checked as well.

    `compiled` is shared by all pieces of a job: a layout is read once for each way of escaping.
    """

    def __init__(
        self, sources: Mapping[str, str], aliases: Mapping[str, str], known: frozenset[str], compiled: _Compiled
    ) -> None:
        self._sources, self._aliases, self._known, self._compiled = sources, aliases, known, compiled

    def load(self, environment: Environment, name: str, globals: Any = None) -> Template:
        name = self._aliases.get(name, name)
        if name not in self._sources:
            raise TemplateNotFound(name)
        key = (name, bool(environment.autoescape))
        if key not in self._compiled:
            tree = grammar.read(environment, self._sources[name], name, self._known)
            self._compiled[key] = environment.compile(tree, name, name)
        return environment.template_class.from_code(environment, self._compiled[key], globals or {}, None)


def make(job: Job) -> list[Made]:
    """Every piece of the job, in order."""
    compiled: _Compiled = {}
    return [_make_piece(job, piece, compiled) for piece in job["pieces"]]


def _make_piece(job: Job, piece: Piece, compiled: _Compiled) -> Made:
    slots = _Slots(job["nonce"], SlotForm(piece["form"]), piece["slots"])
    context = _context(job, piece)
    environment = _environment(piece, slots)
    environment.loader = _Loader(job["sources"], job["aliases"][piece["voice"]], frozenset(context), compiled)
    text = _guarded(piece["entry"], lambda: _bounded(environment.get_template(piece["entry"]), context))
    if piece["entry"].endswith(".mjml"):
        text = _mail_html(text, piece["entry"])
    return {"text": text, "slots": [[tag, name, default] for (name, default), tag in slots.tags.items()]}


def _environment(piece: Piece, slots: _Slots) -> Environment:
    """Escaping is decided by the piece, so that a text partial included in a mail is escaped like the rest."""
    environment = ImmutableSandboxedEnvironment(
        undefined=StrictUndefined,
        autoescape=piece["form"] == SlotForm.HTML,
        finalize=_printable,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals = {grammar.SLOT_CALL: slots}
    environment.filters = {name: environment.filters[name] for name in FILTERS}
    environment.filters["sentence"] = _sentence
    environment.filters["paragraphs"] = lambda text: [p.strip() for p in str(text).split("\n\n") if p.strip()]
    environment.filters["lines"] = lambda text: [line.strip() for line in str(text).split("\n") if line.strip()]
    environment.tests = {name: environment.tests[name] for name in TESTS}
    return environment


@pass_context
def _sentence(context: Context, items: Iterable[object]) -> str:
    """A list as it stands in a sentence: "a, b and c"."""
    return format_list([str(item) for item in items], locale=babel_locale(context["locale"]))


def _printable(value: object) -> object:
    """Words, numbers and moments print; a list, a yes or a method would print as Python."""
    if isinstance(value, str | Undefined | Absent | Moment | ServiceLine) or type(value) is int:
        return value
    raise JinjaError("this cannot be printed: loop over a list, ask a yes-or-no with if, name one column of a table")


def _escape_for(entry: str) -> Callable[[str], str]:
    """Markdown has no autoescape of its own; HTML has, and plain text needs none."""
    return (lambda text: _MARKDOWN.sub(r"\\\1", text)) if entry.endswith(".md") else str


def _context(job: Job, piece: Piece) -> dict[str, object]:
    locale = piece["locale"]
    printer = Printer(locale, job["zone"], job["words"][locale], _escape_for(piece["entry"]))
    context: dict[str, object] = {"words": job["words"][locale], "locale": locale, **job["context"][locale]}
    for name, iso in job["moments"].items():
        context[name] = Moment(iso, printer) if iso else Absent(name)
    for name, fact in job["facts"][locale].items():
        context[name] = printer.value(FactKind(fact[0]), fact[1]) if fact else Absent(name)
    return context


def _bounded(template: Template, context: Mapping[str, object]) -> str:
    """The text, given up as soon as it grows too long."""
    pieces, size = [], 0
    for piece in template.generate(context):
        size += len(piece)
        if size > LARGEST:
            raise TemplateError(f"It grows longer than {LARGEST // 1024} KiB.", mend="Shorten its loops or its facts.")
        pieces.append(piece)
    return "".join(pieces)


def _guarded(entry: str, work: Callable[[], str]) -> str:
    """Runs the work; whatever goes wrong in a template is told with its part and line."""
    try:
        return work()
    except TemplateError as error:
        raise TemplateError(_placed(error, entry, error.what), why=error.why, mend=error.mend) from None
    except TemplateSyntaxError as error:
        what = f"{error.name or entry}, line {error.lineno}: {error.message}"
        raise TemplateError(what, mend="Correct that line.") from None
    except TemplateNotFound as error:
        raise TemplateError(f"{entry} includes {error.message}, which does not exist.", mend="Correct it.") from None
    except RecursionError:
        raise TemplateError(f"{entry}: it includes or calls itself without end.", mend="Break the circle.") from None
    except (JinjaError, TypeError, ValueError, ArithmeticError, LookupError, AttributeError) as error:
        words = _placed(error, entry, f"{str(error).rstrip('.')}.")
        raise TemplateError(words, mend="Correct that line, or the fact.") from None


def _placed(error: BaseException, entry: str, words: str) -> str:
    """The words with the part and line that raised them, where the traceback tells (Jinja rewrites it so)."""
    known = (".txt", ".mjml", ".md", ".html")
    frames = [f for f in traceback.extract_tb(error.__traceback__) if f.filename.endswith(known)]
    if ", line " in words:
        return words
    return f"{frames[-1].filename}, line {frames[-1].lineno}: {words}" if frames else f"{entry}: {words}"


def _mail_html(mjml: str, entry: str) -> str:
    """HTML of the mail. MJML that the compiler would silently drop is refused."""
    strange = sorted(set(_MJ_TAG.findall(mjml)) - MJ_TAGS)
    if strange:
        raise TemplateError(f"{entry}: no MJML tag is called <{strange[0]}>.", mend="Correct the tag.")
    try:
        made = mrml.to_html(mjml)
    except OSError as error:
        raise TemplateError(f"{entry}: MJML cannot be read: {error}.", mend="Close every tag.") from None
    if made.warnings:
        raise TemplateError(f"{entry}: {made.warnings[0]}.", mend="Correct the tag or attribute.")
    return str(made.content)
