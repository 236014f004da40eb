"""Renders a template for every channel, locale and variant of a brief. Pure: the same in gives the same out.

All pieces of one broadcast go into the cage together and come out as exact texts with slots for recipient data. What
comes back is checked once more here, outside the cage, because the approver will sign for these very bytes.
"""

import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from dispatcher.compose import cage, jobs, marks
from dispatcher.compose.brief import Brief
from dispatcher.compose.facts import require_complete
from dispatcher.compose.slotcheck import check_html
from dispatcher.errors import TemplateError
from dispatcher.model.kinds import Channel, Mode
from dispatcher.model.rendition import Rendition, Slot
from dispatcher.model.template import Document, PartName, Template

_POST_BREAK = re.compile(r"^---\s*$", re.MULTILINE)
_MOST_POSTS = 25


@dataclass(frozen=True, slots=True)
class Composed:
    """Everything one broadcast says. `fallbacks` name targets that a locale gets in another language."""

    renditions: tuple[Rendition, ...]
    documents: tuple[Document, ...]
    fallbacks: tuple[tuple[str, str, str], ...] = ()
    """(channel or document, locale asked for, locale given)."""


def compose(template: Template, brief: Brief) -> Composed:
    """Renditions and documents; TemplateError naming part and line where the template or a fact does not fit."""
    require_complete(template, brief.facts, brief.variants)
    ordered = jobs.orders(template, brief)
    made = iter(cage.run(jobs.job(template, brief, ordered)))
    renditions, documents = [], []
    for order in ordered:
        pieces = [(name, next(made)) for name in order.names]
        if isinstance(order.target, Channel):
            renditions.append(_rendition(order, pieces, brief))
        else:
            documents.append(_document(order, *pieces[0], brief.mode))
    fallbacks = [(str(o.target), o.locale, o.spoken) for o in ordered if o.spoken != o.locale]
    return Composed(tuple(renditions), tuple(documents), tuple(dict.fromkeys(fallbacks)))


def render(template: Template, brief: Brief) -> list[Rendition]:
    """The renditions alone."""
    return list(compose(template, brief).renditions)


_Piece = tuple[PartName, Mapping[str, Any]]


def _rendition(order: jobs.Order, pieces: Sequence[_Piece], brief: Brief) -> Rendition:
    assert isinstance(order.target, Channel)
    texts = dict(part for name, made in pieces for part in _parts(order.target, name, str(made["text"])))
    slots = tuple(slot for name, made in pieces for slot in _slots(name, made))
    if brief.mode is Mode.DRILL:
        texts = marks.mark_parts(order.target, order.spoken, texts)
    if "html" in texts:
        check_html(texts["html"], slots)
    picture = brief.organisation.signatory_picture
    shown = picture if picture and f"cid:{picture.cid}" in texts.get("html", "") else None
    return Rendition(order.target, order.locale, order.variant, texts, slots, shown)


def _parts(channel: Channel, name: PartName, text: str) -> Iterator[tuple[str, str]]:
    """The parts of a rendition that one file gives, under the names that channels know."""
    if channel is Channel.SOCIAL:
        yield from _posts(name, text)
    elif name.piece == "subject":
        yield "subject", _subject(name, text)
    else:
        yield ("html", text) if name.extension == "mjml" else ("text", _tidy(name, text))


def _posts(name: PartName, text: str) -> Iterator[tuple[str, str]]:
    """The first must say something; a later one whose facts are all absent is left out."""
    first, *more = _POST_BREAK.split(text)
    posts = [_tidy(name, post) for post in (first, *filter(str.strip, more))]
    if len(posts) > _MOST_POSTS:
        raise TemplateError(f"{name.file} makes {len(posts)} posts.", mend=f"Keep it to {_MOST_POSTS} at most.")
    yield from ((f"post.{number}", post) for number, post in enumerate(posts, start=1))


def _subject(name: PartName, text: str) -> str:
    """One line that can stand in a header."""
    line = text.strip()
    if not line:
        raise TemplateError(f"{name.file} comes out empty.", mend="Write a subject.")
    if "=?" in line or any(unicodedata.category(char) in ("Cc", "Zl", "Zp") for char in line):
        raise TemplateError(
            f"{name.file} cannot stand in a header.",
            why="It holds a line break, a control character or the start of an encoded word.",
            mend="Write it in one line, with facts of the kind line.",
        )
    return line


def _tidy(name: PartName, text: str) -> str:
    """Without blanks at line ends and without gaps of more than one empty line."""
    lines = "\n".join(line.rstrip() for line in text.strip().split("\n"))
    tidy = re.sub(r"\n{3,}", "\n\n", lines)
    if not tidy:
        raise TemplateError(f"{name.file} comes out empty.", mend="Write its text, or close the {% if %} around it.")
    return tidy


def _slots(name: PartName, made: Mapping[str, Any]) -> Iterator[Slot]:
    form = jobs.form_of(name)
    yield from (Slot(tag, field, form, default) for tag, field, default in made["slots"])


def _document(order: jobs.Order, name: PartName, made: Mapping[str, Any], mode: Mode) -> Document:
    html = name.extension == "html"
    slots = tuple(_slots(name, made))
    text = str(made["text"]).strip() if html else _tidy(name, str(made["text"]))
    if html:
        check_html(text, slots)
    if mode is Mode.DRILL:
        text = marks.mark_document(text, order.spoken, html=html)
    return Document(str(order.target), order.locale, order.variant, name.extension, text, slots)
