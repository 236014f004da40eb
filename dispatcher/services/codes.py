"""Goodwill codes: imported into pools, bound one to a person, given back where certainly nothing was sent.

They are secrets: nothing here prints, logs or quotes one. A file is taken whole or not at all, and its faults are
named by line.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from itertools import islice
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from dispatcher.errors import AudienceError, NotFound, Refused, UsageError
from dispatcher.ledger import broadcasts, codes, incidents
from dispatcher.ledger.codes import Grant, Pool
from dispatcher.ledger.engine import Tx
from dispatcher.ledger.pool import LedgerFault
from dispatcher.log import get
from dispatcher.model.broadcast import Broadcast, broadcast_id
from dispatcher.model.clock import to_ms
from dispatcher.model.incident import Phase
from dispatcher.model.kinds import Purpose
from dispatcher.model.person import Person
from dispatcher.model.rendition import Rendition, SlotForm
from dispatcher.people import Right, require
from dispatcher.services.context import Context
from dispatcher.tables.reading import opened
from dispatcher.tables.table import Table

SLOT = "code"
"""The recipient's field in which a bound code stands."""
MICRO = 1_000_000
MOST_CODES = 1_000_000
HEADINGS = frozenset({"code", "codes", "voucher", "voucher code", "coupon", "coupon code", "promo code", "gift code"})
SHOWN = 20
_CODE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/-]{3,63}", re.ASCII)
_POOL = re.compile(r"[a-z0-9][a-z0-9._-]{0,62}", re.ASCII)
_PAGE = 5_000
_QUOTED = re.compile(r"'[^']*'|\"[^\"]*\"")

log = get(__name__)


@dataclass(frozen=True, slots=True)
class CodeImport:
    """What an import came to: codes that are new, and those that the pool held already."""

    pool: Pool
    added: int
    held_already: int


def import_file(
    ctx: Context,
    actor: Person,
    path: Path,
    *,
    pool: str,
    worth: str = "",
    budget: str = "",
    column: str = "",
) -> CodeImport:
    """Take the codes of a CSV or XLSX file into a pool, all or none. The same file again adds nothing."""
    require(actor, Right.IMPORT)
    if not _POOL.fullmatch(pool):
        raise UsageError("A pool's name is lower-case letters, digits, dots and dashes.", mend="--pool thank-you-2026")
    found = _read(path, column)
    now = to_ms(ctx.clock.now())
    with _against_others(ctx), ctx.ledger.write() as tx:
        ours = _pool_for(tx, actor, pool, worth, budget, now)
        fresh = [page for pages in _pages(found) if (page := _new_of(tx, ours, pages))]
        for page in fresh:
            codes.add(tx, ours.id, page)
        added = sum(map(len, fresh))
        broadcasts.note_act(tx, "codes imported", now, person_id=actor.id, detail=f"{added} into {pool}")
        return CodeImport(codes.pool(tx, pool), added, len(found) - added)


def listing(ctx: Context) -> list[Pool]:
    """Every pool with its numbers; never a code."""
    with ctx.ledger.read() as tx:
        return codes.pools(tx)


def reopen(ctx: Context, actor: Person, name: str, reason: str) -> Pool:
    """A pool that was closed because a lost copy of the ledger may have issued from it is used again."""
    require(actor, Right.RELEASE_HOLD)
    if not reason.strip():
        raise Refused("A reason is missing.", mend="--reason 'compared with the till: none was issued'")
    with ctx.ledger.write() as tx:
        found = codes.pool(tx, name, lock=True)
        if not found.closed:
            raise Refused(f"The pool {name} is not closed.", mend="dispatcher code list")
        codes.reopen_pool(tx, found.id)
        broadcasts.note_act(
            tx, "codes reopened", to_ms(ctx.clock.now()), person_id=actor.id, detail=f"{name}: {reason.strip()}"
        )
        return codes.pool(tx, name)


def grant(ctx: Context, ref: str) -> Grant | None:
    """The codes of a broadcast in numbers; None if it issues none."""
    with ctx.ledger.read() as tx:
        return codes.grant(tx, broadcast_id(ref))


def required(tx: Tx, name: str) -> Pool:
    """The pool of a draft; raises where there is none, so that a wrong name is found before the words are."""
    return codes.pool(tx, name)


def faults(tx: Tx, broadcast: Broadcast, rendered: Sequence[Rendition], people: int) -> Iterator[tuple[str, str, str]]:
    """Why a broadcast with codes may not go out like this: (what, why, mend)."""
    if not broadcast.plan.codes:
        return
    if broadcast.purpose is Purpose.SERVICE:
        why = "A notice carries nothing of worth; thanks are a message of their own."
        yield "Codes may not stand in a service message.", why, "Draft it with --template goodwill-voucher."
    yield from _too_early(tx, broadcast)
    for one in rendered:
        forms = {slot.form for slot in one.slots if slot.name == SLOT}
        if one.channel.counts_people and not forms:
            what = f"The words for {one.channel} in {one.locale} show no code."
            yield what, "", "Print {{ recipient.code }} there, or leave the channel out."
        if SlotForm.HEADER in forms:
            yield f"The subject in {one.locale} shows the code.", "Mail servers log subjects.", "Print it in the text."
    yield from _short(tx, broadcast, people)


def bind(tx: Tx, broadcast: Broadcast, people: int) -> None:
    """Give everybody of a fresh plan one code. Refused where another plan has taken the stock meanwhile."""
    if not broadcast.plan.codes:
        return
    codes.pool(tx, broadcast.plan.codes, lock=True)
    for what, why, mend in _short(tx, broadcast, people):
        raise Refused(what, why=why, mend=mend, code="E-CODES")
    found = codes.pool(tx, broadcast.plan.codes)
    if codes.bind(tx, broadcast.id, found.id, people) != people:
        raise Refused("Not everybody could be given a code.", mend="dispatcher ledger check", code="E-CODES")


def filled(rows: Sequence[Any], bound: Mapping[int, str]) -> Sequence[Any]:
    """Deliveries of a batch with each one's code (by seq) among its values."""
    return [_with_code(row, bound[row.seq]) if row.seq in bound else row for row in rows] if bound else rows


def _with_code(row: Any, words: str) -> SimpleNamespace:
    values = json.loads(row.fields) if row.fields else {}
    return SimpleNamespace(**row.as_dict() | {"fields": json.dumps(values | {SLOT: words}, ensure_ascii=False)})


def sample(tx: Tx, broadcast: Broadcast) -> dict[str, str]:
    """What stands in previews, tests and measurements instead of a code: as long as the longest of the pool."""
    if not broadcast.plan.codes:
        return {}
    longest = codes.pool(tx, broadcast.plan.codes).longest
    return {SLOT: "EXAMPLE-CODE"[:longest].ljust(longest, "X")}


def give_back(ctx: Context, now: int) -> None:
    """Codes of people to whom certainly nothing went return to their pools, once nothing more can go."""
    with ctx.ledger.read() as tx:
        over = codes.ended(tx, now)
    for broadcast in over:
        with ctx.ledger.write() as tx:
            broadcasts.get(tx, broadcast, lock=True)
            if broadcast not in codes.ended(tx, now):
                continue
            given = codes.release(tx, broadcast, now)
            if given:
                broadcasts.note_act(
                    tx, "codes given back", now, door="program", broadcast_id=broadcast, detail=f"{given} of people "
                    "to whom nothing was sent",
                )  # fmt: skip


def _short(tx: Tx, broadcast: Broadcast, people: int) -> Iterator[tuple[str, str, str]]:
    """What the pool lacks, in numbers. What an earlier plan of this broadcast holds counts as free."""
    found = codes.pool(tx, broadcast.plan.codes)
    held = codes.grant(tx, broadcast.id)
    back = held.kept if held is not None and held.pool.id == found.id else 0
    more = f"dispatcher code import FILE --pool {found.name}"
    if found.closed:
        yield f"The pool {found.name} is closed.", found.closed, f"dispatcher code reopen {found.name} --reason TEXT"
    if found.free + back < people:
        what = f"The pool {found.name} has {found.free + back:,} codes left for {people:,} people."
        yield what, f"{found.size:,} were imported, {found.bound - back:,} belong to others.", more
    if found.budget is not None and found.worth and found.affordable + back < people:
        what = (
            f"{people:,} codes would cost {money(people * found.worth)}; the budget of {found.name} has "
            f"{money(max(0, found.budget - (found.bound - back) * found.worth))} left."
        )
        yield what, f"It is {money(found.budget)} in all.", f"{more} --budget AMOUNT, or choose fewer people."


def _too_early(tx: Tx, broadcast: Broadcast) -> Iterator[tuple[str, str, str]]:
    if broadcast.incident_id is None:
        return
    incident = incidents.get(tx, broadcast.incident_id)
    if incident.is_open and incident.phase is not Phase.RESOLVED:
        what = f"{incident.ref} is not over: it is {incident.phase}."
        yield what, "Thanks come after restoration.", f"dispatcher incident update {incident.ref} --phase resolved"


def money(micro: int) -> str:
    """Millionths as people write amounts: 5, 12.50."""
    whole, rest = divmod(micro, MICRO)
    return f"{whole:,}" if not rest else f"{micro / MICRO:,.2f}"


def _amount(text: str, option: str) -> int:
    try:
        found = Decimal(text)
    except InvalidOperation:
        found = Decimal(-1)
    if not found.is_finite() or not 0 < found <= 1_000_000_000 or found * MICRO % 1:
        raise UsageError(f"{option} takes an amount, like 5 or 12.50.", mend=f"{option} 5")
    return int(found * MICRO)


def _pool_for(tx: Tx, actor: Person, name: str, worth: str, budget: str, now: int) -> Pool:
    """The pool as the import wants it: opened if it is new, with a new cap if one is given."""
    value, cap = _amount(worth, "--value") if worth else None, _amount(budget, "--budget") if budget else None
    found = codes.find(tx, name)
    if found is None:
        if cap is not None and not value:
            raise UsageError("A budget needs the worth of one code.", mend="--value 5 --budget 50000")
        return codes.open_pool(tx, name, value or 0, cap, actor.id, now)
    if value is not None and value != found.worth:
        raise Refused(
            f"The codes of {name} are worth {money(found.worth)} each.", mend="Import these into a pool of their own."
        )
    if found.closed:
        raise Refused(f"The pool {name} is closed.", why=found.closed, mend=f"dispatcher code reopen {name}")
    if cap is not None:
        codes.set_budget(tx, found.id, cap)
    return codes.pool(tx, name)


def _pages(found: Sequence[str]) -> Iterator[list[str]]:
    words = iter(found)
    while page := list(islice(words, _PAGE)):
        yield page


@contextmanager
def _against_others(ctx: Context) -> Iterator[None]:
    """A code that another import has taken since we looked: the database's own rule refuses it."""
    try:
        yield
    except LedgerFault as error:
        if not isinstance(error.orig, ctx.ledger.driver.module.IntegrityError):
            raise
        raise Refused("Another import took some of these codes just now.", mend="Import the file again.") from None


def _new_of(tx: Tx, ours: Pool, page: Sequence[str]) -> list[str]:
    held = codes.known(tx, page)
    strange = sum(1 for pool_id in held.values() if pool_id != ours.id)
    if strange:
        raise Refused(
            f"{strange:,} of the codes belong to another pool; nothing was imported.",
            why="A code in two pools could be given to two people.",
            mend="Take them out of the file.",
            code="E-CODES",
        )
    return [word for word in page if word.upper() not in held]


def _read(path: Path, column: str) -> list[str]:
    """Every code of a file, judged; AudienceError names lines and never a cell."""
    try:
        with opened(path) as table:
            found, wrong, more = _judged(table, _place(table.columns, column))
    except AudienceError as error:
        # The first line of a file without headings is a code: what was quoted from it must not be shown.
        raise Refused(
            _QUOTED.sub("(…)", error.what), why=_QUOTED.sub("(…)", error.why), mend=error.mend, code=error.code
        ) from None
    if more:
        lines = "; ".join(wrong) + (f"; and {more - len(wrong):,} more" if more > len(wrong) else "")
        raise Refused(
            f"{more:,} lines hold no code that could be used; nothing was imported.",
            why=f"{lines}.",
            mend="A code is 4 to 64 letters, digits, dots, dashes and slashes, and stands in the file once.",
            code="E-CODES",
        )
    if not found:
        raise Refused(f"{path.name} holds no code.", mend="One code a line, below a first line that says: code")
    return found


def _place(columns: Sequence[str], column: str) -> int:
    """Which column holds the codes; never guessed, as a first line that is a code would be lost."""
    folded = [name.casefold().replace("_", " ") for name in columns]
    wanted = [i for i, name in enumerate(folded) if (name == column.casefold() if column else name in HEADINGS)]
    if len(wanted) != 1:
        raise NotFound(
            "The first line does not say which column holds the codes.",
            why="Without headings the first code would be taken for one.",
            mend="Write code into the first line, or name the column: --column NAME",
            code="E-CODES",
        )
    return wanted[0]


def _judged(table: Table, place: int) -> tuple[list[str], list[str], int]:
    """The codes in order; the first faults by line, and how many there are."""
    found: dict[str, str] = {}
    wrong: list[str] = []
    faulty = 0
    for line, cells in table.rows:
        word = cells[place].strip()
        if _CODE.fullmatch(word) and word.upper() not in found:
            found[word.upper()] = word
        else:
            faulty += 1
            why = "stands in the file before" if word.upper() in found else "is no code" if word else "is empty"
            wrong += [f"line {line} {why}"] if len(wrong) < SHOWN else []
        if len(found) > MOST_CODES:
            raise Refused(f"The file has more than {MOST_CODES:,} codes.", mend="Split it; import each part.")
    return list(found.values()), wrong, faulty
