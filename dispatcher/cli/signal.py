"""`dispatcher signal`: incident tools, their secrets, what they posted, and a payload tried without effect."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from dispatcher.cli.actor import acting
from dispatcher.cli.groups import Noun, Verb
from dispatcher.cli.screen import is_terminal, pairs, plain_value, say, show, table
from dispatcher.cli.session import Session, pass_session
from dispatcher.errors import UsageError

if TYPE_CHECKING:
    from dispatcher.services.signals import Reading

_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.command(cls=Verb)
@click.argument("tool")
@click.argument("source")
@click.option("--file", "file", type=_FILE, help="File with the secret that the tool gave you.")
@click.option("--ask", is_flag=True, help="Type the secret that the tool gave you; it is not shown.")
@click.option("--form", type=click.Choice(["key", "token"]), help="Where the tool can do both.")
@click.option("--retire-old", is_flag=True, help="Only the newest counts from now on. Adds none.")
@click.option("--close", "shut", is_flag=True, help="Take back every secret: the door is shut.")
@pass_session
def secret(
    session: Session,
    tool: str,
    source: str,
    file: Path | None,
    ask: bool,
    form: str | None,
    retire_old: bool,
    shut: bool,
) -> None:
    """Open a door for SOURCE of TOOL, or change its secret.

    Without --file or --ask a strong secret is made and shown once. Two count at the same time: add the new one, set it
    in the tool, then --retire-old.
    """
    from dispatcher.services import doors

    actor = acting(session)
    if retire_old or shut:
        gone = doors.retire(session.ctx, actor, tool, source, keep=0 if shut else 1)
        show(session, {"tool": tool, "source": source, "retired": gone}, f"{gone} taken back.")
        return
    value = _given(file, ask)
    made = doors.add_secret(session.ctx, actor, tool, source, value=value, form=form)
    rows = {"address": made.address, "secret": made.value, "or, where no header can be set": made.address_with_token}
    words = pairs({name: text for name, text in rows.items() if text})
    show(session, plain_value(made), words)
    if made.value:
        say(session, "Shown this once. Set it in the tool; nothing but its hash or a sealed copy is kept.")


def _given(file: Path | None, ask: bool) -> str:
    if file is not None:
        try:
            return file.read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError):
            raise UsageError(f"{file} cannot be read.", mend="Check its name and rights.") from None
    if not ask:
        return ""
    if not is_terminal():
        raise UsageError("Nobody is there to type the secret.", mend="--file FILE")
    typed: str = click.prompt("Secret", hide_input=True, err=True)
    return typed.strip()


@click.command("list", cls=Verb)
@click.option("--source", default="", help="Only what this source posted.")
@click.option("--limit", type=click.IntRange(1, 1000), default=20, show_default=True, help="Newest posts shown.")
@pass_session
def list_all(session: Session, source: str, limit: int) -> None:
    """Open doors, and the newest signals with what became of them."""
    from dispatcher.services import signals

    doors = [one for one in signals.sources(session.ctx) if source in ("", one.source)]
    found = signals.recent(session.ctx, limit=limit, source=source)
    plain = {"sources": [plain_value(one) for one in doors], "signals": [plain_value(one) for one in found]}
    show(session, plain, lambda: _list_words(doors, found))


def _list_words(doors: Any, found: Any) -> str:
    if not doors:
        return "No door is open. Open one: dispatcher signal secret TOOL SOURCE"
    open_doors = [[d.tool, d.source, d.secrets, d.posts, d.repeats, d.waiting, d.unreadable, d.address] for d in doors]
    head = ["tool", "source", "secrets", "posts", "repeats", "waiting", "unreadable", "address"]
    lines = [
        [
            s.post,
            s.received_at.strftime("%d %b %H:%M:%S"),
            f"{s.tool}/{s.source}",
            s.kind,
            s.outcome,
            s.incident,
            s.title,
        ]
        for s in found
    ]
    newest = table(["id", "at (UTC)", "source", "kind", "outcome", "incident", "title"], lines) if lines else ""
    return "\n\n".join(part for part in (table(head, open_doors), newest) if part)


@click.command(cls=Verb)
@click.argument("number", metavar="ID", type=int)
@pass_session
def replay(session: Session, number: int) -> None:
    """Apply post ID again, with today's playbooks. What had its effect has it no second time."""
    from dispatcher.services import signals

    found = signals.replay(session.ctx, acting(session), number)
    rows = [[s.kind, s.outcome, s.incident, s.detail] for s in found]
    words = table(["kind", "outcome", "incident", "done"], rows)
    show(session, {"signals": [plain_value(one) for one in found]}, words)


def readings(session: Session, file: Path, tool: str, source: str, header: tuple[str, ...]) -> "list[Reading]":
    """A payload file read as if it came from a source."""
    from dispatcher.model.event import WebhookRequest
    from dispatcher.services import signals

    named = dict(_header(one) for one in header)
    request = WebhookRequest("POST", "", named, file.read_bytes(), session.ctx.clock.now())
    return signals.try_payload(session.ctx, tool, source, request)


def _header(text: str) -> tuple[str, str]:
    name, colon, value = text.partition(":")
    if not colon or not name.strip():
        raise UsageError(f"{text!r} is no header.", mend="Write it like 'X-GitHub-Event: issues'.")
    return name.strip().lower(), value.strip()


def as_dict(one: "Reading") -> dict[str, Any]:
    """A reading as JSON."""
    return {**one.seen, "playbook": one.trial.playbook if one.trial else None}


@click.command("try", cls=Verb)
@click.argument("file", type=_FILE)
@click.option("--tool", required=True, help="Which tool sends it.")
@click.option("--source", default="try", show_default=True, help="Whose settings apply.")
@click.option("--header", multiple=True, metavar="'NAME: VALUE'", help="A header that the tool sends with it.")
@pass_session
def attempt(session: Session, file: Path, tool: str, source: str, header: tuple[str, ...]) -> None:
    """Read the payload in FILE as TOOL's and show what it says. Nothing is proved, stored or done."""
    found = readings(session, file, tool, source, header)
    words = "\n\n".join(pairs({name: _flat(value) for name, value in as_dict(one).items() if value}) for one in found)
    show(session, {"signals": [as_dict(one) for one in found]}, words or "It says nothing.")


def _flat(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name}={text}" for name, text in value.items())
    return ", ".join(map(str, value)) if isinstance(value, list) else " ".join(str(value).split())


command = Noun(
    "signal", help="Incident tools: their secrets, what they posted, once more.",
    commands=[secret, list_all, replay, attempt],
)  # fmt: skip
