"""Who may do what: roles as sets of rights, levels of sign-off, and the rule of the second person."""

from collections.abc import Collection, Mapping
from enum import StrEnum

from dispatcher.errors import NotPermitted
from dispatcher.model.person import Level, Person, Role


class Right(StrEnum):
    """One thing a person may do; the value reads as the end of "may not ..."."""

    VIEW = "look at broadcasts and reports"
    PREVIEW = "preview a broadcast"
    TEST = "send a test"
    DRAFT = "draft or edit a broadcast"
    SUBMIT = "submit a broadcast for approval"
    INCIDENT = "open or update an incident"
    APPROVE = "approve, return or reject a broadcast"
    OVERRIDE = "override a finding"
    SEND = "send a broadcast"
    PAUSE = "pause a broadcast"
    RESUME = "resume a broadcast"
    STOP = "stop a broadcast"
    FREEZE = "freeze a channel"
    THAW = "thaw a channel"
    SETTLE = "settle, retry or reconcile deliveries"
    RELEASE_HOLD = "release a held ledger"
    IMPORT = "import or remove an audience"
    EXPORT = "export addresses"
    SUPPRESS = "suppress an address"
    UNSUPPRESS = "lift a suppression"
    MANAGE_PEOPLE = "manage people and their tokens"
    MANAGE_SIGNALS = "manage the secrets of incident tools"


_EVERYONE = frozenset({Right.VIEW, Right.PREVIEW, Right.PAUSE})

RIGHTS: Mapping[Role, frozenset[Right]] = {
    Role.AUTHOR: _EVERYONE | {Right.TEST, Right.DRAFT, Right.SUBMIT, Right.INCIDENT, Right.IMPORT, Right.SUPPRESS},
    Role.APPROVER: _EVERYONE | {Right.APPROVE, Right.OVERRIDE, Right.STOP, Right.FREEZE, Right.EXPORT},
    Role.OPERATOR: _EVERYONE
    | {Right.SEND, Right.RESUME, Right.STOP, Right.FREEZE, Right.THAW, Right.SETTLE, Right.RELEASE_HOLD}
    | {Right.INCIDENT, Right.IMPORT, Right.EXPORT, Right.SUPPRESS, Right.UNSUPPRESS, Right.TEST},
    Role.ADMIN: _EVERYONE | {Right.MANAGE_PEOPLE, Right.MANAGE_SIGNALS},
}
"""Pausing is everybody's: stopping harm must never wait for a role. Approving and sending share no role."""


PROGRAM = Person(0, "program")
"""The program itself, when a signal makes it act. It holds no role, so nobody can be given its rights, and no token."""

_OF_THE_PROGRAM = frozenset({Right.INCIDENT, Right.DRAFT})
"""It opens and moves incidents and drafts. Whatever reaches anybody is a person's act, and a second person's yes."""


def door_of(person: Person) -> str:
    """By which door an act came: the program acts on signals, everybody else on the command line."""
    return "signal" if person is PROGRAM else "cli"


def rights_of(person: Person) -> frozenset[Right]:
    """Everything this person may do; nothing once inactive."""
    if person is PROGRAM:
        return _OF_THE_PROGRAM
    if not person.active:
        return frozenset()
    return frozenset().union(*(RIGHTS[role] for role in person.roles))


def may(person: Person, right: Right) -> bool:
    """Whether one of the person's roles gives the right."""
    return right in rights_of(person)


def require(person: Person, right: Right) -> None:
    """Return if the person has the right; deny by default."""
    if may(person, right):
        return
    if not person.active:
        raise NotPermitted(
            f"{person.name} may not {right}.",
            why="This person is no longer active.",
            mend="Ask somebody who is active, or an admin to add the person again.",
        )
    holders = [role.value for role in Role if right in RIGHTS[role]]
    raise NotPermitted(
        f"{person.name} may not {right}.",
        why=f"Roles held: {', '.join(sorted(person.roles)) or 'none'}. This needs {' or '.join(holders)}.",
        mend=f"Ask somebody with the role {' or '.join(holders)}, or an admin to give it: dispatcher person change.",
    )


def require_level(person: Person, needed: Level) -> None:
    """Return if the person's yes reaches as far as the template and the severity demand."""
    if person.level.covers(needed):
        return
    raise NotPermitted(
        f"{person.name} may not sign off at level {needed}.",
        why=f"The person's level is {person.level}; this message needs {needed} or higher.",
        mend=f"Ask somebody of level {needed} or higher to approve.",
    )


def require_second_person(person: Person, editors: Collection[int]) -> None:
    """Return if the person edited no version of it: nobody approves their own words."""
    if person.id not in editors:
        return
    raise NotPermitted(
        f"{person.name} may not approve this broadcast.",
        why="Whoever drafted or edited any version of it may not approve it.",
        mend="Ask another approver.",
    )
