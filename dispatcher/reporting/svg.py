"""A few words for writing SVG by hand, and the scales of its axes."""

import html
import math
from dataclasses import dataclass


def tag(name: str, *content: str, **attributes: object) -> str:
    """One element. Python's `class_` and `stroke_width` become `class` and `stroke-width`; numbers are kept short."""
    said = "".join(f' {key.strip("_").replace("_", "-")}="{_value(value)}"' for key, value in attributes.items())
    inner = "".join(content)
    return f"<{name}{said}>{inner}</{name}>" if inner else f"<{name}{said}/>"


def _value(value: object) -> str:
    if isinstance(value, float):
        return f"{value:.1f}".rstrip("0").rstrip(".")
    return html.escape(str(value), quote=True)


def text(words: str, x: float, y: float, class_: str = "", anchor: str = "start") -> str:
    """Words at a place."""
    return tag("text", html.escape(words), x=x, y=y, class_=class_ or "label", text_anchor=anchor)


def drawing(name: str, title: str, description: str, wide: int, high: int, *content: str) -> str:
    """The root: an image with a name and a description for those who cannot see it."""
    said = tag("title", html.escape(title), id=f"{name}-t") + tag("desc", html.escape(description), id=f"{name}-d")
    labels = f"{name}-t {name}-d"
    return tag("svg", said, *content, viewBox=f"0 0 {wide} {high}", role="img", aria_labelledby=labels, class_="plot")


def nice_step(span: float, ticks: int) -> float:
    """The step of an axis: 1, 2 or 5 times a power of ten, giving about that many ticks."""
    if span <= 0:
        return 1.0
    rough = span / ticks
    power = 10.0 ** math.floor(math.log10(rough))
    return next(power * m for m in (1, 2, 5, 10) if power * m >= rough * 0.999)


@dataclass(frozen=True, slots=True)
class Scale:
    """Maps 0..`high` to pixels `start`..`end`, with round ticks."""

    high: float
    start: float
    end: float

    def __call__(self, value: float) -> float:
        return self.start + (self.end - self.start) * (value / self.high if self.high else 0)

    def ticks(self, about: int = 5) -> list[float]:
        """Round values from 0 to the top."""
        step = nice_step(self.high, about)
        return [step * i for i in range(math.floor(self.high / step + 1e-9) + 1)]


def seconds(value: float) -> str:
    """A duration as people say it: 0.4 s, 12 s, 3 min 20 s, 2 h 05 min."""
    if value < 10:
        return f"{value:.1f} s".replace(".0 s", " s")
    if value < 120:
        return f"{value:.0f} s"
    minutes, rest = divmod(round(value), 60)
    if minutes < 120:
        return f"{minutes} min {rest} s" if rest else f"{minutes} min"
    return f"{minutes // 60} h {minutes % 60:02} min"
