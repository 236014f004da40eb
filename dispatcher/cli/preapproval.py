"""`dispatcher preapproval`: a yes given in peace, and its use when every minute counts."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from dispatcher.cli.actor import acting
from dispatcher.cli.broadcast_compose import channels_of, comma_list, fact_options, read_facts
from dispatcher.cli.broadcast_words import shown
from dispatcher.cli.groups import Noun, Verb
from dispatcher.cli.label import label
from dispatcher.cli.screen import pairs, plain_value, say, show, table
from dispatcher.cli.session import Session, join_words, pass_session
from dispatcher.model.kinds import Mode, Severity

if TYPE_CHECKING:
    from dispatcher.services.preapproval import PreApproval

_REASON = click.option("--reason", default="", metavar="TEXT", help="Why; kept in the timeline.")


def _words(one: "PreApproval") -> str:
    terms = one.terms
    limits = {f"fact {name}": ", ".join(_limit_words(told)) for name, told in terms.facts.items()}
    people = f"{terms.audience}, {terms.audience_most:,} people at most" if terms.audience else "nobody"
    told = {
        "pre-approval": one.name,
        "state": one.state + (f" by {one.revoked}" if one.revoked else ""),
        "template": f"{terms.template} {terms.template_sha[:12]}",
        "to": people,
        "channels": ", ".join(terms.channels),
        "severities": ", ".join(terms.severities),
        "until": plain_value(one.ends_at),
        "next update within": f"{terms.promise_minutes} minutes" if terms.promise_minutes else "any time",
        "how often": terms.instances or "any number",
        "sent by": "the program, or a person" if terms.unattended else "a person",
        **limits,
        **{f"let pass {rule}": why for rule, why in terms.warnings.items()},
        "written by": one.author,
        "approved by": join_words(one.approved_by) if one.approved_by else "nobody",
        "missing": ", ".join(one.missing) or "nothing",
        "used by": ", ".join(one.instances) or "no broadcast",
        "digest": one.digest,
    }
    return pairs(told)


def _limit_words(limits: Any) -> list[str]:
    told = limits.model_dump(mode="json", exclude_defaults=True)
    return [f"{name} {', '.join(value) if isinstance(value, list) else value}" for name, value in told.items()]


@click.command(cls=Verb)
@click.argument("name")
@click.option(
    "--terms", "file", required=True, type=click.Path(exists=True, dir_okay=False, path_type=Path), help="TOML."
)
@pass_session
def add(session: Session, name: str, file: Path) -> None:
    """Write terms that others may say yes to; they bind the template's bytes as they are now."""
    from dispatcher.services import preapproval, terms

    made = preapproval.add(session.ctx, acting(session), name, terms.read(file))
    say(session, f"Next, another person: dispatcher preapproval approve {name!r}")
    show(session, made.as_dict(), lambda: _words(made))


@click.command(cls=Verb)
@click.argument("name")
@click.option("--digest", "seen", default="", help="The digest you looked at, or its start: refused if it is another.")
@pass_session
def approve(session: Session, name: str, seen: str) -> None:
    """Say yes to exactly these terms; of the levels that the template and the gravest severity demand."""
    from dispatcher.services import preapproval

    made = preapproval.approve(session.ctx, acting(session), name, seen=seen)
    words = f"{name} is {made.state}."
    if made.missing:
        words += f" Another approval is needed: {join_words(made.missing)}."
    show(session, made.as_dict(), words)


@click.command("list", cls=Verb)
@pass_session
def list_all(session: Session) -> None:
    """Every pre-approval, the newest first."""
    from dispatcher.services import preapproval

    found = preapproval.every(session.ctx)
    rows = [[one.name, one.state, one.terms.template, plain_value(one.ends_at), len(one.instances)] for one in found]
    words = table(["name", "state", "template", "until", "used"], rows)
    none = "None yet. Begin with: dispatcher preapproval add NAME --terms FILE"
    show(session, {"preapprovals": [one.as_dict() for one in found]}, words if rows else none)


@click.command("show", cls=Verb)
@click.argument("name")
@pass_session
def look(session: Session, name: str) -> None:
    """Its terms, who said yes, and what was sent under it."""
    from dispatcher.services import preapproval

    found = preapproval.show(session.ctx, name)
    show(session, found.as_dict(), lambda: _words(found))


@click.command(cls=Verb)
@click.argument("name")
@_REASON
@pass_session
def revoke(session: Session, name: str, reason: str) -> None:
    """End it, also for broadcasts under it that have not left."""
    from dispatcher.services import preapproval

    made = preapproval.revoke(session.ctx, acting(session), name, reason)
    show(session, made.as_dict(), f"{name} is revoked.")


@click.command(cls=Verb)
@click.argument("name")
@click.option("--incident", default="", metavar="REF", help="What it is about; its facts come along.")
@fact_options
@click.option("--channel", "channels", multiple=True, callback=comma_list, help="Fewer than the terms allow.")
@click.option("--severity", type=click.Choice([s.value for s in Severity]), help="Default: the incident's.")
@click.option("--mode", type=click.Choice([m.value for m in Mode]), help="Default: the incident's or the site's.")
@click.option("--title", default="", help="How we call it among ourselves.")
@click.option("--key", "request_key", default="", help="The same key again gives the same broadcast.")
@pass_session
def use(
    session: Session,
    /,
    name: str,
    words: Sequence[str],
    files: Sequence[Path],
    channels: Sequence[str],
    severity: str | None,
    mode: str | None,
    **asked: str,
) -> None:
    """Make a broadcast under it, approved if it keeps within the terms; prints its REF. Exit 4 names the limit."""
    from dispatcher.services import preapproval

    wanted = preapproval.Use(
        facts=read_facts(files, words),
        channels=channels_of(channels),
        severity=Severity(severity) if severity else None,
        mode=Mode(mode) if mode else None,
        **asked,
    )
    made = preapproval.instance(session.ctx, acting(session, wanted.mode), name, wanted)
    say(session, label(session, made.mode, made.ref))
    say(session, f"{made.ref} is {made.state}. Next: dispatcher broadcast send {made.ref}")
    show(session, shown(made) | {"preapproval": name}, made.ref)


command = Noun(
    "preapproval",
    help="A yes given in peace: add, approve, list, show, revoke, use.",
    commands=[add, approve, list_all, look, revoke, use],
)
