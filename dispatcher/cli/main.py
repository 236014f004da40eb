"""The `dispatcher` command: its nouns, its global options, and the one place where errors become exit codes."""

import sys
from collections.abc import Sequence
from typing import Any

import click

from dispatcher import __version__
from dispatcher.cli.complaint import complain, from_bug, from_click
from dispatcher.cli.groups import Nouns, Verb, everywhere
from dispatcher.cli.session import Session
from dispatcher.errors import DispatcherError

NOUNS = {
    "demo": ("dispatcher.rehearsal.command", "A rehearsal on this machine with invented people."),
    "init": ("dispatcher.cli.init", "Write a commented site configuration."),
    "doctor": ("dispatcher.cli.doctor", "Check settings, ledger, Redis, templates and accounts."),
    "config": ("dispatcher.cli.config", "Where a setting comes from; the schema of all."),
    "up": ("dispatcher.cli.up", "Run web, worker and beat, and restart what stops."),
    "person": ("dispatcher.cli.person", "Who may act: add, list, remove, token."),
    "audience": ("dispatcher.cli.audience", "Import and look at the people to tell."),
    "code": ("dispatcher.cli.code", "Goodwill codes: pools, stock, budget."),
    "suppression": ("dispatcher.cli.suppression", "Addresses that must not be contacted."),
    "template": ("dispatcher.cli.template", "List, read and lint message templates."),
    "incident": ("dispatcher.cli.incident", "What happened: open, update, promise, close."),
    "fact": ("dispatcher.cli.fact", "What is known about an incident, and how surely."),
    "reminder": ("dispatcher.cli.reminder", "What is owed to whom: list, snooze, ack, hand over, rota."),
    "broadcast": ("dispatcher.cli.broadcast", "Draft, check, approve, send and account for a message."),
    "preapproval": ("dispatcher.cli.preapproval", "A yes given in peace, within limits, and its use."),
    "desk": ("dispatcher.cli.desk", "What waits for you, and one key to do it."),
    "signal": ("dispatcher.cli.signal", "Incident tools: their secrets, what they posted, once more."),
    "playbook": ("dispatcher.cli.playbook", "What a signal opens, promises and drafts."),
    "status": ("dispatcher.cli.status", "What the public may read: pages, feeds, JSON."),
    "event": ("dispatcher.cli.event", "What vendors told us that could not be read."),
    "outward": ("dispatcher.cli.outward", "What our own systems were told."),
    "channel": ("dispatcher.cli.channel", "List, freeze, thaw and probe channels."),
    "reconcile": ("dispatcher.cli.reconcile", "Ask vendors about deliveries whose answer was lost."),
    "ledger": ("dispatcher.cli.ledger", "Recount every sum from its rows."),
    "hold": ("dispatcher.cli.hold", "Look at, and release, a ledger that starts held."),
    "sandbox": ("dispatcher.cli.sandbox", "Run the pretend vendors."),
}
"""Noun to module and help. Named rather than imported: help loads none of them, and rehearsals stand above the
command line. Each module has a `command`."""

SHELLS = ("bash", "zsh", "fish")


@click.group(
    cls=Nouns,
    nouns=NOUNS,
    params=everywhere(),
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
    epilog="First look: dispatcher demo",
)
@click.version_option(__version__, prog_name="dispatcher")
def cli() -> None:
    """Tell everyone on the worst day of the year: compose once, get it approved, account for each person."""


@cli.command(cls=Verb)
@click.argument("shell", type=click.Choice(SHELLS))
def completions(shell: str) -> None:
    """Print the completion script of a shell.

    bash: eval "$(dispatcher completions bash)"
    """
    from click.shell_completion import get_completion_class

    kind = get_completion_class(shell)
    if kind is not None:
        click.echo(kind(cli, {}, "dispatcher", "_DISPATCHER_COMPLETE").source())


def run(argv: Sequence[str]) -> int:
    """One call; returns its exit code."""
    session = Session(json="--json" in argv)
    try:
        result: Any = cli.main(args=list(argv), prog_name="dispatcher", standalone_mode=False, obj=session)
    except DispatcherError as error:
        complain(error, session)
        return error.exit_code
    except click.ClickException as error:
        complain(from_click(error), session)
        return 2
    except (click.Abort, KeyboardInterrupt):
        click.echo("Stopped by Ctrl-C.", err=True)
        return 130
    except BrokenPipeError:
        return _quiet_pipe()
    except Exception as error:  # noqa: BLE001 - the last door: whatever comes out of it gets an exit code and a shape
        told = from_bug(error, session)
        complain(told, session)
        return told.exit_code
    return result if isinstance(result, int) else 0


def _quiet_pipe() -> int:
    """The reader of our output left early (`| head`); Python would complain again while flushing at exit."""
    sys.stdout = None
    return 0


def main() -> None:
    """Entry point."""
    try:
        code = run(sys.argv[1:])
    except KeyboardInterrupt:  # it struck while another end was being told
        code = 130
    if code == 130:
        # Where the interrupt struck in eval(), as a named tuple is made, CPython keeps a mark and ends `python -m` by
        # the signal after all; running any text takes the mark off.
        exec("pass")  # noqa: S102
    sys.exit(code)
