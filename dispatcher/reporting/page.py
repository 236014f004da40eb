"""The report as one HTML file: nothing is fetched, nothing runs, and the style is the only thing allowed."""

import base64
import hashlib
import re
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from dispatcher import resources
from dispatcher.reporting import plots, sums
from dispatcher.reporting.story import Story
from dispatcher.reporting.svg import seconds

_COMMENT = re.compile(r"/\*.*?\*/", re.DOTALL)
_SPACE = re.compile(r"\s+")


def render(story: Story, operator: Path | None = None) -> str:
    """The whole page. `operator` is a folder of own templates that come before the shipped ones."""
    env = _environment(operator)
    style = _style(env)
    whole = sums.total(story.channels)
    return env.get_template("report.html.jinja").render(
        story=story,
        style=Markup(style),  # noqa: S704 - our own file, not data
        style_hash=_csp_hash(style),
        patterns=Markup(plots.patterns()),  # noqa: S704 - drawn by us, text in it is escaped by svg.text
        figures={figure.name: figure for figure in _figures(story)},
        whole=whole,
        gap=sums.gap(whole),
        balanced=sums.reconciles(story.channels),
        share=sums.share,
        reached=sums.reached(whole),
        unfinished=sums.unfinished(whole),
    )


def _figures(story: Story) -> list[plots.Figure]:
    return [
        plots.bars(story.channels),
        plots.reach(story.curve, sums.total(story.channels)["planned"]),
        plots.waits(story.spreads),
        plots.failures(story.channels),
    ]


def _environment(operator: Path | None) -> Environment:
    folders = resources.folders("templates", operator)
    env = Environment(
        loader=FileSystemLoader([folder / "pages" / "report" for folder in folders]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    env.filters["count"] = lambda value: plots.count(value) if isinstance(value, int) else value
    env.filters["seconds"] = seconds
    env.filters["moment"] = lambda at: at.strftime("%d %b %Y, %H:%M:%S UTC").lstrip("0")
    env.filters["drawn"] = Markup
    return env


def _style(env: Environment) -> str:
    source = env.get_template("report.css").render()
    return _SPACE.sub(" ", _COMMENT.sub("", source)).strip()


def _csp_hash(style: str) -> str:
    """What the browser compares with the style before it uses it."""
    return "sha256-" + base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
