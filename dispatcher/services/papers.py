"""The documents of a broadcast as files: pages, letters, press releases, scripts, and what site and app show.

Once submitted they are the frozen ones, bound by the digest; before approval every file name says that it is a draft.
"""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dispatcher.compose import feeds, paper
from dispatcher.compose.brief import Brief
from dispatcher.compose.rendering import Composed
from dispatcher.errors import Refused
from dispatcher.ledger import broadcasts
from dispatcher.model.broadcast import Broadcast, broadcast_id
from dispatcher.model.kinds import Purpose
from dispatcher.model.person import Person
from dispatcher.model.states import BroadcastState
from dispatcher.model.template import Document
from dispatcher.people import Right, require
from dispatcher.services import briefing, checking, source
from dispatcher.services.context import Context

_PRINTED = ("letter", "poster", "press", "script")
"""Documents that go to paper, so also to PDF where that is asked for."""
UNAPPROVED = (BroadcastState.DRAFT, BroadcastState.SUBMITTED, BroadcastState.RETURNED, BroadcastState.REJECTED)


@dataclass(frozen=True, slots=True)
class Exported:
    """What was written where."""

    ref: str
    state: str
    folder: Path
    files: tuple[str, ...]

    def as_dict(self) -> dict[str, Any]:
        """For `--json`."""
        return {"ref": self.ref, "state": self.state, "folder": self.folder, "files": list(self.files)}


def export(ctx: Context, actor: Person, ref: str, folder: Path, *, pdf: bool = False) -> Exported:
    """Write every document, the banner and the feed item, and `index.json` with the digest of each file."""
    require(actor, Right.PREVIEW)
    broadcast, brief, said = read(ctx, ref)
    if not said.documents:
        raise Refused(f"{broadcast.ref} has no documents.", mend="dispatcher template list shows which have.")
    made = dict(_files(broadcast, brief, said, pdf=pdf))
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in made.items():
        (folder / name).write_bytes(content)
    (folder / "index.json").write_text(_index(broadcast, made), encoding="utf-8")
    return Exported(broadcast.ref, broadcast.state, folder, (*made, "index.json"))


def read(ctx: Context, ref: str) -> tuple[Broadcast, Brief, Composed]:
    """A broadcast, its brief and all it says: what is frozen, or the draft as it stands."""
    with ctx.ledger.read() as tx:
        broadcast = broadcasts.get(tx, broadcast_id(ref))
        template = source.standing(ctx, broadcast)
        brief = briefing.brief(ctx, tx, broadcast, template)
        return broadcast, brief, checking.said_now(ctx, tx, broadcast, template)


def texts(broadcast: Broadcast, said: Composed) -> Iterator[tuple[str, bytes]]:
    """Each document as it is, and as a page that prints."""
    for one in said.documents:
        stem = stem_of(broadcast, one)
        text = paper.filled(one, paper.by_default)
        yield f"{stem}.{one.format}", text.encode()
        if one.format != "html":
            yield f"{stem}.html", paper.as_html(one, text).encode()


def stem_of(broadcast: Broadcast, one: Document) -> str:
    """`letter.en+us`; `draft-letter.en` while nobody has approved it."""
    draft = "draft-" if broadcast.state in UNAPPROVED else ""
    return f"{draft}{one.name}.{one.locale}{'+' + one.variant if one.variant else ''}"


def _files(broadcast: Broadcast, brief: Brief, said: Composed, *, pdf: bool) -> Iterator[tuple[str, bytes]]:
    """Site and app are read by everybody: promotion, which is for those who agreed, is no item of theirs."""
    yield from texts(broadcast, said)
    for one in said.documents if pdf else ():
        if one.name in _PRINTED:
            yield f"{stem_of(broadcast, one)}.pdf", paper.as_pdf(paper.as_html(one))
    if broadcast.purpose is Purpose.PROMOTIONAL:
        return
    expires = broadcast.expires_at.isoformat(timespec="seconds") if broadcast.expires_at else None
    issue = feeds.Issue(broadcast.ref, broadcast.state, expires)
    draft = "draft-" if broadcast.state in UNAPPROVED else ""
    if any(one.name == "banner" for one in said.documents):
        yield f"{draft}banner.json", feeds.banner(said, brief, issue).encode()
    yield f"{draft}app-feed.json", feeds.app_feed(said, brief, issue).encode()


def _index(broadcast: Broadcast, made: dict[str, bytes]) -> str:
    """Which broadcast these files belong to; `digest` is the one that was approved."""
    told = {
        "ref": broadcast.ref,
        "mode": broadcast.mode,
        "state": broadcast.state,
        "version": broadcast.version,
        "digest": broadcast.digest,
        "files": {name: hashlib.sha256(content).hexdigest() for name, content in made.items()},
    }
    return json.dumps(told, ensure_ascii=False, indent=2) + "\n"
