"""How an error is told: ✖ code and what, then why, then the mend; or the same as one JSON object."""

import json
import sys
import traceback

import click

from dispatcher.cli.screen import printable
from dispatcher.cli.session import Session
from dispatcher.errors import ConfigurationError, DispatcherError, Fault, UsageError


def complain(error: DispatcherError, session: Session) -> None:
    """Words go to stderr, so that stdout stays data."""
    if session.json:
        click.echo(json.dumps(error.as_dict(), ensure_ascii=False), err=True)
        return
    head = click.style("✖ " + error.code, fg="red", bold=True)
    click.echo(f"{head}  {printable(error.what)}", err=True, color=session.color)
    if error.why:
        _indented("Why", error.why)
    for mend in dict.fromkeys(error.mend):
        _indented("Mend", mend)


def _indented(label: str, words: str) -> None:
    first, *rest = printable(words, lines=True).splitlines() or [""]
    click.echo(f"  {label:<5} {first}", err=True)
    for line in rest:
        click.echo(f"        {line}", err=True)


def from_click(error: click.ClickException) -> UsageError:
    """Click's complaint in our shape."""
    call = getattr(error, "ctx", None)
    mend = f"{call.command_path} --help" if call else "dispatcher --help"
    return UsageError(error.format_message(), mend=mend)


def from_bug(error: BaseException, session: Session) -> DispatcherError:
    """An error nobody foresaw. Its message may hold an address, so only its kind and place are told."""
    if session.trace:
        traceback.print_exception(error, file=sys.stderr)
    frames = traceback.extract_tb(error.__traceback__)
    if isinstance(error, Fault) and error.transient:
        return ConfigurationError(
            "The ledger cannot be used now.",
            why=f"{error}.",
            mend=(
                "Bring its database back, or make room on its disk: dispatcher doctor",
                "Then look what was done before you repeat it: dispatcher broadcast show",
            ),
            code="E-LEDGER",
        )
    where = f" at {frames[-1].filename}:{frames[-1].lineno}" if frames else ""
    return DispatcherError(
        "Something broke that should not.",
        why=f"{type(error).__name__}{where}",
        mend="Run it again with --trace and report what it prints. The ledger keeps what was done.",
    )
