"""The counters of a batch while two transactions change its deliveries at once: whoever comes second counts again."""

import threading
import time

import pytest

from dispatcher.ledger import attempts, claims, counts
from dispatcher.model.clock import to_ms
from dispatcher.model.kinds import Channel
from dispatcher.model.states import DeliveryState
from tests.services.world import World

pytestmark = pytest.mark.faults


def _someone_waits(world):
    """Whether another transaction waits for a lock of ours; SQLite lets nobody in at all."""
    if world.ctx.ledger.is_sqlite:
        return True
    with world.ctx.ledger.read() as tx:
        return tx.scalar("SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
                         " AND datname = current_database()") > 0  # fmt: skip


def test_an_opt_out_beside_an_answer_counts_both(tmp_path, database_url):
    world = World(tmp_path, database_url)
    world.add_account("mail", Channel.EMAIL)
    world.audience(40)
    made = world.broadcast(["email"], {"email": ["mail"]})
    world.release(made)
    with world.ctx.ledger.write() as tx:
        claim = claims.claim(tx, "email", "one", to_ms(world.clock.now()), 0, 60_000)
    request = world.intended(claim, "mail", 0, 19)

    def opt_out():
        with world.ctx.ledger.write() as tx:
            claims.suppress(tx, made, 0, {30: "opt_out"})

    beside = threading.Thread(target=opt_out)
    with world.ctx.ledger.write() as tx:
        found = [attempts.Finding(request.attempt_id, 0, 19, DeliveryState.ACCEPTED, 20)]
        attempts.record(tx, made, 0, found, [attempts.Closing(request, "mail", "accepted", 20, "m", None)], 1)
        beside.start()
        until = time.monotonic() + 60
        while not _someone_waits(world) and time.monotonic() < until:
            time.sleep(0.01)
    beside.join()
    with world.ctx.ledger.read() as tx:
        assert counts.wrong_batches(tx, made) == []
    assert world.sums(made, "email") == {"planned": 40, "accepted": 20, "waiting": 19, "suppressed": 1}
    world.ctx.ledger.close()
