"""Who may act: adding, changing and removing persons, and the tokens that prove who somebody is.

While no admin holds a token nobody could prove anything, so whoever has the machine may manage people without one;
with the first admin's token that ends.
"""

import hashlib
import hmac
import secrets
from collections.abc import Iterable
from dataclasses import replace
from zoneinfo import available_timezones

from dispatcher.channels import email as email_form
from dispatcher.channels import phone as phone_form
from dispatcher.errors import NotFound, NotPermitted, Refused, UsageError
from dispatcher.ledger import broadcasts, people
from dispatcher.ledger.engine import Tx
from dispatcher.model.clock import to_ms
from dispatcher.model.person import Level, Person, Role
from dispatcher.people import Right, may, require
from dispatcher.services.context import Context

TOKEN_PREFIX = "dp_"  # noqa: S105 - a mark that tells what the string is, no secret
_TOKEN_BYTES = 32
_LONGEST_NAME = 80


def add(
    ctx: Context,
    actor: Person | None,
    name: str,
    *,
    roles: Iterable[Role],
    level: Level = Level.COMMS,
    email: str = "",
    phone: str = "",
    zone: str = "",
) -> Person:
    """A new person. The name is how they are called everywhere, so two cannot share one."""
    now = to_ms(ctx.clock.now())
    person = Person(
        id=0,
        name=_name(name),
        email=_email(email),
        phone=_phone(ctx, phone),
        roles=frozenset(roles),
        level=level,
        zone=_zone(zone),
    )
    if not person.roles:
        raise UsageError(f"{person.name} has no role.", mend=f"--role {' or '.join(role.value for role in Role)}")
    with ctx.ledger.write() as tx:
        require_manager(tx, actor)
        if _find(tx, person.name):
            raise Refused(
                f"Somebody is called {person.name} already.",
                mend=("Choose another name.", f"other roles, level or address: dispatcher person change {person.name}"),
                code="E-PER",
            )
        made = people.add(tx, person, now)
        _note(tx, "person added", now, actor, made, f"{' '.join(sorted(made.roles))}, {made.level}")
        return made


def change(
    ctx: Context,
    actor: Person | None,
    name: str,
    *,
    roles: Iterable[Role] = (),
    level: Level | None = None,
    email: str | None = None,
    phone: str | None = None,
    zone: str | None = None,
) -> Person:
    """Other roles, level, addresses or zone for one of us, who stays the same person; what is left out stays."""
    now = to_ms(ctx.clock.now())
    with ctx.ledger.write() as tx:
        require_manager(tx, actor)
        before = known(tx, name)
        person = replace(
            before,
            roles=frozenset(roles) or before.roles,
            level=level or before.level,
            email=before.email if email is None else _email(email),
            phone=before.phone if phone is None else _phone(ctx, phone),
            zone=before.zone if zone is None else _zone(zone),
        )
        if Role.ADMIN not in person.roles:
            _spare_last_admin(tx, before)
        people.change(tx, person)
        _note(tx, "person changed", now, actor, person, f"{' '.join(sorted(person.roles))}, {person.level}")
        return people.get(tx, person.id)


def _spare_last_admin(tx: Tx, person: Person) -> None:
    if [one for one in people.active(tx) if Role.ADMIN in one.roles] == [person]:
        raise Refused(
            f"{person.name} is the last admin.", mend="Add another admin first: dispatcher person add.", code="E-PER"
        )


def _email(written: str) -> str:
    return email_form.canonical(written) if written else ""


def _phone(ctx: Context, written: str) -> str:
    return phone_form.canonical(written, ctx.settings.audience.region) if written else ""


def _zone(written: str) -> str:
    """The name of an IANA zone as it is written there; empty is the organisation's."""
    name = written.strip()
    if name and name not in available_timezones():  # a file that only this machine has stops reminders on others
        raise UsageError(f"No time zone is called {name!r}.", mend="Say it like Europe/London or UTC.")
    return name


def remove(ctx: Context, actor: Person | None, name: str) -> Person:
    """Take every right away. The last admin stays: nobody could add another."""
    now = to_ms(ctx.clock.now())
    with ctx.ledger.write() as tx:
        require_manager(tx, actor)
        person = known(tx, name)
        _spare_last_admin(tx, person)
        people.remove(tx, person.id, now)
        _note(tx, "person removed", now, actor, person)
        return people.get(tx, person.id)


def everyone(ctx: Context) -> list[Person]:
    """Everybody who may act, by name."""
    with ctx.ledger.read() as tx:
        return people.active(tx)


def token_holders(ctx: Context) -> set[int]:
    """Ids of those who hold a token."""
    with ctx.ledger.read() as tx:
        return people.with_token(tx)


def by_name(ctx: Context, name: str) -> Person:
    """The active person of this name, whatever its case."""
    with ctx.ledger.read() as tx:
        return known(tx, name)


def issue_token(ctx: Context, actor: Person | None, name: str) -> str:
    """A new token for a person, to be shown once; an older one stops working. One may replace one's own."""
    now = to_ms(ctx.clock.now())
    token = TOKEN_PREFIX + secrets.token_urlsafe(_TOKEN_BYTES)
    with ctx.ledger.write() as tx:
        person = known(tx, name)
        if actor is None or actor.id != person.id:
            require_manager(tx, actor)
        people.set_token(tx, person.id, _hashed(token))
        _note(tx, "token issued", now, actor, person)
    return token


def authenticate(ctx: Context, token: str) -> Person:
    """The person whose token this is. Only hashes are looked up and compared, in constant time."""
    wanted = _hashed(token)
    with ctx.ledger.read() as tx:
        found = people.by_token(tx, wanted)
    if found is None or not hmac.compare_digest(found[1], wanted):
        raise NotPermitted(
            "This token is nobody's.",
            why="It was replaced, its person was removed, or it was copied incompletely.",
            mend="Ask an admin for a new one: dispatcher person token NAME.",
        )
    return found[0]


def _hashed(token: str) -> str:
    """256 random bits need no salt and no slow hash."""
    return hashlib.sha256(token.strip().encode()).hexdigest()


def require_manager(tx: Tx, actor: Person | None) -> None:
    """Return if this person may manage people, or if nobody could prove that they may."""
    if actor is not None:
        return require(actor, Right.MANAGE_PEOPLE)
    holders = people.with_token(tx)
    if any(person.id in holders and may(person, Right.MANAGE_PEOPLE) for person in people.active(tx)):
        raise NotPermitted(
            "Only an admin may manage people.",
            why="An admin holds a token, so the machine alone is no longer enough.",
            mend="Give an admin's token: --token-file FILE.",
        )
    return None


def _name(written: str) -> str:
    name = " ".join(written.split())
    if not name or len(name) > _LONGEST_NAME or not name.isprintable() or name.startswith("-"):
        raise UsageError(
            "This cannot be a person's name.",
            mend=f"Use 1 to {_LONGEST_NAME} printable characters, such as 'Jo Smith'.",
        )
    return name


def _find(tx: Tx, name: str) -> Person | None:
    folded = " ".join(name.split()).casefold()
    return next((person for person in people.active(tx) if person.name.casefold() == folded), None)


def known(tx: Tx, name: str) -> Person:
    """The active person of this name, whatever its case."""
    person = _find(tx, name)
    if person is None:
        raise NotFound(f"Nobody is called {name!r}.", mend="dispatcher person list shows everybody.")
    return person


def _note(tx: Tx, verb: str, now: int, actor: Person | None, about: Person, detail: str = "") -> None:
    text = f"{about.name}: {detail}" if detail else about.name
    broadcasts.note_act(tx, verb, now, person_id=actor.id if actor else None, detail=text)
