"""One letter for each person, from the letter of an approved broadcast: what goes to the printer and into the post.

Letters are written, not sent: no delivery counts them. Each is the frozen text with the person's own values in its
slots, so that whoever approved the one has seen the other.
"""

import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from dispatcher.compose import paper
from dispatcher.errors import Refused
from dispatcher.ledger import audiences, broadcasts, contacts
from dispatcher.ledger.rows import Row
from dispatcher.model.broadcast import Broadcast
from dispatcher.model.clock import to_ms
from dispatcher.model.kinds import Channel, Purpose
from dispatcher.model.person import Person
from dispatcher.model.rendition import Slot
from dispatcher.model.template import Document
from dispatcher.people import Right, door_of, require
from dispatcher.services import marketing, papers, readership, source
from dispatcher.services.context import Context
from dispatcher.services.exporting import Reached
from dispatcher.tables import writing

MOST = 100_000
MOST_PDF = 5_000
"""A folder with more files is of no use to anybody; a page of PDF takes a good part of a second."""
COLUMNS = ("recipient", "name", "locale", "variant", "file", "asked")
"""`asked` is the language somebody wanted, where their letter is in another one."""
_LANG = re.compile(r"<html[^>]*\blang=[\"']?([A-Za-z-]+)")
_WITHHELD = frozenset(("code",))
"""Codes are money, and no export shows one: the letter says what stands there for everybody."""


@dataclass(frozen=True, slots=True)
class Written:
    """How many letters were written where, how many people get none, and how many get another language than they
    asked for, by (asked for, given). `lacking` are columns that the letter names and the audience does not have."""

    ref: str
    folder: Path
    letters: int
    left_out: int
    instead: Mapping[tuple[str, str], int]
    lacking: tuple[str, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """For `--json`."""
        instead = [{"asked": asked, "given": given, "people": n} for (asked, given), n in self.instead.items()]
        told = {"ref": self.ref, "folder": self.folder, "letters": self.letters, "left_out": self.left_out}
        return told | {"instead": instead, "lacking": list(self.lacking)}


def export(
    ctx: Context, actor: Person, ref: str, folder: Path, *, pdf: bool = False, unreached: bool = False
) -> Written:
    """Write a letter for everybody, or only for those whom no channel has reached, and `index.csv` beside them.

    Promotion goes to nobody who has not agreed or has refused a channel. A page of people is in memory at a time.
    """
    require(actor, Right.EXPORT)
    broadcast, _, said = papers.read(ctx, ref)
    made = {(Channel.EMAIL, one.locale, one.variant): one for one in said.documents if one.name == "letter"}
    lacking = _require_letters(ctx, broadcast, made, pdf=pdf)
    run = _Run(ctx, broadcast, made, Reached(ctx, broadcast.id) if unreached else None)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    index = folder / "index.csv"
    _private(index)
    with index.open("w", encoding="utf-8", newline="") as out:
        count = writing.write(out, COLUMNS, run.write(folder, pdf=pdf))
    with ctx.ledger.write() as tx:
        broadcasts.note_act(
            tx, "letters written", to_ms(ctx.clock.now()), person_id=actor.id, door=door_of(actor),
            broadcast_id=broadcast.id, detail=f"{count:,} of {count + run.left_out:,} people",
        )  # fmt: skip
    return Written(broadcast.ref, folder, count, run.left_out, dict(sorted(run.instead.items())), lacking)


def _require_letters(
    ctx: Context, broadcast: Broadcast, made: Mapping[readership.Key, Document], *, pdf: bool
) -> tuple[str, ...]:
    """The columns that the letter names and the audience lacks, if there is anything to write at all."""
    if not made:
        raise Refused(f"{broadcast.ref} has no letter.", mend="dispatcher template list shows which have.")
    if broadcast.state in papers.UNAPPROVED or not broadcast.is_frozen:
        mend = f"dispatcher broadcast submit {broadcast.ref}; then somebody approves it."
        raise Refused(f"{broadcast.ref} is {broadcast.state}: nobody has approved the letter.", mend=mend)
    names = sorted({slot.name for one in made.values() for slot in one.slots} - _WITHHELD)
    if broadcast.audience_version_id is None or not names:
        what = "goes to no list of people" if names else "says the same to everybody in its letter"
        raise Refused(f"{broadcast.ref} {what}.", mend="Leave --letters out: --documents DIR writes the letter once.")
    with ctx.ledger.read() as tx:
        version = audiences.version(tx, broadcast.audience_version_id)
    if not set(names) & set(version.fields):
        raise Refused(
            f"{version.name} knows nothing that the letter says of a person: {', '.join(names)}.",
            why=f"Its columns: {', '.join(version.fields) or 'none but addresses'}.",
            mend="Import it with such a column, or name one: dispatcher audience import FILE --map COLUMN=FIELD",
        )
    most = MOST_PDF if pdf else MOST
    if version.size > most:
        raise Refused(
            f"{version.name} has {version.size:,} people; letters are written for {most:,} at most.",
            mend="Give the printer the letter of --documents DIR and your list, or broadcast to smaller audiences.",
        )
    return tuple(name for name in names if name not in version.fields)


class _Run:
    """One writing of letters; `left_out` and `instead` count as it goes."""

    def __init__(
        self, ctx: Context, broadcast: Broadcast, made: Mapping[readership.Key, Document], reached: Reached | None
    ) -> None:
        self._ctx, self._broadcast, self._made, self._reached = ctx, broadcast, made, reached
        self.left_out = 0
        self.instead: Counter[tuple[str, str]] = Counter()
        self._spoken = {key: _language(one) for key, one in made.items()}
        with ctx.ledger.read() as tx:
            self._read = readership.readers(tx, broadcast, source.standing(ctx, broadcast))

    def write(self, folder: Path, *, pdf: bool) -> Iterator[dict[str, Any]]:
        """Each letter as a file for its owner alone, and its line of the index."""
        for row in self._people():
            if not self._gets_one(row):
                self.left_out += 1
                continue
            fields = json.loads(row.fields) if row.fields else {}
            key = self._fitting(row, fields)
            one, asked = self._made[key], self._asked(row, key)
            name = f"{row.rid:07d}.{one.locale}{'+' + one.variant if one.variant else ''}.{'pdf' if pdf else 'html'}"
            html = paper.as_html(one, paper.filled(one, partial(_value, fields)))
            _private(folder / name)
            (folder / name).write_bytes(paper.as_pdf(html) if pdf else html.encode())
            called = fields.get("name") or fields.get("first_name") or ""
            yield dict(zip(COLUMNS, (row.rid, called, one.locale, one.variant, name, asked), strict=True))

    def _people(self) -> Iterator[Row[Any]]:
        version, purpose = self._broadcast.audience_version_id, self._broadcast.purpose
        after = 0
        while version is not None:
            with self._ctx.ledger.read() as tx:
                spared = marketing.sparing(self._ctx, tx, self._broadcast)
                page = contacts.page(tx, version, marketing.scopes(purpose), spared, after=after)
            if not page:
                return
            yield from page
            after = page[-1].rid

    def _gets_one(self, row: Row[Any]) -> bool:
        if self._reached is not None and row.rid in self._reached:
            return False
        return self._broadcast.purpose is not Purpose.PROMOTIONAL or not (row.no_email or row.no_phone)

    def _fitting(self, row: Row[Any], fields: Mapping[str, Any]) -> readership.Key:
        """The letter that somebody reads; where none fits, one in our own language before any other."""
        word = fields.get(self._read.column) if self._read.column else None
        key = self._read.key(Channel.EMAIL, row.locale, word, self._made.keys())
        own = [one for one in self._made if one[1] == self._read.default_locale]
        return key if key in self._made else next(iter([*own, *self._made]))

    def _asked(self, row: Row[Any], key: readership.Key) -> str:
        """The language asked for, if the letter speaks another; counted."""
        asked, given = (row.locale or "").replace("_", "-").split("-")[0].lower(), self._spoken[key]
        if asked in ("", given):
            return ""
        self.instead[asked, given] += 1
        return asked


def _language(one: Document) -> str:
    """The language that a letter is really in: what it says of itself, since a missing one is written in another."""
    said = _LANG.search(one.text)
    return (said[1] if said else one.locale).split("-")[0].lower()


def _value(fields: Mapping[str, Any], slot: Slot) -> str:
    own = "" if slot.name in _WITHHELD else str(fields.get(slot.name) or "")
    return own.strip() or slot.default or ""


def _private(path: Path) -> None:
    path.touch(mode=0o600)
    path.chmod(0o600)
