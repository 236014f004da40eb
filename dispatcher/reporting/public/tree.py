"""The whole tree of files that the public reads: pages, feeds and JSON. The same words give the same bytes."""

import hashlib
from collections.abc import Mapping
from pathlib import Path, PurePosixPath

from dispatcher.reporting.public import cap, feeds, pages, statuspage
from dispatcher.reporting.public import words as wording
from dispatcher.reporting.public.publication import Publication

KINDS: Mapping[str, str] = {
    ".html": "text/html; charset=utf-8",
    ".json": "application/json; charset=utf-8",
    ".atom": "application/atom+xml; charset=utf-8",
    ".xml": "application/cap+xml; charset=utf-8",
    ".rss": "application/rss+xml; charset=utf-8",
}
"""Content types by the end of a file's name."""


def files(publication: Publication, operator: Path | None = None) -> dict[str, bytes]:
    """Every file by its path. `operator` is a folder of own templates and words."""
    languages = wording.load(publication.publisher.locale, publication.publisher.zone, operator)
    made = statuspage.files(publication) | pages.files(publication, languages, operator)
    made |= cap.files(publication.publisher, publication.incidents, languages)
    for words in languages.values():
        made |= feeds.files(publication, words)
    return dict(sorted(made.items()))


def kind(path: str) -> str:
    """The content type of a file of the tree."""
    return KINDS[PurePosixPath(path).suffix]


def digest(made: Mapping[str, bytes]) -> str:
    """What the tree is known by: another byte anywhere is another tree."""
    whole = hashlib.sha256()
    for path, content in made.items():
        whole.update(hashlib.sha256(path.encode()).digest() + hashlib.sha256(content).digest())
    return whole.hexdigest()
