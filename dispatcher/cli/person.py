"""`dispatcher person`: who may act, and the token that proves who somebody is."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from dispatcher.cli.actor import acting_manager
from dispatcher.cli.broadcast_compose import comma_list
from dispatcher.cli.groups import Noun, Verb
from dispatcher.cli.screen import say, show, table
from dispatcher.cli.session import Session, pass_session
from dispatcher.cli.when import read_when, told
from dispatcher.errors import UsageError
from dispatcher.model.person import Level, Role

if TYPE_CHECKING:
    from dispatcher.model.person import Person


def as_dict(person: "Person", *, token: bool) -> dict[str, Any]:
    """A person as JSON; the token itself is never among it."""
    return {
        "name": person.name,
        "roles": sorted(person.roles),
        "level": person.level,
        "email": person.email,
        "phone": person.phone,
        "zone": person.zone,
        "has_token": token,
    }


def roles_of(words: Sequence[str]) -> frozenset[Role]:
    """Words as roles."""
    known = [role.value for role in Role]
    if strange := [word for word in words if word not in known]:
        raise UsageError(f"{strange[0]!r} is no role.", mend=f"--role {' or '.join(known)}")
    return frozenset(Role(word) for word in words)


@click.command(cls=Verb)
@click.argument("name")
@click.option(
    "--role", "roles", multiple=True, callback=comma_list, metavar="ROLES", help="author,approver,operator,admin."
)
@click.option(
    "--level",
    type=click.Choice([v.value for v in Level]),
    default=Level.COMMS.value,
    show_default=True,
    help="How far a yes reaches.",
)
@click.option("--email", default="", help="For test messages.")
@click.option("--phone", default="", help="For test messages.")
@click.option("--zone", default="", metavar="ZONE", help="In which they read times. Default: the organisation's.")
@pass_session
def add(session: Session, name: str, roles: Sequence[str], level: str, email: str, phone: str, zone: str) -> None:
    """Add one of us."""
    from dispatcher.services import people

    made = people.add(
        session.ctx, acting_manager(session), name, roles=roles_of(roles), level=Level(level), email=email,
        phone=phone, zone=zone,
    )  # fmt: skip
    show(session, as_dict(made, token=False), _words(made))
    say(session, f"Next: dispatcher person token {made.name!r}")


def _words(person: "Person") -> str:
    zone = f"; reads times in {person.zone}" if person.zone else ""
    return f"{person.name} is {', '.join(sorted(person.roles))}; level {person.level}{zone}."


@click.command(cls=Verb)
@click.argument("name")
@click.option("--role", "roles", multiple=True, callback=comma_list, metavar="ROLES", help="All of them, not one more.")
@click.option("--level", type=click.Choice([v.value for v in Level]), help="How far a yes reaches.")
@click.option("--email", help="For test messages and notices; empty takes it away.")
@click.option("--phone", help="For test messages and notices; empty takes it away.")
@click.option("--zone", metavar="ZONE", help="In which they read times; empty is the organisation's.")
@pass_session
def change(
    session: Session,
    name: str,
    roles: Sequence[str],
    level: str | None,
    email: str | None,
    phone: str | None,
    zone: str | None,
) -> None:
    """Give one of us other roles, level, addresses or time zone; the token goes on."""
    from dispatcher.services import people

    made = people.change(
        session.ctx, acting_manager(session), name, roles=roles_of(roles), level=Level(level) if level else None,
        email=email, phone=phone, zone=zone,
    )  # fmt: skip
    show(session, as_dict(made, token=made.id in people.token_holders(session.ctx)), _words(made))


@click.command("list", cls=Verb)
@pass_session
def list_all(session: Session) -> None:
    """Everybody who may act."""
    from dispatcher.services import people

    holders = people.token_holders(session.ctx)
    found = [as_dict(one, token=one.id in holders) for one in people.everyone(session.ctx)]
    rows = [
        [p["name"], ", ".join(p["roles"]), p["level"], "yes" if p["has_token"] else "no", p["email"], p["zone"]]
        for p in found
    ]
    none = "Nobody yet. Begin with: dispatcher person add NAME --role admin"
    headers = ["name", "roles", "level", "token", "email", "zone"]
    show(session, {"people": found}, table(headers, rows) if rows else none)


@click.command(cls=Verb)
@click.argument("name")
@pass_session
def remove(session: Session, name: str) -> None:
    """Take every right and the token away; what was done stays in the timeline."""
    from dispatcher.services import people

    gone = people.remove(session.ctx, acting_manager(session), name)
    show(session, {"removed": gone.name}, f"{gone.name} may not act any more.")


@click.command(cls=Verb)
@click.argument("name")
@click.option(
    "--to",
    "target",
    type=click.Path(dir_okay=False, path_type=Path),
    help="A file only you can read, instead of stdout.",
)
@pass_session
def token(session: Session, name: str, target: Path | None) -> None:
    """Make a new token, shown once; an older one stops working."""
    from dispatcher.services import people

    made = people.issue_token(session.ctx, acting_manager(session), name)
    if target is not None:
        target.touch(mode=0o600)
        target.chmod(0o600)
        target.write_text(f"{made}\n", encoding="utf-8")
        show(session, {"name": name, "file": target}, f"The token of {name} is in {target}.")
        return
    say(session, f"The token of {name}: keep it like a password; it is not shown again.")
    show(session, {"name": name, "token": made}, made)


@click.command(cls=Verb)
@click.argument("name", required=False)
@click.option("--for", "principal", metavar="PERSON", help="Whom NAME stands in for.")
@click.option("--away-until", metavar="TIME", help="At once until then; else only when a question is left unanswered.")
@click.option("--remove", "gone", is_flag=True, help="NAME stands in no more.")
@pass_session
def deputy(session: Session, name: str | None, principal: str | None, away_until: str | None, gone: bool) -> None:
    """Let NAME answer for an approver who is away or does not answer in time; without NAME, all deputies."""
    from dispatcher.services import deputies

    ctx = session.ctx
    if name is None:
        found = deputies.every(ctx)
        rows = [[one["deputy"], one["person"], one["away_until"]] for one in found]
        none = "Nobody has a deputy. Name one: dispatcher person deputy NAME --for PERSON"
        show(session, {"deputies": found}, table(["deputy", "for", "away until"], rows) if rows else none)
        return
    if principal is None:
        raise UsageError("Whom does the deputy stand in for?", mend="--for PERSON")
    if gone:
        deputies.remove(ctx, acting_manager(session), principal, name)
        show(session, {"deputy": name, "for": principal, "removed": True}, f"{name} stands in for {principal} no more.")
        return
    zone = session.settings.organisation.time_zone
    until = read_when(away_until, ctx.clock.now(), zone) if away_until else None
    deputies.name(ctx, acting_manager(session), principal, name, away_until=until)
    plain = {"deputy": name, "for": principal, "away_until": until}
    show(session, plain, f"{name} stands in for {principal}" + (f" until {told(until, zone)}." if until else "."))


@click.command(cls=Verb)
@pass_session
def signatories(session: Session) -> None:
    """Whose names may stand under a message, how senior they are, for which topics, and who has a picture."""
    from dispatcher.services import portraits

    directory = session.settings.signatories
    seen = {key: portraits.told(session.settings, key) for key in directory}
    rows = [[key, one.name, one.level, ", ".join(one.topics) or "any", seen[key]] for key, one in directory.items()]
    told = {key: one.model_dump(mode="json") | {"picture": seen[key]} for key, one in directory.items()}
    none = "There is no directory: organisation.signatory signs everything. Write [signatories.NAME] into the settings."
    show(session, {"signatories": told}, table(["key", "name", "level", "topics", "picture"], rows) if rows else none)


@click.command(cls=Verb)
@click.argument("key")
@click.argument("file", required=False, type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--remove", "gone", is_flag=True, help="KEY signs without a picture.")
@pass_session
def picture(session: Session, key: str, file: Path | None, gone: bool) -> None:
    """Keep FILE, a small PNG or JPEG, as the picture beside the name of a signatory."""
    from dispatcher.services import portraits

    if gone == (file is not None):
        raise UsageError("Name a file, or --remove.", mend=f"dispatcher person picture {key} FILE")
    if file is None:
        portraits.remove(session.ctx, acting_manager(session), key)
        show(session, {"signatory": key, "picture": ""}, f"{key} signs without a picture.")
        return
    kept = portraits.put(session.ctx, acting_manager(session), key, file)
    show(session, {"signatory": key, "picture": portraits.told(session.settings, key), "file": kept}, str(kept))


command = Noun(
    "person",
    help="Who may act, and who signs: add, change, list, remove, token, deputy, signatories, picture.",
    commands=[add, change, list_all, remove, token, deputy, signatories, picture],
)
