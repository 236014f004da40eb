"""The contract between this program and an incident tool, and `load()` by entry point.

A tool proves a post on its raw bytes and turns it into signals. It never touches the ledger, opens no link it was
sent and renders nothing. What it says drafts at most; a person approves.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cache
from importlib.metadata import entry_points
from typing import Annotated, ClassVar, Protocol, runtime_checkable
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from dispatcher.errors import ConfigurationError
from dispatcher.model.event import WebhookRequest
from dispatcher.model.incident import Visibility
from dispatcher.model.kinds import Severity
from dispatcher.model.signal import Signal

GROUP = "dispatcher.tools"


class SecretForm(StrEnum):
    """What we keep of a secret."""

    KEY = "key"  # signs each post, so it must be readable again: kept sealed
    TOKEN = "token"  # shown with each post, so its hash is enough  # noqa: S105


@dataclass(frozen=True, slots=True)
class Secret:
    """One of at most two secrets of a source. `value` is the key itself, or the SHA-256 of a token."""

    form: SecretForm
    value: bytes = field(repr=False)


def _zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (ValueError, OSError, KeyError):
        raise ValueError("is no IANA time zone, such as Europe/London") from None
    return name


class ToolSettings(BaseModel):
    """What every source can set, in `[signals.NAME]`. `severity` maps the tool's words over the usual ones."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True, str_strip_whitespace=True, frozen=True)

    tool: str = ""
    severity: dict[str, Severity] = Field(default_factory=dict)
    severity_unknown: Severity = Severity.CRITICAL
    visibility: Visibility = Visibility.PUBLIC
    token_header: str = Field(default="", pattern=r"^[A-Za-z0-9-]*$")
    time_zone: Annotated[str, AfterValidator(_zone)] = "UTC"
    per_second: float = Field(default=50, gt=0, le=10_000)
    opens_per_hour: int = Field(default=20, ge=1, le=10_000)


class Tool(Protocol):
    """One class per tool. `forms` are the secrets it can prove itself with, the better first; none where a
    certificate does. `signs` says in a sentence what the vendor signs, or that it signs nothing."""

    name: ClassVar[str]
    title: ClassVar[str]
    signs: ClassVar[str]
    forms: ClassVar[tuple[SecretForm, ...]]
    Settings: ClassVar[type[ToolSettings]]

    def __init__(self, settings: ToolSettings) -> None: ...

    def verify(self, request: WebhookRequest, secrets: Sequence[Secret]) -> None:
        """Return if these raw bytes come from the source, recently; raise BadSignature otherwise, or without secret."""
        ...

    def parse(self, request: WebhookRequest) -> Sequence[Signal]:
        """Every signal in the post, in order; a word we do not know is IGNORED. Unreadable if it cannot be read."""
        ...


Ask = Callable[[str], Awaitable[bytes]]
"""Fetches an https address within a deadline, without redirects, and raises when it cannot."""


@runtime_checkable
class AsksBack(Protocol):
    """A tool whose sender must be asked while its post is open (a certificate, a confirmation)."""

    async def prepare(self, request: WebhookRequest, ask: Ask) -> None:
        """Fetch what `verify` needs, from the vendor's pinned hosts only."""
        ...

    async def confirm(self, request: WebhookRequest, ask: Ask) -> None:
        """Answer a post that was proved and asks for a confirmation."""
        ...


@runtime_checkable
class Greets(Protocol):
    """A tool whose senders ask permission first (OPTIONS)."""

    def greet(self, headers: Mapping[str, str]) -> Mapping[str, str]:
        """Headers of our answer; empty where nothing was asked."""
        ...


@cache
def kinds() -> tuple[str, ...]:
    """Names of every tool that is installed."""
    return tuple(sorted(entry.name for entry in entry_points(group=GROUP)))


@cache
def load(name: str) -> type[Tool]:
    """The class behind a tool's name."""
    for entry in entry_points(group=GROUP, name=name):
        loaded: type[Tool] = entry.load()
        return loaded
    raise ConfigurationError(
        f"No incident tool is called {name!r}.",
        why=f"Installed are: {', '.join(kinds()) or 'none'}.",
        mend="Choose one of these; `generic` reads any JSON.",
        code="E-CFG-TOOL",
    )
