"""Stored posts: each in one worker's hands at a time, none lost with its worker, none that kills forever."""

import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import pytest
from structlog.testing import capture_logs

from dispatcher.ledger import copies
from dispatcher.ledger import events as inbox
from dispatcher.ledger.engine import LedgerFault
from dispatcher.model.broadcast import BATCH
from dispatcher.model.clock import to_ms
from dispatcher.model.event import Event, EventType
from dispatcher.services import events
from tests.services.inbox_world import applied, build, store

LEASE = 60_000
ROOM = 1 << 20


@pytest.fixture
def world(tmp_path, database_url):
    made = build(tmp_path, database_url)
    yield made
    made.ctx.ledger.close()


def _take(world, limit=10, size=ROOM, at=0, alone=False):
    with world.ctx.ledger.write() as tx:
        return [(row.id, row.tries) for row in inbox.take(tx, at, LEASE, limit, size, alone=alone)]


class Died(BaseException):
    """As kill -9 would: nothing after it runs."""


def test_two_workers_never_take_the_same_posts(world):
    store(world, b"[1]", b"[2]", b"[3]")
    assert _take(world, 2) == [(1, 1), (2, 1)]
    assert _take(world, 2) == [(3, 1)]
    assert _take(world, 2) == []


def test_a_set_is_bounded_by_bytes_and_never_empty_for_a_large_post(world):
    store(world, b"[1]", b"[2, 3, 4, 5, 6, 7]", b"[8]", b"[9]")
    assert _take(world, size=2) == [(1, 1)]
    assert _take(world, size=2) == [(2, 1)]
    assert _take(world, size=6) == [(3, 1), (4, 1)]


def test_what_a_dead_worker_held_is_free_when_its_lease_ends(world):
    store(world, b"[1]")
    assert _take(world, at=1000)
    assert _take(world, at=1000 + LEASE - 1) == []
    assert _take(world, at=1000 + LEASE) == [(1, 2)]


def test_a_clock_that_stepped_back_holds_nothing_up(world):
    store(world, b"[1]")
    assert _take(world, at=50_000_000)
    assert _take(world, at=1000) == [(1, 2)]


def test_hosts_whose_clocks_differ_a_little_do_not_take_from_each_other(world):
    store(world, b"[1]")
    assert _take(world, at=50_000)
    assert _take(world, at=50_000 - LEASE + 1) == []


def test_nothing_stands_beside_a_post_that_workers_may_have_died_of(world):
    store(world, b"[1]", b"[2]", b"[3]", b"[4]")
    assert len(_take(world, 2, at=0)) == len(_take(world, 2, at=LEASE)) == 2
    with world.ctx.ledger.read() as tx:
        assert [inbox.times_taken(tx, at, LEASE) for at in (LEASE, 2 * LEASE)] == [0, inbox.ALONE]
    assert _take(world, at=2 * LEASE) == [(3, 1), (4, 1)]
    assert [_take(world, at=2 * LEASE, alone=True) for _ in range(3)] == [[(1, 3)], [(2, 3)], []]


def test_a_ledger_that_refuses_gives_the_posts_back_uncounted(world, monkeypatch):
    store(world, b"[1]", b"[2]")
    fault = LedgerFault(ValueError("away"), transient=True)
    with monkeypatch.context() as patch:
        patch.setattr(inbox, "arrived", lambda *a: (_ for _ in ()).throw(fault))
        with pytest.raises(LedgerFault):
            events.apply(world.ctx)
    assert _take(world) == [(1, 1), (2, 1)]


def test_a_post_that_kills_its_worker_is_parked_and_its_neighbours_are_applied(world):
    store(world, b"[1]", b"[6]", b"[3]")
    parse = world.vendors["mail"].parse

    def deadly(request):
        if request.body == b"[6]":
            raise Died
        return parse(request)

    world.vendors["mail"].parse = deadly
    deaths = 0
    while events.anything_new(world.ctx):
        try:
            events.apply(world.ctx)
        except Died:
            deaths += 1
        world.clock.pass_by(LEASE / 1000)
    assert (deaths, applied(world)) == (events.FATAL, 2)
    with world.ctx.ledger.read() as tx:
        assert [tuple(row) for row in tx.all("SELECT id, state FROM inbox ORDER BY id")] == [(1, 1), (2, 2), (3, 1)]
        assert "post 2" in tx.scalar("SELECT detail FROM anomaly")


@pytest.mark.parametrize("fault", [OverflowError("date"), LedgerFault(ValueError("value"), transient=False)])
def test_what_fails_again_and_again_is_parked_and_holds_up_nobody(world, monkeypatch, fault):
    store(world, b"[1]", b"[6]", b"[3]")
    fold = copies.fold

    def failing(tx, broadcast_id, proofs):
        if (6, None) in proofs:
            raise fault
        return fold(tx, broadcast_id, proofs)

    monkeypatch.setattr(copies, "fold", failing)
    failures = 0
    while events.anything_new(world.ctx):
        try:
            events.apply(world.ctx)
        except type(fault):
            failures += 1
    assert (failures, applied(world)) == (events.FATAL, 2)


def test_way_is_made_before_a_post_of_which_workers_may_have_died_and_for_no_other(world):
    store(world, b"[1]", b"[2]", b"[3]")
    _take(world, 2, at=0)
    _take(world, 2, at=LEASE)
    world.clock.pass_by(100 * LEASE)
    made = []
    assert not events.apply(world.ctx, make_way=lambda: made.append(applied(world)))
    assert made == [0, 1]
    assert applied(world) == 3


def test_a_worker_that_was_frozen_changes_nothing_when_it_wakes(world):
    store(world, b"[1, 2]")
    with world.ctx.ledger.write() as tx:
        held = inbox.take(tx, 0, LEASE, 10, ROOM)
    events.apply(world.ctx)
    assert applied(world) == 2
    events._apply(world.ctx, held)
    assert applied(world) == 2
    assert not events.anything_new(world.ctx)


def test_two_workers_with_the_same_batches_in_other_order_do_not_wait_in_a_ring(tmp_path, database_url, monkeypatch):
    world = build(tmp_path, database_url, people=BATCH + 1)
    sets = []
    for bodies in ([b"[1000]", b"[0]"], [b"[1]", b"[1000]"]):
        for body in bodies:
            store(world, body)
            world.clock.pass_by(1)
        with world.ctx.ledger.write() as tx:
            sets.append(inbox.take(tx, to_ms(world.clock.now()), LEASE, 2, ROOM))
    fold, both = copies.fold, threading.Barrier(2)

    def slowly(*given):
        risen = fold(*given)
        with suppress(threading.BrokenBarrierError):
            both.wait(0.5)  # each has done its first second, if the other lets it
        return risen

    monkeypatch.setattr(copies, "fold", slowly)
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(lambda posts: events._apply(world.ctx, posts), sets))
    assert applied(world) == 3
    world.ctx.ledger.close()


def test_what_waited_for_long_is_counted_in_a_few_longer_steps_and_never_too_early(world):
    began = to_ms(world.clock.now())
    for number in range(10):
        store(world, f"[{number}]".encode())
        world.clock.pass_by(20)
    events.apply(world.ctx)
    assert applied(world) == 10
    with world.ctx.ledger.read() as tx:
        steps = [(row.at - began, row.n) for row in tx.all("SELECT at, n FROM arrival ORDER BY at")]
    assert 2 <= len(steps) <= events.STEPS + 1
    came = [n * 20_000 for n in range(10)]
    for end, _ in steps:
        assert sum(at <= end for at in came) >= sum(n for at, n in steps if at <= end)


def test_words_of_a_vendor_that_nobody_knows_are_logged_once_for_a_set(world):
    world.vendors["mail"].parse = lambda request: [Event(EventType.UNKNOWN, None, "read aloud")]
    store(world, b"[1]", b"[2]")
    with capture_logs() as lines:
        events.apply(world.ctx)
    assert [line["words"] for line in lines if line["event"] == "unknown_event_words"] == [["mail read aloud"]]
