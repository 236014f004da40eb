"""A broadcast under way, shown: a frame for a terminal, one line per change for a log or a screen reader."""

import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

import click

from dispatcher.cli.screen import as_json, badge, number, printable
from dispatcher.cli.session import Session
from dispatcher.model.states import TERMS

if TYPE_CHECKING:
    from rich.console import RenderableType

_SETTLED = ("accepted", "delivered", "failed", "unknown", "expired", "cancelled")
_TOLD = (
    "delivered",
    "accepted",
    "failed",
    "unknown",
    "expired",
    "cancelled",
    "suppressed",
    "held",
    "pending",
    "sending",
)

View = Mapping[str, Any]
"""What `broadcast show --json` prints."""

Now = Callable[[], datetime]


def settled(terms: Mapping[str, int]) -> int:
    """Deliveries for which nothing is left to do on our side."""
    return sum(terms.get(term, 0) for term in _SETTLED)


def wanted(terms: Mapping[str, int]) -> int:
    """Deliveries that somebody should get: those left out on purpose are not among them."""
    return terms["planned"] - terms.get("suppressed", 0)


def told(terms: Mapping[str, int]) -> str:
    """`delivered 790, failed 4, pending 18`."""
    return ", ".join(f"{term} {number(terms[term])}" for term in _TOLD if terms.get(term))


def trouble(terms: Mapping[str, Any]) -> str:
    """What keeps a channel from going on: it is frozen, or an account of it is broken or stopped."""
    frozen = f"frozen: {terms['frozen']}" if terms.get("frozen") else ""
    accounts = [f"{name} {state}" for name, state in terms.get("accounts", {}).items() if state != "open"]
    return printable("; ".join(filter(None, (frozen, *accounts))))


def changes(view: View, last: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """(what, line) for the broadcast and each channel, where the line is another than the last one."""
    held = f", on hold: {view['hold']}" if view.get("hold") else ""
    found = {view["ref"]: printable(view["state"] + held)}
    for channel, terms in view["channels"].items():
        count = f"{number(settled(terms))} of {number(wanted(terms))}"
        found[channel] = f"{count}: {'; '.join(filter(None, (told(terms) or 'nothing yet', trouble(terms))))}"
    yield from ((what, line) for what, line in found.items() if last.get(what) != line)


def follow(session: Session, views: Iterable[View], now: Now) -> View | None:
    """Show every view until there are no more; the last one."""
    if session.json:
        return _follow_json(views)
    if session.plain or not sys.stdout.isatty():
        return _follow_plain(views, now)
    return _follow_live(session, views)


def _follow_json(views: Iterable[View]) -> View | None:
    view, last = None, ""
    for view in views:
        if (line := as_json(view)) != last:
            click.echo(line)
            last = line
    return view


def _follow_plain(views: Iterable[View], now: Now) -> View | None:
    view, last = None, dict[str, str]()
    for view in views:
        for what, line in changes(view, last):
            last[what] = line
            click.echo(f"{now():%H:%M:%S} {what} {line}")
    return view


def _follow_live(session: Session, views: Iterable[View]) -> View | None:
    from rich.console import Console
    from rich.live import Live

    view = None
    with Live(console=Console(no_color=session.no_color), refresh_per_second=8, transient=False) as live:
        for view in views:
            live.update(frame(view))
    return view


def frame(view: View) -> "RenderableType":
    """The broadcast as a block of lines: mode, title, a bar per channel, the people reached."""
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    head = Text.from_ansi(badge(view["mode"], test_endpoint=bool(view["test_endpoints"])))
    title = Text(f"{view['ref']} {view.get('title', '')}  {view['state']}", style="bold")
    grid = Table.grid(padding=(0, 2))
    for channel, terms in view["channels"].items():
        words = Text(told(terms))
        if wrong := trouble(terms):
            words.append(f"  {wrong}", style="yellow")
        grid.add_row(Text(channel, style="bold"), bar(terms), _count(terms), words)
    held = [Text(f"on hold: {printable(view['hold'])}", style="yellow")] if view.get("hold") else []
    return Group(head, title, *held, grid)


def _count(terms: Mapping[str, int]) -> Any:
    from rich.text import Text

    text = f"{number(settled(terms))}/{number(wanted(terms))}"
    return Text(f"{text:>13}")


def bar(terms: Mapping[str, int], wide: int = 24) -> Any:
    """Full blocks for what is done, light ones for what failed or is unknown, blanks for what waits."""
    from rich.text import Text

    planned = max(wanted(terms), 1)
    good = sum(terms.get(term, 0) for term in ("accepted", "delivered"))
    bad = settled(terms) - good
    solid, light = good * wide // planned, -(-bad * wide // planned)
    light = min(light, wide - solid)
    text = Text("█" * solid, style="green")
    text.append("▒" * light, style="yellow")
    text.append("░" * (wide - solid - light), style="dim")
    return text


def sum_line(terms: Mapping[str, int]) -> str:
    """`2,000 planned = 1,893 delivered + 66 failed + ...`."""
    parts = " + ".join(f"{number(terms[term])} {term}" for term in TERMS if terms.get(term))
    return f"{number(terms['planned'])} planned = {parts or '0'}"
