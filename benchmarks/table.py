"""Medians and spread as a table, and cost against size as a picture."""

import json
import statistics
import sys
from collections import defaultdict

from dispatcher.reporting.svg import Scale, drawing, tag, text

STYLE = (
    "text{font:12px sans-serif;fill:#333}.axis{stroke:#888}.grid{stroke:#ddd}"
    ".line{fill:none;stroke:#146;stroke-width:2}.dot{fill:#146}"
)


class Book:
    """Every measurement by (ledger, name), in the order in which it was taken."""

    def __init__(self, conditions):
        self.conditions = conditions
        self.found = defaultdict(list)
        self.units = {}

    def note(self, ledger, name, value, unit="/s"):
        """Keep it, and say it at once: a whole run takes minutes."""
        print(f"{ledger}: {name}: {_short(value)} {unit}", file=sys.stderr, flush=True)
        self.found[(ledger, name)].append(value)
        self.units[name] = unit

    def median(self, ledger, name):
        return statistics.median(self.found[(ledger, name)]) if self.found.get((ledger, name)) else None

    def ratio(self, ledger, name, over, base):
        """A ratio of two measurements of the same run, noted as one of its own."""
        pairs = list(zip(self.found.get((ledger, name), []), self.found.get((ledger, over), []), strict=False))
        if pairs:
            self.units[base] = "x"
            self.found[(ledger, base)] = [a / b for a, b in pairs if b]

    def rows(self):
        for (ledger, name), values in self.found.items():
            yield ledger, name, statistics.median(values), min(values), max(values), len(values), self.units[name]

    def printed(self):
        lines = [f"{'ledger':<11} {'measured':<44} {'median':>12} {'least':>12} {'most':>12}  n  unit"]
        for ledger, name, middle, least, most, n, unit in self.rows():
            figures = " ".join(f"{_short(figure):>12}" for figure in (middle, least, most))
            lines.append(f"{ledger:<11} {name:<44} {figures}  {n}  {unit}")
        return "\n".join(lines)

    def written(self):
        rows = [
            dict(zip(("ledger", "name", "median", "least", "most", "n", "unit"), row, strict=True))
            for row in self.rows()
        ]
        return json.dumps({"conditions": self.conditions, "measured": rows}, indent=1)


def _short(value):
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"


def cost(title, points, unit="s"):
    """`points` is (size, cost) in order; a straight line from the origin is what one hopes to see."""
    wide, high = 640, 320
    across, up = Scale(max(x for x, _ in points), 70, wide - 30), Scale(max(y for _, y in points) or 1, high - 40, 20)
    parts = [tag("style", STYLE)]
    for value in up.ticks(4):
        parts.append(tag("line", x1=across.start, x2=across.end, y1=up(value), y2=up(value), class_="grid"))
        parts.append(text(f"{value:g} {unit}", across.start - 8, up(value) + 4, "small", "end"))
    for value in across.ticks(5):
        parts.append(tag("line", x1=across(value), x2=across(value), y1=up.start, y2=up.start + 5, class_="axis"))
        parts.append(text(f"{value:,.0f}", across(value), up.start + 20, "small", "middle"))
    path = "M" + "L".join(f"{across(x):.1f} {up(y):.1f}" for x, y in points)
    parts.append(tag("path", d=path, class_="line"))
    parts += [tag("circle", cx=across(x), cy=up(y), r=4, class_="dot") for x, y in points]
    said = "; ".join(f"{x:,} in {y:.2f} {unit}" for x, y in points)
    svg = drawing("cost", title, said, wide, high, *parts)
    return svg.replace("<svg ", '<svg xmlns="http://www.w3.org/2000/svg" ', 1)
