"""A ledger is taken back to an older copy in the middle of a broadcast, or runs a second time in another home."""

import contextlib
import tempfile
import time
from pathlib import Path

import psycopg

from dispatcher.ledger.engine import sqlite_module
from dispatcher.ledger.migrate import open_ledger
from dispatcher.model.person import Level, Person, Role
from dispatcher.sandbox.record import judge
from dispatcher.services import hold
from tests.faults.arena import OPENING, Arena, settled
from tests.faults.scenarios import CALM
from tests.faults.stopping import Second
from tests.faults.verdicts import verdict_of

ADMIN = Person(0, "Admin", roles=frozenset({Role.OPERATOR, Role.ADMIN}), level=Level.COMMS_LEAD)
PEOPLE, PACE = 1500, 60
LOOK_SECONDS = 5.0
"""So long a held ledger is watched for requests."""


def rolled_back(seed, url, *, times):
    """Restore a copy taken in mid-broadcast; (good, words, seconds)."""
    began, wrong, unknown = time.monotonic(), [], 0
    for number in range(times):
        with (
            tempfile.TemporaryDirectory(prefix="restored-") as folder,
            Arena(
                Path(folder), seed + number, database_url=_place(url, f"_{number}"), faults=CALM, paces=_paces()
            ) as arena,
        ):
            arena.await_web()
            found, more = _restore(arena, 1.0 + 0.7 * number)
            unknown += found.unknown
            wrong += more + ([found.line()] if not found.good else [])
    return (
        not wrong,
        f"{times} restores, {unknown} unknown after, wrong: {wrong[:2] or 'none'}",
        time.monotonic() - began,
    )


def second_home(seed, url, *, times=1):
    """A copy of the ledger comes up in a home of its own while the first goes on; (good, words, seconds)."""
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="home-") as here, tempfile.TemporaryDirectory(prefix="copy-") as there:
        with Arena(Path(here), seed, database_url=url, faults=CALM, paces=_paces()) as first:
            first.await_web()
            made = first.broadcast(PEOPLE, mode="live")
            time.sleep(3)
            copy = _clone(first, url, Path(there))
            with Second(Path(there), first, copy) as second:
                second.await_web()
                time.sleep(LOOK_SECONDS)
                held = hold.reason(second.ctx)
            over = settled(first, made, 240)
            found = verdict_of(first, made, finished=over)
    good = found.good and (held is not None)
    return good, f"the copy: {held or 'NOT HELD'}; {found.line()}", time.monotonic() - began


def _paces():
    return {"sendgrid": PACE, "twilio": PACE}


def _restore(arena, after):
    made = arena.broadcast(PEOPLE, mode="live")
    time.sleep(after)
    copy = _copy(arena)
    time.sleep(4)
    arena.halt()
    arena.ctx.ledger.close()
    _put_back(arena, copy)
    before = judge(arena.vendors.record).messages
    arena.go_on()
    arena.await_web()
    wrong = _watch_held(arena, before)
    hold.release(arena.ctx, ADMIN, "asked the vendors")
    over = settled(arena, made, 240)
    time.sleep(2)
    found = verdict_of(arena, made, finished=over)
    found.unforeseen = 0  # the intents of what the lost copy sent are lost with it
    return found, wrong


def _watch_held(arena, before):
    until = time.monotonic() + 90
    while hold.reason(arena.ctx) is None and time.monotonic() < until:
        time.sleep(0.1)
    time.sleep(LOOK_SECONDS)
    wrong = [] if hold.reason(arena.ctx) else ["it was not held"]
    sent = judge(arena.vendors.record).messages - before
    return [*wrong, f"{sent} told while it was held"] if sent else wrong


def _copy(arena):
    """As a backup tool does it, while the workers write."""
    if arena.ctx.ledger.is_sqlite:
        to = arena.folder / "backup.db"
        with _sqlite(arena.folder / "ledger.db") as here, _sqlite(to) as there:
            here.backup(there)
        return to
    return _dump(arena.ledger_url)


def _put_back(arena, copy):
    if arena.ctx.ledger.is_sqlite:
        for old in arena.folder.glob("ledger.db*"):
            old.unlink()
        copy.rename(arena.folder / "ledger.db")
        return
    _load(arena.ledger_url, copy)


def _sqlite(path):
    return contextlib.closing(sqlite_module().connect(path))


def _dump(url):
    """Every table of one snapshot, as COPY text."""
    found = {}
    with psycopg.connect(url) as connection:
        connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
        names = connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'").fetchall()
        for (name,) in names:
            with connection.cursor().copy(f'COPY "{name}" TO STDOUT') as copy:
                found[name] = b"".join(bytes(piece) for piece in copy)
        serial = connection.execute("SELECT last_value FROM attempt_serial").fetchone()[0]
    return found, serial


def _load(url, dump):
    tables, serial = dump
    with psycopg.connect(url) as connection:
        connection.execute("SET session_replication_role = replica")
        for name in tables:
            connection.execute(f'TRUNCATE TABLE "{name}" CASCADE')
        for name, text in tables.items():
            with connection.cursor().copy(f'COPY "{name}" FROM STDIN') as copy:
                copy.write(text)
        connection.execute("SELECT setval('attempt_serial', %s)", [serial])
        for table, column in connection.execute(
            "SELECT table_name, column_name FROM information_schema.columns WHERE table_schema = 'public'"
            " AND pg_get_serial_sequence(quote_ident(table_name), column_name) IS NOT NULL"
        ).fetchall():
            connection.execute(
                f"SELECT setval(pg_get_serial_sequence('{table}', '{column}'),"
                f' (SELECT coalesce(max("{column}"), 0) + 1 FROM "{table}"))'
            )


def _clone(first, url, there):
    """The address of a copy of the first one's ledger."""
    if first.ctx.ledger.is_sqlite:
        with _sqlite(first.folder / "ledger.db") as here, _sqlite(there / "ledger.db") as other:
            here.backup(other)
        return ""
    dump, copied = _dump(first.ledger_url), _place(url, "_copy")
    with OPENING:
        open_ledger(copied).close()
    _load(copied, dump)
    return copied


def _place(url, suffix):
    """A further empty database beside this one; nothing where the ledger is a file of its home."""
    if not url:
        return ""
    head, _, query = url.partition("?")
    name = head.rpartition("/")[2] + suffix
    with psycopg.connect(url, autocommit=True) as admin:
        admin.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')
        admin.execute(f'CREATE DATABASE "{name}" TEMPLATE template0')
    return f"{head.rpartition('/')[0]}/{name}" + (f"?{query}" if query else "")
