"""Who acts: the owner of a token, or in a drill whoever `--as` names. A token never stands in the command."""

from typing import TYPE_CHECKING

import click

from dispatcher.cli.screen import is_terminal
from dispatcher.cli.session import Session
from dispatcher.errors import NotPermitted, UsageError
from dispatcher.model.kinds import Mode

if TYPE_CHECKING:
    from dispatcher.model.person import Person

_TOKEN_MEND = ("--token-file FILE, or the variable DISPATCHER_TOKEN", "no token yet: dispatcher person token NAME")


def acting(session: Session, mode: Mode | None = None) -> "Person":
    """The person of this call. `mode` is the broadcast's; without one the site's own mode decides."""
    from dispatcher.services import people

    drill = (mode or session.settings.mode) is Mode.DRILL
    token = _given_token(session)
    if token:
        return _named(session, people.authenticate(session.ctx, token))
    if session.who and drill:
        return people.by_name(session.ctx, session.who)
    if not drill and is_terminal():
        return _named(session, people.authenticate(session.ctx, _asked_token(session)))
    if session.who:
        raise NotPermitted(
            "--as is not enough here: this is live.", why="Only a drill takes a name without a token.", mend=_TOKEN_MEND
        )
    raise UsageError("Nobody is named who acts.", mend=("--as NAME in a drill", *_TOKEN_MEND))


def acting_on(session: Session, ref: str) -> "Person":
    """The person who acts on a broadcast, which is live or a drill by itself."""
    from dispatcher.services import accounting

    return acting(session, accounting.show(session.ctx, ref, reasons=False).broadcast.mode)


def acting_manager(session: Session) -> "Person | None":
    """Who manages people. While no admin holds a token nobody can be proved, so None: the service decides."""
    from dispatcher.services import people

    if _given_token(session):
        return acting(session)
    known = {person.name.casefold() for person in people.everyone(session.ctx)}
    named = (session.who or "").casefold() in known
    return acting(session) if named and session.settings.mode is Mode.DRILL else None


def _given_token(session: Session) -> str:
    if session.token_file is None:
        return session.settings.token.get_secret_value()
    try:
        return session.token_file.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError):
        raise UsageError(
            f"The token file {session.token_file} cannot be read.", mend="Check its name and rights."
        ) from None


def _asked_token(session: Session) -> str:
    who = f" of {session.who}" if session.who else ""
    token: str = click.prompt(f"Token{who}", hide_input=True, err=True)
    return token.strip()


def _named(session: Session, person: "Person") -> "Person":
    if session.who and session.who.casefold() != person.name.casefold():
        raise UsageError(f"This is the token of {person.name}, not of {session.who}.", mend="Leave --as out.")
    return person
