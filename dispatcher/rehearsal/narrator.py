"""Tells a rehearsal as it goes: for a terminal, line by line for a log or a screen reader, or not at all."""

import sys
import time
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime

import click

from dispatcher.cli.progress import View, follow
from dispatcher.cli.screen import printable
from dispatcher.cli.session import Session


class Narrator:
    """`step` tells one act; `watch` follows a broadcast until its views end."""

    def __init__(
        self, session: Session, now: Callable[[], datetime], *, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._session = session
        self._now = now
        self._monotonic = monotonic
        self._began = monotonic()

    @property
    def seconds(self) -> float:
        """Since the beginning."""
        return self._monotonic() - self._began

    def head(self, words: str) -> None:
        """The first line."""
        if not self._session.json:
            click.echo(words, color=self._session.color)

    def step(self, what: str, words: str) -> None:
        """`Check    3 findings, audience 1,987 people`."""
        if self._session.json:
            return
        mark = f"{self._now():%H:%M:%S}" if self._session.plain else click.style(f"{self.seconds:5.1f} s", dim=True)
        label = f"{what:<9}" if self._session.plain else click.style(f"{what:<9}", bold=True)
        self._tell(f"{mark}  {label} {printable(words)}")

    def _tell(self, line: str) -> None:
        """Through sys.stdout as it is now: while a frame is live it stands in for it and puts the line above.

        click.echo looks for the stream behind it, writes into the frame, and leaves pieces of it on the screen.
        """
        coloured = sys.stdout.isatty() if self._session.color is None else self._session.color
        sys.stdout.write((line if coloured else click.unstyle(line)) + "\n")
        sys.stdout.flush()

    def watch(self, views: Iterable[View]) -> View | None:
        """The last view. With --json nothing is shown meanwhile: the one object comes at the end."""
        if self._session.json:
            return _last(iter(views))
        return follow(self._session, views, self._now)


def _last(views: Iterator[View]) -> View | None:
    view = None
    for view in views:  # noqa: B007 - only the last counts
        pass
    return view
