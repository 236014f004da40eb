"""The doors for incident tools: which sources there are, what proves their posts, and how fast each may come.

A source is a tool and a name, and it is open once it has a secret (or, where a certificate proves posts, its settings
name whom to expect). Keys are sealed in the ledger, so a copy of it proves nothing to anybody; of tokens only hashes
are kept. docs/decisions/ says why.
"""

import secrets as randomness
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field

from pydantic import ValidationError

from dispatcher.errors import ConfigurationError, DispatcherError, NotFound, UsageError
from dispatcher.intake import proof, tool
from dispatcher.intake.tool import Secret, SecretForm, Tool, ToolSettings
from dispatcher.ledger import broadcasts, signals
from dispatcher.ledger.engine import Tx
from dispatcher.log import get
from dispatcher.model.clock import to_ms
from dispatcher.model.person import Person
from dispatcher.people import Right, require
from dispatcher.services import sealing
from dispatcher.services.context import Context
from dispatcher.settings import SOURCE

AT_ONCE = 2
"""Secrets of a source that count at the same time, so that one can be changed without a gap."""
FRESH_SECONDS = 2.0
"""A changed secret counts everywhere after this time."""
SHORTEST = 20
"""Characters of a token that somebody brings along: it must not be guessable from its hash."""

_log = get(__name__)


class TooMany(DispatcherError):
    """A source posts faster than it may. `wait` in seconds."""

    default_code = "E-HTTP-BUSY"

    def __init__(self, wait: float) -> None:
        super().__init__("This source posts too fast.")
        self.wait = wait


class AskAgain(DispatcherError):
    """A post cannot be dealt with now; its sender should post it again."""

    default_code = "E-HTTP-AWAY"


@dataclass(slots=True)
class Pace:
    """Tokens of one source in this process: a burst of two seconds' worth."""

    per_second: float
    tokens: float
    at: float

    def take(self, now: float) -> float:
        """0 if a post may come, else seconds to wait."""
        self.tokens = min(max(1.0, 2 * self.per_second), self.tokens + max(0.0, now - self.at) * self.per_second)
        self.at = now
        if self.tokens < 1:
            return (1 - self.tokens) / self.per_second
        self.tokens -= 1
        return 0.0


@dataclass(frozen=True, slots=True)
class Door:
    """One open source."""

    tool: str
    source: str
    reader: Tool
    settings: ToolSettings
    secrets: tuple[Secret, ...] = field(repr=False)
    pace: Pace = field(repr=False)


@dataclass(frozen=True, slots=True)
class Made:
    """A new secret, told once. `value` is empty where somebody brought it along."""

    tool: str
    source: str
    value: str
    address: str
    address_with_token: str
    valid: int
    """Secrets of the source that count now."""


class Doors:
    """The open sources of this process, read again every two seconds."""

    def __init__(self, ctx: Context) -> None:
        self._ctx = ctx
        self._lock = threading.Lock()
        self._read_at = float("-inf")
        self._kept: dict[tuple[str, str], tuple[Secret, ...]] = {}
        self._readers: dict[tuple[str, str], tuple[Tool, ToolSettings, Pace]] = {}

    @property
    def is_fresh(self) -> bool:
        """Whether `find` answers without asking the ledger."""
        return self._ctx.clock.monotonic() - self._read_at < FRESH_SECONDS

    def refresh(self) -> None:
        """Read the secrets again. Blocks; call it off the event loop."""
        with self._lock:
            if not self.is_fresh:
                self._kept = _open_secrets(self._ctx)
                self._read_at = self._ctx.clock.monotonic()

    def find(self, tool_name: str, source: str) -> Door | None:
        """The door, or None where nothing can prove a post. ConfigurationError where its settings are wrong."""
        held = self._kept.get((tool_name, source), ())
        if not held and source not in self._ctx.settings.signals:
            return None
        reader, settings, pace = self._reader(tool_name, source)
        if not held and reader.forms:
            return None
        return Door(tool_name, source, reader, settings, held, pace)

    def _reader(self, tool_name: str, source: str) -> tuple[Tool, ToolSettings, Pace]:
        key = (tool_name, source)
        if key not in self._readers:
            settings = settings_of(self._ctx, tool_name, source)
            pace = Pace(settings.per_second, max(1.0, 2 * settings.per_second), self._ctx.clock.monotonic())
            self._readers[key] = tool.load(tool_name)(settings), settings, pace
        return self._readers[key]


def known(tool_name: str) -> bool:
    """Whether there is such a tool."""
    return tool_name in tool.kinds()


def greeting(door: Door, headers: Mapping[str, str]) -> Mapping[str, str]:
    """What a sender that asks first is told; empty where it asked nothing that this tool knows."""
    return door.reader.greet(headers) if isinstance(door.reader, tool.Greets) else {}


def settings_of(ctx: Context, tool_name: str, source: str) -> ToolSettings:
    """What the site says about a source; the usual where it says nothing."""
    block = ctx.settings.signals.get(source, {})
    if block.get("tool", tool_name) != tool_name:
        raise NotFound(f"The source {source} belongs to {block['tool']}, not to {tool_name}.")
    try:
        return tool.load(tool_name).Settings.model_validate({**block, "tool": tool_name})
    except ValidationError as error:
        problems = error.errors(include_input=False, include_url=False, include_context=False)
        told = "; ".join(f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in problems)
        raise ConfigurationError(
            f"The source {source} is not set up.", why=told, mend=f"Correct [signals.{source}].", code="E-CFG-SOURCE"
        ) from None


def reader(ctx: Context, tool_name: str, source: str) -> tuple[Tool, ToolSettings]:
    """The tool with the settings of a source."""
    settings = settings_of(ctx, tool_name, source)
    return tool.load(tool_name)(settings), settings


def address(ctx: Context, tool_name: str, source: str) -> str:
    """Where a source posts."""
    base = ctx.settings.public_url.rstrip("/") or f"http://{ctx.settings.host}:{ctx.settings.port}"
    return f"{base}/signals/{tool_name}/{source}"


def add_secret(
    ctx: Context, actor: Person, tool_name: str, source: str, *, value: str = "", form: str | None = None
) -> Made:
    """A further secret; the third retires the oldest. Without a value one is made, and told this once."""
    require(actor, Right.MANAGE_SIGNALS)
    kind = _form(ctx, tool_name, source, form)
    given, brought = value.strip() or randomness.token_urlsafe(32), bool(value.strip())
    _require_strong(given, kind)
    now = to_ms(ctx.clock.now())
    with ctx.ledger.write() as tx:
        kept = _kept(ctx, tx, kind, f"{tool_name}/{source}", given)
        signals.add_secret(tx, tool_name, source, kind, kept, actor.id, now)
        signals.keep_newest(tx, tool_name, source, AT_ONCE, now)
        valid = sum(1 for row in signals.secrets(tx) if (row.tool, row.source) == (tool_name, source))
        broadcasts.note_act(tx, "signal secret added", now, person_id=actor.id, detail=f"{tool_name}/{source}")
    where = address(ctx, tool_name, source)
    with_token = f"{where}.{given}" if kind is SecretForm.TOKEN and not brought else ""
    return Made(tool_name, source, "" if brought else given, where, with_token, valid)


def retire(ctx: Context, actor: Person, tool_name: str, source: str, *, keep: int) -> int:
    """Take back all but the newest `keep` secrets (0 shuts the door); how many were taken back."""
    require(actor, Right.MANAGE_SIGNALS)
    now = to_ms(ctx.clock.now())
    with ctx.ledger.write() as tx:
        gone = signals.keep_newest(tx, tool_name, source, keep, now)
        if gone:
            broadcasts.note_act(
                tx, "signal secret retired", now, person_id=actor.id, detail=f"{tool_name}/{source}: {gone}"
            )
    return gone


def _kept(ctx: Context, tx: Tx, form: SecretForm, place: str, value: str) -> str:
    return sealing.sealed(ctx, tx, place, value) if form is SecretForm.KEY else proof.token_hash(value).hex()


def _form(ctx: Context, tool_name: str, source: str, wanted: str | None) -> SecretForm:
    if not SOURCE.fullmatch(source):
        raise UsageError(f"{source!r} is no source name.", mend="Use lower-case letters, digits, - and _: eu-prod")
    kind = tool.load(tool_name)
    settings_of(ctx, tool_name, source)
    if not kind.forms:
        raise UsageError(
            f"{kind.title} needs no secret of ours: a certificate proves its posts.",
            why=kind.signs,
            mend=f"Name whom to expect in [signals.{source}].",
        )
    if wanted is not None and wanted not in kind.forms:
        raise UsageError(f"{kind.title} cannot prove itself with a {wanted}.", why=kind.signs)
    return SecretForm(wanted) if wanted else kind.forms[0]


def _require_strong(value: str, form: SecretForm) -> None:
    if not value.isascii() or not value.isprintable() or (" " in value and form is SecretForm.TOKEN):
        raise UsageError("The secret holds a character that no secret has.", mend="Copy it again, without line breaks.")
    if form is SecretForm.TOKEN and len(value) < SHORTEST:
        raise UsageError(
            f"A token needs at least {SHORTEST} characters.", mend="Leave it out: a strong one is made and shown once."
        )


def _open_secrets(ctx: Context) -> dict[tuple[str, str], tuple[Secret, ...]]:
    with ctx.ledger.read() as tx:
        rows, seal = signals.secrets(tx), sealing.seal_of(tx)
    found: dict[tuple[str, str], list[Secret]] = {}
    for row in rows:
        place = (str(row.tool), str(row.source))
        try:
            found.setdefault(place, []).append(_open(ctx, row.form, row.value, place, seal))
        except ConfigurationError as error:
            _log.error("signal_secret_unreadable", tool=place[0], source=place[1], why=error.why)
    return {place: tuple(held[:AT_ONCE]) for place, held in found.items()}


def _open(ctx: Context, form: str, kept: str, place: tuple[str, str], seal: str | None) -> Secret:
    if form == SecretForm.TOKEN:
        return Secret(SecretForm.TOKEN, bytes.fromhex(kept))
    return Secret(SecretForm.KEY, sealing.opened(ctx, seal, "/".join(place), kept))


def told(ctx: Context) -> Mapping[tuple[str, str], int]:
    """How many secrets count for each source, and the sources that only the settings name (0)."""
    with ctx.ledger.read() as tx:
        rows = signals.secrets(tx)
    counted: dict[tuple[str, str], int] = {}
    for row in rows:
        counted[row.tool, row.source] = counted.get((row.tool, row.source), 0) + 1
    for name, block in ctx.settings.signals.items():
        if isinstance(block.get("tool"), str):
            counted.setdefault((block["tool"], name), 0)
    return counted
