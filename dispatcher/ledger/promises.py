"""Promises, their reminders and the rota. One clock of an incident runs once; one step of a promise is told once."""

from collections.abc import Iterable, Sequence
from datetime import timedelta
from typing import Any

from dispatcher.errors import NotFound
from dispatcher.ledger import lookups
from dispatcher.ledger.engine import Tx
from dispatcher.ledger.rows import Row
from dispatcher.model.clock import from_ms, to_ms
from dispatcher.model.promise import Promise, PromiseKind, PromiseState, Reminder

_REMINDER = (
    "SELECT r.*, p.incident_id, p.clock, p.kind, p.due_at AS promised_at, n.name AS person FROM reminder r"
    " JOIN promise p ON p.id = r.promise_id LEFT JOIN person n ON n.id = r.person_id"
)

_FOLLOWING = frozenset({"correction", "update", "rerouted"})
"""Relations whose audience is made from what became of the first broadcast."""


def make(tx: Tx, promise: Promise, steps: Sequence[tuple[str, int, int]]) -> Promise:
    """A new running clock with its reminders as (step, rank, due in ms); the caller settled the one before it."""
    number = int(
        tx.scalar(
            "INSERT INTO promise"
            " (incident_id, clock, kind, state, made_at, made_by, due_at, every_ms, told_by, holder_id)"
            " VALUES (:i, :clock, :kind, :state, :made, :by, :due, :every, :told, :holder) RETURNING id",
            i=promise.incident_id, clock=promise.clock, kind=promise.kind, state=PromiseState.OPEN,
            made=to_ms(promise.made_at), by=promise.made_by, due=to_ms(promise.due_at),
            every=_ms(promise.every), told=promise.told_by, holder=promise.holder_id,
        )
    )  # fmt: skip
    for step, rank, due in steps:
        add_step(tx, number, step, rank, due)
    return get(tx, number)


def add_step(tx: Tx, promise_id: int, step: str, rank: int, due: int) -> bool:
    """One more occurrence; whether it is new."""
    return bool(
        tx.change(
            "INSERT INTO reminder (promise_id, step, rank, planned_at, due_at) VALUES (:p, :step, :rank, :due, :due)"
            " ON CONFLICT DO NOTHING",
            p=promise_id, step=step, rank=rank, due=due,
        )
    )  # fmt: skip


def get(tx: Tx, number: int) -> Promise:
    """One promise."""
    row = tx.one("SELECT * FROM promise WHERE id = :id", id=number)
    if row is None:
        raise NotFound(f"There is no promise {number}.", mend="dispatcher incident show tells what was promised.")
    return _promise(row)


def running(tx: Tx, incident_id: int, *, lock: bool = False) -> dict[str, Promise]:
    """The clocks of an incident that run now, by name."""
    suffix = " FOR UPDATE" if lock and not tx.is_sqlite else ""
    rows = tx.all(
        f"SELECT * FROM promise WHERE incident_id = :i AND settled_at IS NULL ORDER BY id{suffix}", i=incident_id
    )
    return {row.clock: _promise(row) for row in rows}


def of(tx: Tx, incident_id: int) -> list[Promise]:
    """Everything that was ever promised about an incident, the oldest first."""
    return [_promise(row) for row in tx.all("SELECT * FROM promise WHERE incident_id = :i ORDER BY id", i=incident_id)]


def change(tx: Tx, number: int, **values: Any) -> None:
    """Set columns of one promise."""
    pairs = ", ".join(f"{name} = :{name}" for name in values)
    tx.change(f"UPDATE promise SET {pairs} WHERE id = :id", id=number, **values)


def settle(tx: Tx, number: int, state: PromiseState, at: int, by: int | None = None) -> None:
    """What became of a promise; reminders that still wait are dropped."""
    tx.change(
        "UPDATE promise SET state = :state, settled_at = :at, settled_by = :by WHERE id = :id",
        id=number, state=state, at=at, by=by,
    )  # fmt: skip
    drop_reminders(tx, number, at)


def any_missed(tx: Tx, now: int) -> bool:
    """Whether `miss` would find something."""
    sql = "SELECT 1 FROM promise WHERE settled_at IS NULL AND missed_at IS NULL AND due_at < :now LIMIT 1"
    return tx.one(sql, now=now) is not None


def miss(tx: Tx, now: int) -> list[Promise]:
    """Running promises that have just been broken, each once."""
    rows = tx.all(
        "UPDATE promise SET missed_at = :now WHERE settled_at IS NULL AND missed_at IS NULL AND due_at < :now"
        " RETURNING *",
        now=now,
    )
    return [_promise(row) for row in rows]


def moved_into(tx: Tx, promise: Promise) -> Promise | None:
    """The promise that this one replaced before a word came, if it did."""
    row = tx.one(
        "SELECT * FROM promise WHERE incident_id = :i AND clock = :clock AND state = 'moved' AND settled_at = :at"
        " AND id < :id ORDER BY id DESC LIMIT 1",
        i=promise.incident_id, clock=promise.clock, at=to_ms(promise.made_at), id=promise.id,
    )  # fmt: skip
    return None if row is None else _promise(row)


def last_every(tx: Tx, incident_id: int, clock: str) -> timedelta | None:
    """The longest interval that readers of this clock were told of."""
    found = tx.scalar(
        "SELECT every_ms FROM promise WHERE incident_id = :i AND clock = :clock AND every_ms IS NOT NULL"
        " ORDER BY id DESC LIMIT 1",
        i=incident_id, clock=clock,
    )  # fmt: skip
    return None if found is None else timedelta(milliseconds=int(found))


# --- words that were said


def unworded(tx: Tx, now: int, since: int) -> list[int]:
    """Broadcasts about incidents that were released and whose first hand-over nobody has noticed yet."""
    rows = tx.all(
        "SELECT id FROM broadcast WHERE incident_id IS NOT NULL AND worded_at IS NULL AND release_at <= :now"
        " AND release_at > :since AND state NOT IN ('draft', 'submitted', 'returned', 'rejected', 'approved')"
        " AND (relation IS NULL OR relation NOT IN ('test', 'notice')) ORDER BY release_at, id",
        now=now, since=since,
    )  # fmt: skip
    return [row.id for row in rows]


def first_told_at(tx: Tx, broadcast_id: int) -> int | None:
    """When a vendor first accepted something of a broadcast."""
    found = tx.scalar("SELECT min(finished_at) FROM attempt WHERE broadcast_id = :b AND accepted > 0", b=broadcast_id)
    return None if found is None else int(found)


def note_word(tx: Tx, broadcast_id: int, at: int) -> bool:
    """Mark a broadcast as said; whether nobody had."""
    return bool(
        tx.change("UPDATE broadcast SET worded_at = :at WHERE id = :b AND worded_at IS NULL", at=at, b=broadcast_id)
    )


def audience_of(tx: Tx, broadcast_id: int) -> str:
    """The name of a broadcast's audience; empty where it has none. What follows another one and goes to those whom
    that one reached (a correction, an update, a reroute) is for the same readers, whatever its own list is called."""
    row = tx.one(
        "SELECT b.origin_id, b.relation, a.name FROM broadcast b"
        " LEFT JOIN audience_version v ON v.id = b.audience_version_id LEFT JOIN audience a ON a.id = v.audience_id"
        " WHERE b.id = :b",
        b=broadcast_id,
    )
    if row is None:
        return ""
    if row.origin_id is not None and row.relation in _FOLLOWING:
        return audience_of(tx, row.origin_id)
    return str(row.name or "")


def words_to(tx: Tx, incident_id: int, clock: str) -> int:
    """How many words to these readers settled or told a promise so far."""
    found = tx.scalar(
        "SELECT count(*) FROM promise WHERE incident_id = :i AND clock = :clock"
        " AND (settled_by IS NOT NULL OR told_by IS NOT NULL)",
        i=incident_id, clock=clock,
    )  # fmt: skip
    return int(found or 0)


def words_said(tx: Tx, incident_id: int) -> Sequence[Row[Any]]:
    """Broadcasts about an incident that reached anybody: id, template_id, worded_at, the oldest first."""
    return tx.all(
        "SELECT b.id, b.template_id, b.purpose, b.worded_at, b.submitted_at FROM broadcast b"
        " WHERE b.incident_id = :i AND b.worded_at IS NOT NULL ORDER BY b.worded_at, b.id",
        i=incident_id,
    )


def people_reached(tx: Tx, incident_id: int) -> int:
    """People for whom a vendor took any word about an incident, notices to our own people left out. Known by their
    mail address, or by their number where they have none: who had a mail and a text is one."""
    found = tx.scalar(
        "SELECT count(*) FROM (SELECT DISTINCT coalesce(r.email, r.phone)"
        " FROM broadcast o JOIN batch b ON b.broadcast_id = o.id AND b.channel IN ('email', 'sms')"
        f" {lookups.deliveries(tx)} {lookups.recipients(tx)}"
        " WHERE o.incident_id = :i AND d.state IN (5, 6)"
        " AND (o.relation IS NULL OR o.relation NOT IN ('test', 'notice'))) x",
        i=incident_id,
    )
    return int(found or 0)


# --- reminders


def any_due(tx: Tx, now: int) -> bool:
    """Whether `take_due` would find something."""
    sql = "SELECT 1 FROM reminder WHERE told_at IS NULL AND dropped_at IS NULL AND due_at <= :now LIMIT 1"
    return tx.one(sql, now=now) is not None


def take_due(tx: Tx, now: int) -> list[Reminder]:
    """Every reminder that is due, marked as told: whoever takes one is the only one that ever does."""
    rows = tx.all(
        "UPDATE reminder SET told_at = :now WHERE told_at IS NULL AND dropped_at IS NULL AND due_at <= :now"
        " RETURNING id",
        now=now,
    )
    taken = sorted(row.id for row in rows)
    return [reminder(tx, number) for number in taken]


def reminder(tx: Tx, number: int) -> Reminder:
    """One reminder."""
    row = tx.one(f"{_REMINDER} WHERE r.id = :id", id=number)
    if row is None:
        raise NotFound(f"There is no reminder R-{number}.", mend="dispatcher reminder list shows them.")
    return _reminder(row)


def reminders(tx: Tx, *, incident_id: int | None = None, open_only: bool = True) -> list[Reminder]:
    """By time; without `open_only` the dropped, and those of clocks that ended, as well."""
    where = ["(r.dropped_at IS NULL AND p.settled_at IS NULL)" if open_only else "1 = 1"]
    where += ["p.incident_id = :i"] if incident_id is not None else []
    rows = tx.all(f"{_REMINDER} WHERE {' AND '.join(where)} ORDER BY r.due_at, r.id", i=incident_id)
    return [_reminder(row) for row in rows]


def set_told(tx: Tx, numbers: Iterable[int], person_id: int, broadcast_id: int | None) -> None:
    """Whom reminders reached, and by which notice."""
    for number in numbers:
        tx.change(
            "UPDATE reminder SET person_id = :p, broadcast_id = :b WHERE id = :id",
            id=number, p=person_id, b=broadcast_id,
        )  # fmt: skip


def put_off(tx: Tx, numbers: Iterable[int], until: int) -> None:
    """Reminders that were taken and told to nobody wait again."""
    for number in numbers:
        tx.change("UPDATE reminder SET told_at = NULL, due_at = :until WHERE id = :id", id=number, until=until)


def wake(tx: Tx, incident_id: int) -> None:
    """Reminders about an incident that were put off come when they were planned for, or now."""
    tx.change(
        "UPDATE reminder SET due_at = planned_at WHERE told_at IS NULL AND dropped_at IS NULL AND due_at > planned_at"
        " AND promise_id IN (SELECT id FROM promise WHERE incident_id = :i AND settled_at IS NULL)",
        i=incident_id,
    )


def hold_back(tx: Tx, promise_id: int, until: int) -> int:
    """Waiting reminders of a promise come no sooner than `until`; how many that moved."""
    return tx.change(
        "UPDATE reminder SET due_at = :until WHERE promise_id = :p AND told_at IS NULL AND dropped_at IS NULL"
        " AND due_at < :until",
        p=promise_id, until=until,
    )  # fmt: skip


def acknowledge(tx: Tx, promise_id: int, person_id: int, now: int) -> int:
    """Told reminders of a promise are in somebody's hands; how many were not yet."""
    return tx.change(
        "UPDATE reminder SET acked_at = :now, acked_by = :by WHERE promise_id = :p AND told_at IS NOT NULL"
        " AND acked_at IS NULL",
        p=promise_id, by=person_id, now=now,
    )  # fmt: skip


def drop_reminders(tx: Tx, promise_id: int, now: int, step: str = "") -> None:
    """Reminders that still wait, or one step of them, come to nothing."""
    which = " AND step = :step" if step else ""
    tx.change(
        "UPDATE reminder SET dropped_at = :now WHERE promise_id = :p AND told_at IS NULL AND dropped_at IS NULL"
        f"{which}",
        p=promise_id, now=now, **({"step": step} if step else {}),
    )  # fmt: skip


# --- the rota


def set_rota(tx: Tx, people: Sequence[int]) -> None:
    """Who is reminded, in this order, from now on."""
    tx.change("DELETE FROM rota")
    for place, person in enumerate(people, start=1):
        tx.change("INSERT INTO rota (place, person_id) VALUES (:place, :p)", place=place, p=person)


def rota(tx: Tx) -> list[int]:
    """Ids of those on the rota who are still here, in order."""
    rows = tx.all(
        "SELECT r.person_id FROM rota r JOIN person p ON p.id = r.person_id WHERE p.removed_at IS NULL ORDER BY r.place"
    )
    return [row.person_id for row in rows]


def away(tx: Tx, now: int) -> dict[int, int]:
    """Who is away now and has a deputy: person id to deputy id."""
    rows = tx.all(
        "SELECT d.person_id, min(d.deputy_id) AS deputy_id FROM deputy d JOIN person q ON q.id = d.deputy_id"
        " WHERE d.away_until > :now AND q.removed_at IS NULL GROUP BY d.person_id",
        now=now,
    )
    return {row.person_id: row.deputy_id for row in rows}


def _ms(span: timedelta | None) -> int | None:
    return None if span is None else int(span.total_seconds() * 1000)


def _promise(row: Row[Any]) -> Promise:
    return Promise(
        id=row.id,
        incident_id=row.incident_id,
        clock=row.clock,
        kind=PromiseKind(row.kind),
        state=PromiseState(row.state),
        made_at=from_ms(int(row.made_at)),
        due_at=from_ms(int(row.due_at)),
        made_by=row.made_by,
        every=None if row.every_ms is None else timedelta(milliseconds=int(row.every_ms)),
        told_by=row.told_by,
        holder_id=row.holder_id,
        acked_at=from_ms(row.acked_at),
        missed_at=from_ms(row.missed_at),
        settled_at=from_ms(row.settled_at),
        settled_by=row.settled_by,
    )


def _reminder(row: Row[Any]) -> Reminder:
    return Reminder(
        id=row.id,
        promise_id=row.promise_id,
        incident_id=row.incident_id,
        clock=row.clock,
        kind=PromiseKind(row.kind),
        promised_at=from_ms(int(row.promised_at)),
        step=row.step,
        rank=row.rank,
        planned_at=from_ms(int(row.planned_at)),
        due_at=from_ms(int(row.due_at)),
        told_at=from_ms(row.told_at),
        person=row.person or "",
        broadcast_id=row.broadcast_id,
        acked_at=from_ms(row.acked_at),
        dropped_at=from_ms(row.dropped_at),
    )
