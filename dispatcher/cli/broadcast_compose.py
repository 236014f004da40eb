"""The verbs before a broadcast leaves: draft, edit, check, test, submit."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from dispatcher.cli.actor import acting, acting_on
from dispatcher.cli.broadcast_words import shown
from dispatcher.cli.groups import Verb
from dispatcher.cli.label import label
from dispatcher.cli.screen import number, pairs, printable, say, show, table
from dispatcher.cli.session import Session, pass_session
from dispatcher.cli.when import read_when, told
from dispatcher.errors import Refused, UsageError
from dispatcher.model.broadcast import Fallback
from dispatcher.model.kinds import Channel, Mode, Severity

_FALLBACK = re.compile(r"([a-z]+)=([a-z]+):([0-9]{1,5})")


def comma_list(_call: click.Context, _option: click.Parameter, values: Sequence[str]) -> tuple[str, ...]:
    """`--channel email,sms --channel social` as three words."""
    return tuple(word.strip() for value in values for word in value.split(",") if word.strip())


def channels_of(words: Sequence[str]) -> tuple[Channel, ...]:
    """Words as channels."""
    known = [channel.value for channel in Channel]
    if strange := [word for word in words if word not in known]:
        raise UsageError(f"{strange[0]!r} is no channel.", mend=f"Use {', '.join(known)}.")
    return tuple(Channel(word) for word in words)


def fallback_of(word: str) -> Fallback:
    """`sms=email:15` as a fallback."""
    found = _FALLBACK.fullmatch(word.strip())
    if not found:
        raise UsageError(f"--fallback {word!r} cannot be read.", mend="Like --fallback sms=email:15 (minutes).")
    channel, instead_of = channels_of(found.group(1, 2))
    return Fallback(channel, instead_of, int(found[3]) * 60)


def fact_pairs(words: Sequence[str]) -> dict[tuple[str, str | None], object]:
    """`name=value`, or `name@fr=value` for one language."""
    facts: dict[tuple[str, str | None], object] = {}
    for word in words:
        name, equals, value = word.partition("=")
        if not equals or not name.strip():
            raise UsageError(f"--fact {word!r} is not name=value.", mend='Like --fact service="Sign-in".')
        facts[_fact_key(name)] = value
    return facts


def _fact_key(word: str) -> tuple[str, str | None]:
    """`name`, or `name@fr` for one language."""
    name, _, locale = word.strip().partition("@")
    return name, locale or None


def read_facts(files: Sequence[Path], words: Sequence[str]) -> dict[tuple[str, str | None], object]:
    """Facts from files, then from the command line, which wins."""
    from dispatcher.services.facts import read_file

    facts: dict[tuple[str, str | None], object] = {}
    for file in files:
        facts |= read_file(file)
    return facts | fact_pairs(words)


def fact_options(command: Any) -> Any:
    """--fact and --facts, as `words` and `files`."""
    command = click.option(
        "--fact", "words", multiple=True, metavar="NAME=VALUE", help="A fact; NAME@fr= for one language."
    )(command)
    return click.option(
        "--facts",
        "files",
        multiple=True,
        type=click.Path(exists=True, dir_okay=False, path_type=Path),
        help="TOML or JSON.",
    )(command)


@click.command(cls=Verb)
@click.option("--template", required=True, metavar="ID", help="Which message; dispatcher template list.")
@click.option("--audience", default="", metavar="NAME", help="Whom; dispatcher audience list.")
@click.option("--channel", "channels", multiple=True, callback=comma_list, help="email,sms,social,chat.")
@click.option("--account", "accounts", multiple=True, callback=comma_list, help="Our accounts, in order of use.")
@click.option("--incident", default="", metavar="REF", help="What it is about; its facts come along.")
@fact_options
@click.option("--mode", type=click.Choice([m.value for m in Mode]), help="Default: the incident's or the site's.")
@click.option("--severity", type=click.Choice([s.value for s in Severity]), help="Default: the incident's.")
@click.option("--title", default="", help="How we call it among ourselves.")
@click.option("--expires-hours", type=click.FloatRange(min=0, min_open=True), help="Later than this nothing is sent.")
@click.option(
    "--fallback",
    multiple=True,
    metavar="CHANNEL=FIRST:MINUTES",
    help="sms=email:15 tells by SMS those whom email has not provably reached after 15 minutes.",
)
@click.option("--variant", default="", metavar="NAME", help="A variant of the template for everybody.")
@click.option("--variant-by", default="", metavar="COLUMN", help="The column of the audience that names it.")
@click.option("--codes", default="", metavar="POOL", help="A goodwill code for each person; dispatcher code list.")
@click.option("--signatory", default="", metavar="NAME", help="Who signs; dispatcher person signatories.")
@click.option("--key", "request_key", default="", help="The same key again gives the same broadcast.")
@pass_session
def draft(
    session: Session,
    /,
    channels: Sequence[str],
    mode: str | None,
    severity: str | None,
    fallback: Sequence[str],
    **asked: Any,
) -> None:
    """Draft a broadcast; prints its REF."""
    from dispatcher.services import drafting

    facts = read_facts(asked.pop("files"), asked.pop("words"))
    wanted = drafting.Draft(
        channels=channels_of(channels),
        mode=Mode(mode) if mode else None,
        severity=Severity(severity) if severity else None,
        facts=facts,
        fallback=[fallback_of(word) for word in fallback],
        **asked,
    )
    made = drafting.draft(session.ctx, acting(session, wanted.mode), wanted)
    say(session, label(session, made.mode, made.ref))
    say(session, f"Drafted {made.ref}. Next: dispatcher broadcast check {made.ref}")
    show(session, shown(made), made.ref)


@click.command(cls=Verb)
@click.argument("ref")
@fact_options
@click.option("--without-fact", "without", multiple=True, metavar="NAME", help="Take it out; NAME@fr in one language.")
@click.option("--title", default="", help="A new title.")
@click.option("--next-update", metavar="TIME", help="The next update it tells of: 18:30, in 30m, or ISO 8601.")
@pass_session
def edit(
    session: Session,
    ref: str,
    words: Sequence[str],
    files: Sequence[Path],
    without: Sequence[str],
    title: str,
    next_update: str | None,
) -> None:
    """Change or take out facts, or change the title or the promised time; an approval is void then."""
    from dispatcher.services import drafting

    actor, given = acting_on(session, ref), read_facts(files, words)
    zone = session.settings.organisation.time_zone
    moment = read_when(next_update, session.ctx.clock.now(), zone) if next_update else None
    taken = [_fact_key(word) for word in without]
    made = drafting.edit(session.ctx, actor, ref, given, title, without=taken, next_at=moment)
    words_of_it = f"{made.ref} is version {made.version}, a draft again. Next: dispatcher broadcast check {made.ref}"
    if moment is not None:
        say(session, f"It tells of the next update by {told(moment, zone)}.")
    show(session, shown(made), words_of_it)


@click.command(cls=Verb)
@click.argument("ref")
@pass_session
def check(session: Session, ref: str) -> None:
    """Every finding, whom it would reach, how, and what it costs; exit 4 if it may not go out."""
    from dispatcher.services import checking

    result = checking.check(session.ctx, ref)
    plain = result.as_dict()
    show(session, plain, lambda: _check_words(plain, label(session, plain["mode"], ref)))
    if plain["blocked"]:
        raise Refused(
            f"{ref} may not go out like this.",
            why="See the findings marked ✖.",
            mend=f"dispatcher broadcast edit {ref} --fact NAME=VALUE",
        )


_MARK = {"error": "✖", "warning": "!", "info": "·"}
_PLAN = {
    "planned": "planned",
    "suppressed": "suppressed",
    "without_address": "no address",
    "requests": "requests",
    "segments": "segments",
    "cost": "cost",
    "eta": "seconds",
}


def _check_words(plain: dict[str, Any], head: str) -> str:
    used = [key for key in _PLAN if any(plan[key] is not None for plan in plain["channels"].values())]
    rows = [
        [name, *(plan[key] for key in used), ", ".join(plan["accounts"])] for name, plan in plain["channels"].items()
    ]
    plan = table(["channel", *(_PLAN[key] for key in used), "by"], rows) if rows else ""
    found = "\n".join(_finding(one, places) for one, places in _by_place(plain["findings"])) or "✔ Nothing to mend."
    return "\n\n".join(filter(None, (head, found, plan, f"audience_size {number(plain['audience_size'])}")))


def _by_place(found: Sequence[dict[str, Any]]) -> list[tuple[dict[str, Any], str]]:
    """Each finding once, with every place where the same was found, in order."""
    grouped: dict[str, tuple[dict[str, Any], list[str]]] = {}
    for one in found:
        same = {key: value for key, value in one.items() if key not in ("channel", "locale", "line")}
        place = " ".join(filter(None, (one.get("channel"), one.get("locale"))))
        grouped.setdefault(str(same), (one, []))[1].append(place)
    return [(one, ", ".join(dict.fromkeys(filter(None, places)))) for one, places in grouped.values()]


def _finding(told: dict[str, Any], places: str) -> str:
    """`✖ E-LEN sms en  What`, and below it why and the mend."""
    place = " ".join(filter(None, (told["code"], places)))
    let = {"let": f"let pass by {told['overridden_by']}: {told['reason']}"} if told.get("overridden_by") else {}
    more = [f"\n    {printable(text)}" for key in ("words", "why", "mend", "let") if (text := (told | let).get(key))]
    return f"{_MARK[told['severity']]} {place}  {printable(told['what'])}{''.join(more)}"


@click.command(cls=Verb)
@click.argument("ref")
@click.option(
    "--to", "to", multiple=True, required=True, callback=comma_list, metavar="ADDRESS", help="One of us; marked [TEST]."
)
@pass_session
def test(session: Session, ref: str, to: Sequence[str]) -> None:
    """Send it to named addresses of ours, marked as a test."""
    from dispatcher.services import testing

    sent = testing.send_test(session.ctx, acting_on(session, ref), ref, to=list(to))
    show(
        session,
        {"ref": ref, "sent": sent},
        lambda: table(["to", "channel", "outcome"], [[s["to"], s["channel"], s["outcome"]] for s in sent]),
    )


@click.command(cls=Verb)
@click.argument("ref")
@pass_session
def submit(session: Session, ref: str) -> None:
    """Freeze words, people and plan under a digest, and ask for approval."""
    from dispatcher.services import approval

    made = approval.submit(session.ctx, acting_on(session, ref), ref)
    words = {"submitted": made.ref, "audience_size": made.audience_size, "digest": made.digest}
    say(session, label(session, made.mode, made.ref))
    say(session, f"Next, another person: dispatcher broadcast approve {made.ref}")
    show(session, shown(made), pairs(words))


VERBS = (draft, edit, check, test, submit)
