"""The four pictures of a report. Each has a title, a description for those who cannot see it, and a table twin.

Terms differ by pattern and direct label as well as by colour.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from dispatcher.model.states import TERMS
from dispatcher.reporting import sums
from dispatcher.reporting.story import Moment, Spread, Sums
from dispatcher.reporting.svg import Scale, drawing, nice_step, seconds, tag, text

WIDE = 720
DRAWN = (
    "delivered", "accepted", "sending", "pending", "held", "unknown", "failed", "expired", "cancelled", "suppressed",
)  # fmt: skip
"""Order within a bar: what went well first, what we were told not to do last."""
_TIME_STEPS = (0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14_400, 28_800, 86_400)


@dataclass(frozen=True, slots=True)
class Table:
    """The same numbers for those who read them."""

    headers: tuple[str, ...]
    rows: tuple[tuple[str | int, ...], ...]


@dataclass(frozen=True, slots=True)
class Figure:
    """A picture, one sentence that says what it shows, and its twin."""

    name: str
    title: str
    sentence: str
    svg: str
    table: Table


def count(value: int) -> str:
    """12480 as 12,480."""
    return f"{value:,}"


def patterns() -> str:
    """The fills of the terms, defined once for the page."""
    marks: Mapping[str, str] = {
        "accepted": tag("path", d="M-1 1l2-2M0 6l6-6M5 7l2-2", class_="ink"),
        "sending": tag("path", d="M0 3h6", class_="ink"),
        "pending": tag("circle", cx=3, cy=3, r=1, class_="dot"),
        "held": tag("path", d="M3 0v6", class_="ink"),
        "unknown": tag("path", d="M0 0l6 6M-1 5l2 2M5-1l2 2", class_="ink"),
        "failed": tag("path", d="M0 0l6 6M6 0l-6 6", class_="ink"),
        "expired": tag("path", d="M0 2h6M0 5h6", class_="ink"),
        "cancelled": tag("path", d="M2 0v6M5 0v6", class_="ink"),
        "suppressed": tag("circle", cx=2, cy=2, r=1, class_="dot") + tag("circle", cx=5, cy=5, r=1, class_="dot"),
    }
    made = (
        tag(
            "pattern",
            tag("rect", width=6, height=6, class_=f"f-{term}"),
            mark,
            id=f"p-{term}",
            width=6,
            height=6,
            patternUnits="userSpaceOnUse",
        )
        for term, mark in marks.items()
    )
    return tag("svg", tag("defs", *made), width=0, height=0, class_="defs", aria_hidden="true", focusable="false")


def _swatch(term: str, x: float, y: float, wide: float, high: float, note: str = "") -> str:
    fill = {"class_": "f-delivered"} if term == "delivered" else {"fill": f"url(#p-{term})"}
    inner = (tag("title", note),) if note else ()
    return tag("rect", *inner, x=x, y=y, width=wide, height=high, **fill)


def bars(channels: Sequence[Sums]) -> Figure:
    """Every delivery of every channel in its term: the sum that must hold, drawn."""
    shown = [term for term in DRAWN if any(channel[term] for channel in channels)]
    row, left, top = 46, 84, 12
    high = top + row * len(channels) + 30 * _legend_lines(shown)
    drawn = [_bar(channel, shown, left, top + row * i) for i, channel in enumerate(channels)]
    drawn.append(_legend(shown, sums.total(channels), top + row * len(channels) + 12))
    sentence = "; ".join(_bar_sentence(channel) for channel in channels)
    title = "What became of every delivery"
    return Figure("bars", title, sentence, drawing("bars", title, sentence, WIDE, high, *drawn), sums_table(channels))


def _bar_sentence(channel: Sums) -> str:
    told = ", ".join(f"{count(channel[term])} {term}" for term in DRAWN if channel[term])
    return f"{channel.channel}: {told or 'nothing'} of {count(channel['planned'])} planned"


def _bar(channel: Sums, terms: Sequence[str], left: int, top: int) -> str:
    scale = Scale(channel["planned"], 0, WIDE - left)
    parts = [text(channel.channel, 0, top + 14, "name"), text(count(channel["planned"]), 0, top + 29, "small")]
    x = float(left)
    for term in terms:
        wide = scale(channel[term])
        if not wide:
            continue
        drawn = max(wide - 1.5, 1.5)
        parts.append(_swatch(term, x, top, drawn, 30, f"{term} {count(channel[term])}"))
        words = count(channel[term])
        if wide > 7 * len(words) + 14:
            parts.append(_plate(words, x + 6, top + 15, solid=term == "delivered"))
        x += wide
    return "".join(parts)


def _plate(words: str, x: float, y: float, *, solid: bool) -> str:
    """A number on a bar; over a pattern it stands on a plate, or the pattern would eat it."""
    if solid:
        return text(words, x, y + 4.5, "onbar")
    plate = tag("rect", x=x - 2, y=y - 9, width=7.4 * len(words) + 5, height=18, rx=3, class_="plate")
    return plate + text(words, x, y + 4.5, "label")


def _legend_lines(terms: Sequence[str]) -> int:
    return -(-len(terms) // 5) if terms else 0


def _legend(terms: Sequence[str], whole: Sums, top: float) -> str:
    parts = []
    for i, term in enumerate(terms):
        x, y = (i % 5) * (WIDE / 5), top + 26 * (i // 5)
        parts += [_swatch(term, x, y, 14, 14), text(f"{term} {count(whole[term])}", x + 20, y + 11.5, "small")]
    return "".join(parts)


def sums_table(channels: Sequence[Sums]) -> Table:
    """Every term of every channel, and the total."""
    whole = [*channels, sums.total(channels)] if len(channels) > 1 else list(channels)
    return Table(("channel", "planned", *TERMS), tuple(_numbers(c) for c in whole))


def _numbers(channel: Sums) -> tuple[str | int, ...]:
    return (channel.channel, channel["planned"], *(channel[term] for term in TERMS))


def _time_ticks(high: float) -> list[float]:
    step = next((s for s in _TIME_STEPS if high / s <= 7), nice_step(high, 6))
    return [step * i for i in range(math.floor(high / step + 1e-9) + 1)]


def reach(curve: Sequence[Moment], planned: int) -> Figure:
    """How many had been accepted, and delivered, how long after the release."""
    title = "How fast it reached people"
    milestones = sums.when_reached(curve)
    rows = tuple((f"{percent} %", n, seconds(at)) for percent, n, at in milestones)
    table = Table(("of all accepted", "deliveries", "after the release"), rows)
    if not milestones:
        return Figure("reach", title, "Nothing has been accepted yet.", "", table)
    half, most = milestones[1][2], milestones[2][2]
    last = curve[-1]
    sentence = (
        f"Half of {count(last.accepted)} deliveries were accepted {seconds(half)} after the release, "
        f"nine in ten after {seconds(most)}; {count(last.delivered)} were confirmed as delivered. "
        "A message that bounced afterwards stays in both lines."
    )
    return Figure("reach", title, sentence, _reach_drawing(curve, planned, title, sentence), table)


def _reach_drawing(curve: Sequence[Moment], planned: int, title: str, sentence: str) -> str:
    across = Scale(max(curve[-1].seconds, 0.1), 52, WIDE - 118)
    up = Scale(max(planned, 1), 236, 14)
    points = sums.thin(curve)
    last = curve[-1]
    drawn = [
        _grid(across, up),
        _line([(across(m.seconds), up(m.accepted)) for m in points], "accepted"),
        _line([(across(m.seconds), up(m.delivered)) for m in points], "delivered"),
        *_end_labels(across.end + 8, {"accepted": (up(last.accepted), last.accepted),
                                      "delivered": (up(last.delivered), last.delivered)}),
    ]  # fmt: skip
    return drawing("reach", title, sentence, WIDE, 272, *drawn)


def _grid(across: Scale, up: Scale) -> str:
    parts = []
    for value in up.ticks(4):
        y = up(value)
        parts.append(tag("line", x1=across.start, x2=across.end, y1=y, y2=y, class_="grid" if value else "axis"))
        parts.append(text(count(round(value)), across.start - 8, y + 4, "small", "end"))
    for value in _time_ticks(across.high):
        x = across(value)
        parts.append(tag("line", x1=x, x2=x, y1=up.start, y2=up.start + 5, class_="axis"))
        parts.append(text(seconds(value) if value else "release", x, up.start + 20, "small", "middle"))
    return "".join(parts)


def _line(points: Sequence[tuple[float, float]], term: str) -> str:
    """Steps, not slopes: between two known moments nothing is claimed."""
    (x, y), *rest = points
    path = f"M{x:.1f} {y:.1f}" + "".join(f"H{px:.1f}V{py:.1f}" for px, py in rest)
    return tag("path", d=path, class_=f"line l-{term}")


def _end_labels(x: float, ends: Mapping[str, tuple[float, int]]) -> list[str]:
    """Name and number where each line ends, kept apart where the lines meet."""
    placed, floor = [], 230.0
    for term, (y, value) in sorted(ends.items(), key=lambda item: -item[1][0]):
        y = min(y, floor)
        placed.append(text(f"{term} {count(value)}", x, y + 4, f"small t-{term}"))
        floor = y - 16
    return placed


def failures(channels: Sequence[Sums]) -> Figure:
    """Why people were not reached, the commonest cause first."""
    title = "Who was not reached, and why"
    by_cause = sums.causes(channels)
    table = Table(("cause", "deliveries"), tuple(by_cause.items()))
    if not by_cause:
        return Figure("failures", title, "No delivery failed.", "", table)
    top = list(by_cause.items())[:8]
    sentence = "Deliveries by cause: " + ", ".join(f"{cause} {count(n)}" for cause, n in top) + "."
    scale = Scale(max(n for _, n in top), 0, WIDE - 330)
    drawn = [_cause(cause, n, scale(n), 30 * i) for i, (cause, n) in enumerate(top)]
    svg = drawing("failures", title, sentence, WIDE, 30 * len(top), *drawn)
    return Figure("failures", title, sentence, svg, table)


def _cause(cause: str, n: int, wide: float, top: int) -> str:
    label = cause if len(cause) <= 36 else cause[:35] + "…"
    return (
        text(label, 258, top + 18, "label", "end")
        + _swatch("failed", 268, top + 4, max(wide, 2), 20)
        + text(count(n), 268 + max(wide, 2) + 7, top + 18, "label")
    )


def waits(spreads: Sequence[Spread]) -> Figure:
    """Seconds from the release to the vendor's yes, by channel: half, nine in ten, nearly all, the slowest."""
    title = "Time to acceptance by channel"
    named = [(s.channel, sums.percentiles(s)) for s in spreads if s.waits]
    headers = ("channel", "p50", "p90", "p95", "p99", "slowest")
    rows = tuple((channel, *(seconds(v) for v in values.values())) for channel, values in named)
    if not named:
        return Figure("waits", title, "Nothing has been accepted yet.", "", Table(headers, rows))
    sentence = "; ".join(f"{c}: half within {seconds(v['p50'])}, 95 % within {seconds(v['p95'])}" for c, v in named)
    scale = Scale(max(max(v["max"] for _, v in named), 0.1), 84, WIDE - 30)
    drawn = [_wait_row(channel, values, scale, 40 * i) for i, (channel, values) in enumerate(named)]
    drawn.append(_wait_axis(scale, 40 * len(named) + 6))
    svg = drawing("waits", title, sentence, WIDE, 40 * len(named) + 34, *drawn)
    return Figure("waits", title, sentence, svg, Table(headers, rows))


def _wait_row(channel: str, values: Mapping[str, float], scale: Scale, top: int) -> str:
    y = top + 20
    p50, p90, p99, slowest = (scale(values[key]) for key in ("p50", "p90", "p99", "max"))
    return "".join([
        text(channel, 0, y + 4, "name"),
        tag("line", x1=scale.start, x2=slowest, y1=y, y2=y, class_="whisker"),
        tag("rect", x=p50, y=y - 7, width=max(p90 - p50, 1.0), height=14, class_="box"),
        tag("line", x1=p50, x2=p50, y1=y - 10, y2=y + 10, class_="median"),
        tag("circle", cx=p99, cy=y, r=4, class_="far"),
        tag("path", d=f"M{slowest:.1f} {y - 6}v12", class_="end"),
    ])  # fmt: skip


def _wait_axis(scale: Scale, y: float) -> str:
    parts = [tag("line", x1=scale.start, x2=scale.end, y1=y, y2=y, class_="axis")]
    for value in _time_ticks(scale.high):
        parts.append(text(seconds(value), scale(value), y + 18, "small", "middle"))
    return "".join(parts)
