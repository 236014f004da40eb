"""`dispatcher sandbox`: the pretend vendors as a process, with flags of their own."""

import os
import sys
from typing import Any

import click

from dispatcher.cli.groups import Verb


class HandedOn(Verb):
    """A command whose flags are another program's: none is read here, `--help` included."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.params = [param for param in self.params if param not in self.everywhere]


@click.command(
    "sandbox",
    cls=HandedOn,
    add_help_option=False,
    context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False},
)
@click.argument("flags", nargs=-1, type=click.UNPROCESSED)
def command(flags: tuple[str, ...]) -> None:
    """Run the pretend vendors on this machine until Ctrl-C; --help lists the faults they can play."""
    os.execv(sys.executable, [sys.executable, "-m", "dispatcher.sandbox", *flags])  # noqa: S606 - our own module
