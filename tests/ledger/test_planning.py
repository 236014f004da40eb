"""Deliveries and batches from an audience, on both databases: every number and every hash against plain Python."""

import json

import pytest

from dispatcher.ledger import measures, planning
from dispatcher.ledger.migrate import open_ledger
from dispatcher.ledger.planning import Group
from dispatcher.ledger.sparing import Sparing
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


def expected(first_no=3):
    """(no, hash, size) by plain Python."""
    rows = [(first_no * BATCH + i, p[1], p[2], p[5]) for i, p in enumerate(sorted_readers())]
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
    assert made == expected()
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


def test_who_has_not_agreed_is_suppressed_with_that_reason_and_hashed_as_everybody(ledger):
    agreed = Sparing(consent="name")
    with ledger.write() as tx:
        tx.insert("recipient", COLUMNS, ((*p[:5], p[5].replace("Ada", " Yes ")) for p in people(1)))
        suppress(tx, 6, 7)
    with ledger.write() as tx:
        planning.expand(tx, 9, 1, ["all"], Group(Channel.EMAIL, 7, (None,), sparing=agreed), 3)
        before = measures.reach(tx, 1, Channel.EMAIL, ["all"], agreed)
        lacking = measures.without_consent(tx, 1, agreed)
    with ledger.read() as tx:
        rows = tx.all("SELECT rid, state, reason FROM delivery ORDER BY rid")
        kept = tx.all("SELECT hash, size, suppressed FROM batch ORDER BY no")
    mine = [p[1] for p in people(1) if p[2] and p[4] is None]
    wanted = {rid: (0, None) if rid % len(NAMES) == 0 else (1, "no_consent") for rid in mine} | {
        rid: (1, "opted out") for rid in (6, 7)
    }
    assert {row.rid: (row.state, row.reason) for row in rows} == wanted
    spoken = [(3 * BATCH + i, p[1], p[2], p[5].replace("Ada", " Yes ")) for i, p in enumerate(sorted_readers())]
    assert [row.hash for row in kept] == [
        planning.batch_hash(spoken[i : i + BATCH]) for i in range(0, len(spoken), BATCH)
    ]
    assert sum(row.suppressed for row in kept) == sum(state for state, _ in wanted.values())
    everyone = [p for p in people(1) if p[2]]
    silent = [p for p in everyone if p[1] % len(NAMES) or p[1] == 6]
    assert before == (len(everyone), len(silent), PEOPLE - len(everyone))
    assert lacking == sum(rid % len(NAMES) != 0 for rid in range(1, PEOPLE + 1))


def sorted_readers():
    return sorted((p for p in people(1) if p[2] and p[4] is None), key=lambda p: p[1])


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
