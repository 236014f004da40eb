"""What people read: each part as plain lines, with its links; HTML without its tags, slots filled by their defaults."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from html.parser import HTMLParser
from typing import NamedTuple

from dispatcher.channels import links
from dispatcher.compose.rendering import Composed
from dispatcher.model.rendition import Rendition, Slot
from dispatcher.model.template import Document

SAMPLE = "Alex"
"""Stands for a recipient's value that has no default."""

_BLOCKS = frozenset(
    ("address", "blockquote", "body", "br", "div", "h1", "h2", "h3", "h4", "hr", "li", "ol", "p", "table", "td", "th",
     "title", "tr", "ul")
)  # fmt: skip
_SILENT = frozenset(("script", "style", "noscript"))
_INVISIBLE = re.compile("[\u00ad\u200b\u2060\ufeff]")
_QUOTES = str.maketrans({"’": "'", "‘": "'", "“": '"', "”": '"', "\u00a0": " ", "\u202f": " "})
_SENTENCE_END = re.compile(r"(?<=[.!?…])[\"')\]]*\s+(?=[\"'(\[]?[A-ZÀ-ÖØ-Þ0-9])")
_SHORTENED = re.compile(r"\b(e\.g|i\.e|Mr|Mrs|Ms|Dr|No|St|etc|M|Mme|p\. ex)\.$")
_BULLET = re.compile(r"^\s*(?:[-*•]|\d+\.)\s+")
_URL = re.compile(r"(?:https?://|www\.)[^\s<>\"'()]+", re.IGNORECASE)
_BACKSLASHED = re.compile(r"\\([\\`*_\[\]<>|#~&])")


class Sentence(NamedTuple):
    """One sentence and the line on which it stands."""

    line: int
    text: str


class Link(NamedTuple):
    """A link as people see it and where it leads."""

    line: int
    text: str
    target: str


class Image(NamedTuple):
    """A picture and the words that stand for it; None where there are none."""

    line: int
    alt: str | None


@dataclass(frozen=True)
class Passage:
    """One part of a rendition, or one document, with its slots filled.

    `language` is the language the words are in; `raw` the exact text, `lines` what is read aloud from it.
    """

    target: str
    part: str
    locale: str
    variant: str
    language: str
    raw: str
    lines: tuple[str, ...]
    links: tuple[Link, ...] = ()
    images: tuple[Image, ...] = ()
    page_language: str | None = None
    """The `lang` of an HTML part; None where it has none."""

    @property
    def text(self) -> str:
        """Everything, in one piece."""
        return "\n".join(self.lines)

    @property
    def is_html(self) -> bool:
        """Whether it came from HTML."""
        return self.part == "html"

    @cached_property
    def sentences(self) -> tuple[Sentence, ...]:
        """Every sentence, without list marks."""
        return tuple(_sentences(self.lines))


def read(composed: Composed) -> tuple[Passage, ...]:
    """Every part of every rendition and every document."""
    spoken = {(target, asked): given for target, asked, given in composed.fallbacks}
    found = [p for one in composed.renditions for p in _of_rendition(one, spoken.get((one.channel, one.locale)))]
    found += [_of_document(one, spoken.get((one.name, one.locale))) for one in composed.documents]
    return tuple(found)


def _of_rendition(one: Rendition, given: str | None) -> Iterator[Passage]:
    for part, text in one.parts.items():
        yield _passage(str(one.channel), part, one, (given or one.locale), fill(text, one.slots), html=part == "html")


def _of_document(one: Document, given: str | None) -> Passage:
    text = fill(one.text, one.slots)
    plain = _BACKSLASHED.sub(r"\1", text) if one.format == "md" else text
    part = "html" if one.format == "html" else one.format
    return _passage(one.name, part, one, given or one.locale, plain, html=one.format == "html")


def _passage(target: str, part: str, one: Rendition | Document, locale: str, text: str, *, html: bool) -> Passage:
    language = locale.split("-")[0]
    if html:
        seen = _Reader()
        seen.feed(text)
        seen.close()
        lines = tuple(map(plain_line, seen.lines()))
        found = (*seen.labelled, *_links_of(lines))
        return Passage(
            target, part, one.locale, one.variant, language, text, lines, found, tuple(seen.images), seen.language
        )
    lines = tuple(plain_line(line) for line in text.split("\n"))
    return Passage(target, part, one.locale, one.variant, language, text, lines, tuple(_links_of(lines)))


def plain_line(line: str) -> str:
    """A line as it is read aloud: straight quotes, single blanks, no invisible characters."""
    return re.sub(r"[ \t]+", " ", _INVISIBLE.sub("", line).translate(_QUOTES)).strip()


def fill(text: str, slots: Sequence[Slot]) -> str:
    """The text with its slots filled by their defaults, or a sample."""
    for slot in slots:
        text = text.replace(slot.tag, SAMPLE if slot.default is None else slot.default)
    return text


def _links_of(lines: Sequence[str]) -> Iterator[Link]:
    """Addresses in running text, also those that phones make into links although they start with no scheme."""
    for number, line in enumerate(lines, start=1):
        schemed = list(_URL.finditer(line))
        bare = (line[at.start : at.end] for at in links.find(line) if not any(_within(at, url) for url in schemed))
        for words in (*(found[0] for found in schemed), *bare):
            address = words.rstrip(".,;:!?")
            yield Link(number, address, address)


def _within(at: links.Link, url: re.Match[str]) -> bool:
    return url.start() <= at.start < url.end()


def _sentences(lines: Sequence[str]) -> Iterator[Sentence]:
    for number, line in enumerate(lines, start=1):
        held = ""
        for piece in _SENTENCE_END.split(_BULLET.sub("", line).lstrip("# ")):
            held = f"{held} {piece}".strip()
            if not _SHORTENED.search(held):
                yield from [Sentence(number, held)] if held else []
                held = ""
        if held:
            yield Sentence(number, held)


class _Reader(HTMLParser):
    """Gathers visible lines, links and pictures. A word cut by inline tags stays one word."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.labelled: list[Link] = []
        self.images: list[Image] = []
        self.language: str | None = None
        self._lines: list[str] = [""]
        self._silent = 0
        self._open_link: tuple[int, str, int] | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self._silent += tag in _SILENT
        if tag in _BLOCKS:
            self._break()
        if tag == "html":
            self.language = given.get("lang") or None
        elif tag == "img":
            self.images.append(Image(len(self._lines), (given["alt"] or "") if "alt" in given else None))
        elif tag == "a":
            self._open_link = (len(self._lines), given.get("href") or "", len(self._lines[-1]))

    def handle_endtag(self, tag: str) -> None:
        self._silent -= tag in _SILENT and self._silent > 0
        if tag == "a" and self._open_link:
            line, target, start = self._open_link
            self.labelled.append(Link(line, self._lines[-1][start:].strip(), target))
            self._open_link = None
        if tag in _BLOCKS:
            self._break()

    def handle_data(self, data: str) -> None:
        if not self._silent:
            self._lines[-1] += re.sub(r"\s+", " ", data)

    def _break(self) -> None:
        if self._lines[-1].strip():
            self._lines.append("")

    def lines(self) -> list[str]:
        """What a reader sees, block by block."""
        return [line for line in self._lines if line.strip()]
