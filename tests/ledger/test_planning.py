"""Deliveries and batches from an audience, on both databases: every number and every hash against plain Python."""

import json

import pytest

from dispatcher.ledger import planning
from dispatcher.ledger.migrate import open_ledger
from dispatcher.ledger.planning import Group
from dispatcher.model.broadcast import BATCH
from dispatcher.model.kinds import Channel

PEOPLE = 2_345
NAMES = ("Ada", "Zoë “Z” O'Neil", "李雷", "a\x1cb", "🙂" * 40, "")
COLUMNS = ("version_id", "rid", "email", "phone", "locale", "fields")


@pytest.fixture
def ledger(database_url):
    ledger = open_ledger(database_url)
    yield ledger
    ledger.close()


def people(version):
    """Some without an address, some French, names of every kind, in an order that is not that of their numbers."""
    for rid in sorted(range(1, PEOPLE + 1), key=lambda n: n * 7919 % 104729):
        email = None if rid % 11 == 0 else f"p{rid}@example.com"
        fields = json.dumps({"name": NAMES[rid % len(NAMES)]}, ensure_ascii=False)
        yield version, rid, email, None, "fr" if rid % 5 == 0 else None, fields


def suppress(tx, *rids):
    for rid in rids:
        tx.change(
            "INSERT INTO suppression (channel, address, scope, reason, created_at, source)"
            " VALUES ('email', :a, 'all', 'opted out', 1, 'person')",
            a=f"p{rid}@example.com",
        )


def expand(tx, version, first_no=3):
    return planning.expand(tx, 9, version, ["all"], Group(Channel.EMAIL, 7, (None,)), first_no)


def expected(version, first_no=3):
    """(no, hash, size) by plain Python."""
    mine = sorted((p for p in people(version) if p[2] and p[4] is None), key=lambda p: p[1])
    rows = [(first_no * BATCH + i, p[1], p[2], p[5]) for i, p in enumerate(mine)]
    cut = [rows[i : i + BATCH] for i in range(0, len(rows), BATCH)]
    return [(first_no + i, planning.batch_hash(rows), len(rows)) for i, rows in enumerate(cut)]


@pytest.mark.parametrize("committed", [True, False], ids=["audience of before", "audience of this transaction"])
def test_the_hashes_are_those_of_plain_python(ledger, committed):
    with ledger.write() as tx:
        tx.insert("recipient", COLUMNS, people(1))
        next_no = None if committed else expand(tx, 1)
    if committed:
        with ledger.write() as tx:
            next_no = expand(tx, 1)
    with ledger.read() as tx:
        made = [tuple(row) for row in tx.all("SELECT no, hash, size FROM batch ORDER BY no")]
    assert made == expected(1)
    assert next_no == 3 + len(made)


def test_the_counters_are_those_of_the_rows(ledger):
    with ledger.write() as tx:
        tx.insert("recipient", COLUMNS, people(1))
        suppress(tx, 1, 2, 3, 2_341)
    with ledger.write() as tx:
        expand(tx, 1)
    with ledger.read() as tx:
        counted = tx.all(
            f"SELECT seq / {BATCH}, sum(CASE state WHEN 0 THEN 1 ELSE 0 END), sum(CASE state WHEN 1 THEN 1 ELSE 0 END)"
            " FROM delivery GROUP BY 1 ORDER BY 1"
        )
        kept = tx.all("SELECT no, waiting, suppressed FROM batch ORDER BY no")
        reasons = tx.all("SELECT DISTINCT state, reason FROM delivery ORDER BY state")
    assert [tuple(row) for row in counted] == [tuple(row) for row in kept]
    assert sum(row.suppressed for row in kept) == 4
    assert [tuple(row) for row in reasons] == [(0, None), (1, "opted out")]


def test_nobody_in_an_audience_is_no_batch(ledger):
    with ledger.write() as tx:
        assert expand(tx, 1) == 3
    with ledger.read() as tx:
        assert tx.scalar("SELECT count(*) FROM batch") == 0


def test_a_failing_insert_leaves_nothing_and_no_second_connection(ledger):
    with ledger.write() as tx:
        tx.insert("recipient", COLUMNS, people(1))
    with ledger.write() as tx:
        expand(tx, 1)
    with pytest.raises(Exception, match=r"(?i)unique"), ledger.write() as tx:
        expand(tx, 1)
    assert ledger.pool.in_use == 0
