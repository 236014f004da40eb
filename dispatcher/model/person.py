"""One of us, who acts: the roles held and the level up to which a sign-off counts."""

from dataclasses import dataclass
from enum import StrEnum


class Role(StrEnum):
    """A set of rights (see `dispatcher.people`), not a rung: holding one never implies another."""

    AUTHOR = "author"
    APPROVER = "approver"
    OPERATOR = "operator"
    ADMIN = "admin"


class Level(StrEnum):
    """How far somebody's yes reaches. A template names the lowest level that may approve it."""

    COMMS = "comms"
    COMMS_LEAD = "comms_lead"
    LEGAL = "legal"
    DPO = "dpo"
    DIRECTOR = "director"

    @property
    def rank(self) -> int:
        """0 is the lowest; compare ranks, the words sort by alphabet."""
        return list(Level).index(self)

    def covers(self, needed: "Level") -> bool:
        """A yes at this level is enough where `needed` is asked for."""
        return self.rank >= needed.rank


@dataclass(frozen=True, slots=True)
class Person:
    """`email` and `phone` are canonical or empty; someone inactive keeps their history and loses every right.

    `zone` is the IANA zone in which they read times; empty is the organisation's.
    """

    id: int
    name: str
    email: str = ""
    phone: str = ""
    roles: frozenset[Role] = frozenset()
    level: Level = Level.COMMS
    active: bool = True
    zone: str = ""
