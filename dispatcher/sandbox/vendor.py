"""What every pretend vendor over HTTP has in common, and what the parts of one sandbox share."""

from collections import deque
from collections.abc import Callable, Container, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from aiohttp import web

from dispatcher.model.clock import Clock
from dispatcher.sandbox.config import Account, Fates, Kind, SandboxConfig
from dispatcher.sandbox.desk import Desk
from dispatcher.sandbox.fate import Fate, drawn_fate
from dispatcher.sandbox.message import Message
from dispatcher.sandbox.recorder import Recorder, Stamp
from dispatcher.sandbox.schedule import Schedule

JSON = "application/json"


@dataclass(slots=True)
class Answer:
    """What goes back to the caller, unless a fault strikes it."""

    status: int
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    content_type: str = JSON


@dataclass(slots=True)
class Taken:
    """What became of one request: the answer, the messages taken on, and the key if it was about a single one.

    `settle` stores them and plans their events; it is called once they stand in the record.
    """

    answer: Answer
    messages: Sequence[Message] = ()
    key: str | None = None
    settle: Callable[[], None] = lambda: None


@dataclass(slots=True)
class Shared:
    """The parts that all vendors of one sandbox use. `kept` holds the last messages with a way to show them."""

    config: SandboxConfig
    clock: Clock
    recorder: Recorder
    schedule: Schedule
    desks: dict[str, Desk]
    fates: Fates
    kept: deque[tuple[Message, Callable[[], dict[str, Any]]]]

    def desks_of(self, kind: Kind) -> list[Desk]:
        """The accounts of one vendor, in the order of the configuration."""
        return [desk for desk in self.desks.values() if desk.account.kind is kind]

    def fate_of(self, address: str, named: Fate | None, plays: Container[Fate]) -> Fate:
        """The fate that an address names, else one by the shares; what a vendor does not play is delivered."""
        fate = named if named is not None and self.fates.from_addresses else None
        fate = fate or drawn_fate(address, self.config.seed, self.fates.shares)
        return fate if fate in plays else Fate.DELIVERED

    def keep(self, message: Message, show: Callable[[], dict[str, Any]]) -> None:
        """Remember a message for the admin API; the oldest is forgotten."""
        self.kept.append((message, show))


class Vendor(Protocol):
    """One wire."""

    kind: Kind
    max_body: int

    def desk_of(self, request: web.Request) -> Desk | None:
        """The account whose credentials the request carries, or None."""
        ...

    def refusal(self, status: int, desk: Desk | None) -> Answer:
        """An error in the vendor's own form; a 429 says when to come back."""
        ...

    def take(self, request: web.Request, body: bytes, desk: Desk, began: Stamp) -> Taken:
        """Judge one message-sending request and take its messages on, all or none."""
        ...


def secret_of(account: Account) -> str:
    """The account's secret in plain text."""
    return account.secret.get_secret_value()
