"""Atom (RFC 4287) and RSS 2.0: an entry for each incident, and a feed with an entry for each update.

Entries are known by tag URIs (RFC 4151), which stay the same wherever the tree is moved to. The entry of an incident
holds every update, the newest first; a correction is one more update and moves `updated`, nothing is edited in silence.
"""

from collections.abc import Iterator
from datetime import datetime
from email.utils import format_datetime
from xml.etree import ElementTree as ET

from dispatcher.reporting.public.publication import Publication, PublicIncident, Update
from dispatcher.reporting.public.wording import as_html, clean
from dispatcher.reporting.public.words import Words

ATOM = "http://www.w3.org/2005/Atom"
TAG_YEAR = "2026"
"""The year from which our tag URIs count; it never changes."""

ET.register_namespace("", ATOM)


def files(publication: Publication, words: Words) -> dict[str, bytes]:
    """The three feeds in one language, by their paths."""
    own = words.language == words.own
    end = "" if own else f".{words.language}"
    return {
        f"history{end}.atom": _atom(publication, words, f"history{end}.atom", _by_incident(publication, words)),
        f"updates{end}.atom": _atom(publication, words, f"updates{end}.atom", _by_update(publication, words)),
        f"history{end}.rss": _rss(publication, words),
    }


class Entry:
    """One entry of a feed."""

    def __init__(self, tag: str, title: str, link: str, published: datetime, updated: datetime, content: str) -> None:
        self.tag, self.title, self.link = tag, title, link
        self.published, self.updated, self.content = published, updated, content


def _tag(publication: Publication, ref: str) -> str:
    return f"tag:{publication.publisher.domain},{TAG_YEAR}:{ref}"


def _by_incident(publication: Publication, words: Words) -> Iterator[Entry]:
    for one in publication.incidents:
        content = "".join(_told(update, words) for update in one.updates)
        title = f"{words.phase(one.phase)} - {one.name(words.language)}"
        yield Entry(
            _tag(publication, one.ref), title, _link(publication, one, words), one.began_at, one.changed_at, content
        )


def _by_update(publication: Publication, words: Words) -> Iterator[Entry]:
    pairs = [(one, update) for one in publication.incidents for update in one.updates]
    for one, update in sorted(pairs, key=lambda pair: (pair[1].at, pair[1].ref), reverse=True):
        title = f"{words.phase(update.phase)} - {one.name(words.language)}"
        tag = _tag(publication, f"{one.ref}/{update.ref}")
        yield Entry(tag, title, _link(publication, one, words), update.at, update.at, _told(update, words))


def _link(publication: Publication, one: PublicIncident, words: Words) -> str:
    name = f"incidents/{one.ref}"
    return f"{publication.publisher.url}/{f'{name}.html' if words.language == words.own else words.file(name)}"


def _told(update: Update, words: Words) -> str:
    """An update as a piece of HTML."""
    marks = [words["correction"]] * update.correction + [words["stopped"]] * update.stopped
    when = f"<p><small>{words.moment(update.at)}</small><br><strong>{words.phase(update.phase)}</strong></p>\n"
    text = update.text(words.language)
    noted = "".join(f"<p><em>{mark}</em></p>\n" for mark in marks)
    return when + noted + (f'<div lang="{text.locale}">{as_html(text, under=3)}</div>\n' if text else "")


def _atom(publication: Publication, words: Words, path: str, entries: Iterator[Entry]) -> bytes:
    publisher = publication.publisher
    feed = ET.Element(f"{{{ATOM}}}feed", {"xml:lang": words.language})
    _add(feed, "id", _tag(publication, path))
    _add(feed, "title", words["title"].format(name=publisher.name))
    _add(feed, "updated", _stamp(publication.changed_at))
    _add(_add(feed, "author"), "name", publisher.name)
    _add(feed, "link", rel="self", type="application/atom+xml", href=f"{publisher.url}/{path}")
    _add(feed, "link", rel="alternate", type="text/html", href=f"{publisher.url}/{words.file('index')}")
    for one in entries:
        entry = _add(feed, "entry")
        _add(entry, "id", one.tag)
        _add(entry, "title", one.title)
        _add(entry, "link", rel="alternate", type="text/html", href=one.link)
        _add(entry, "published", _stamp(one.published))
        _add(entry, "updated", _stamp(one.updated))
        _add(entry, "content", one.content, type="html")
    return _bytes(feed)


def _add(parent: ET.Element, name: str, text: str = "", **attributes: str) -> ET.Element:
    child = ET.SubElement(parent, f"{{{ATOM}}}{name}", attributes)
    child.text = clean(text) or None
    return child


def _rss(publication: Publication, words: Words) -> bytes:
    publisher = publication.publisher
    rss = ET.Element("rss", {"version": "2.0"})
    channel = ET.SubElement(rss, "channel")
    for name, text in (
        ("title", words["title"].format(name=publisher.name)),
        ("link", f"{publisher.url}/{words.file('index')}"),
        ("description", words["title"].format(name=publisher.name)),
        ("language", words.language),
        ("lastBuildDate", format_datetime(publication.changed_at, usegmt=True)),
    ):
        ET.SubElement(channel, name).text = clean(text)
    for one in _by_incident(publication, words):
        item = ET.SubElement(channel, "item")
        ET.SubElement(item, "guid", {"isPermaLink": "false"}).text = one.tag
        for name, text in (("title", one.title), ("link", one.link), ("description", one.content)):
            ET.SubElement(item, name).text = clean(text)
        ET.SubElement(item, "pubDate").text = format_datetime(one.updated, usegmt=True)
    return _bytes(rss)


def _stamp(at: datetime) -> str:
    return at.strftime("%Y-%m-%dT%H:%M:%SZ")


def _bytes(root: ET.Element) -> bytes:
    return b'<?xml version="1.0" encoding="utf-8"?>\n' + bytes(ET.tostring(root, encoding="utf-8")) + b"\n"
