"""One broadcast as JSON for our own site and app: the banner, and an item of the app's feed in each language.

Both are plain files to be laid where site and app read them: they answer while this program, or its host, is down.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from dispatcher.compose.brief import Brief
from dispatcher.compose.paper import by_default, filled, title_of
from dispatcher.compose.rendering import Composed
from dispatcher.model.kinds import Channel
from dispatcher.model.rendition import Rendition
from dispatcher.model.template import Document

FORM = 1
"""Version of the shape below; a reader that knows another one should show nothing."""


@dataclass(frozen=True, slots=True)
class Issue:
    """Which broadcast this is, and until when it is worth showing (RFC 3339, or None)."""

    ref: str
    state: str
    expires: str | None


def banner(composed: Composed, brief: Brief, issue: Issue) -> str:
    """What a site shows above its pages, one text for each language; none where the template has no banner."""
    texts = {one.locale: filled(one, by_default) for one in _named("banner", composed.documents)}
    return _json({**_head(brief, issue), "texts": texts, "more": brief.organisation.status_url})


def app_feed(composed: Composed, brief: Brief, issue: Issue) -> str:
    """An item for each language: headline, first line for a push, the whole as Markdown where there is a page."""
    pages = {one.locale: filled(one, by_default) for one in _named("page", composed.documents)}
    first = {one.locale: _plain(one) for one in composed.renditions if one.channel is Channel.SMS and not one.variant}
    subjects = {one.locale: _subject(one) for one in composed.renditions if one.channel is Channel.EMAIL}
    items = [
        {
            "id": f"{issue.ref}-{locale}",
            "locale": locale,
            "title": title_of(pages[locale]) if locale in pages else subjects.get(locale, ""),
            "summary": first.get(locale, ""),
            "body_markdown": pages.get(locale),
        }
        for locale in sorted({*pages, *first, *subjects})
    ]
    return _json({**_head(brief, issue), "items": items, "more": brief.organisation.status_url})


def _head(brief: Brief, issue: Issue) -> dict[str, Any]:
    return {
        "form": FORM,
        "ref": issue.ref,
        "incident": brief.incident_ref or None,
        "mode": brief.mode,
        "state": issue.state,
        "severity": brief.severity,
        "as_of": _stamp(brief.as_of),
        "next_update": _stamp(brief.next_update_at) if brief.next_update_at else None,
        "expires": issue.expires,
        "verify": {"url": brief.organisation.verify_url, "code": brief.code},
    }


def _stamp(moment: datetime) -> str:
    return moment.isoformat(timespec="seconds")


def _named(name: str, documents: Sequence[Document]) -> Iterable[Document]:
    return (one for one in documents if one.name == name and not one.variant)


def _subject(one: Rendition) -> str:
    return _plain(one, "subject")


def _plain(one: Rendition, part: str = "text") -> str:
    text = one.parts[part]
    for slot in one.slots:
        text = text.replace(slot.tag, by_default(slot))
    return text


def _json(told: Mapping[str, Any]) -> str:
    return json.dumps(told, ensure_ascii=False, indent=2) + "\n"
