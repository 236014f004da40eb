"""What the statements around a call and around events read of the large tables: as much as they are about, no more.

PostgreSQL plans by statistics, and a broadcast that was just planned has none. So the rows that were really read are
counted, on tables that were never analysed, at two sizes of the broadcast.
"""

import pytest

from dispatcher.ledger import attempts, claims, copies, events, leases, recipients, suppressions
from dispatcher.ledger.attempts import Closing, Finding, Request
from dispatcher.ledger.engine import Line
from dispatcher.model.broadcast import BATCH
from dispatcher.model.clock import to_ms
from dispatcher.model.kinds import Channel
from dispatcher.model.states import DeliveryState
from tests.services.world import World

LATE = 1 << 60
LARGE = ("delivery", "attempt", "intent", "recipient", "arrival", "copy")


class Reader:
    """Counts rows read of the large tables within one transaction."""

    def __init__(self, ledger):
        self._ledger = ledger

    def run(self, work):
        with self._ledger.write() as tx:
            before = self._read(tx)
            found = work(tx)
            after = self._read(tx)
        return found, {name: after[name] - before[name] for name in LARGE}

    @staticmethod
    def _read(tx):
        rows = tx.all(
            "SELECT relname, coalesce(seq_tup_read, 0) + coalesce(idx_tup_fetch, 0) AS n FROM pg_stat_xact_user_tables"
        )
        return {row.relname: row.n for row in rows}


def _grown_since(world):
    """Statistics of a ledger with other people and their deliveries: of those that come now they say there are none."""
    with world.ctx.ledger.write() as tx:
        columns = ("id", "audience_id", "number", "size", "content_hash", "fields", "source", "region", "created_at")
        tx.insert("audience", ("id", "name", "created_at"), [(9, "before", 0)])
        tx.insert("audience_version", columns, [(9, 9, 1, 5 * BATCH, "", "[]", "", "", 0)])
    world.audience(5 * BATCH, version=9)
    world.release(world.broadcast(["sms"], {"sms": ["text"]}, version=9))
    world.drain("sms")
    with world.ctx.ledger.write() as tx:
        # How many answers came in together is a matter of timing, and a table of one page is read through.
        tx.change("DELETE FROM intent WHERE first_id NOT IN (SELECT first_id FROM intent ORDER BY first_id LIMIT 50)")
        for table in LARGE:
            tx.change(f"ANALYZE {table}")


def _everything(tmp_path, url, batches):
    """Each step once on a broadcast of so many batches; what it read."""
    world = World(tmp_path, url)
    world.add_account("text", Channel.SMS, most=1, in_flight=64)
    _grown_since(world)
    world.audience(batches * BATCH)
    made = world.broadcast(["sms"], {"sms": ["text"]})
    world.release(made)
    reader, now = Reader(world.ctx.ledger), to_ms(world.clock.now())
    claim, read = reader.run(lambda tx: claims.claim(tx, "sms", "me", now, now - LATE, 10_000))
    told = {"claim": read}
    first = claim.no * BATCH
    told["rows"] = reader.run(lambda tx: claims.rows(Line(tx), made, claim.no, claim.version_id, claim.channel)())[1]
    told["fragile"] = reader.run(lambda tx: leases.fragile(Line(tx), made, claim.no, 2)())[1]
    requests = [Request(i + 1, first + i, first + i, 1, now) for i in range(50)]
    ok, told["intent"] = reader.run(lambda tx: attempts.intend(tx, claim, "text", requests, now, now + 10_000))
    assert ok
    findings = [Finding(r.attempt_id, r.first_seq, r.last_seq, DeliveryState.ACCEPTED, 1) for r in requests]
    closings = [Closing(r, "text", "accepted", 1, f"SM{r.attempt_id}", None) for r in requests]
    moved, told["outcome"] = reader.run(lambda tx: attempts.record(tx, made, claim.no, findings, closings, now))
    assert moved == 50
    proofs = {(first + i, None): (DeliveryState.DELIVERED, None) for i in range(0, 50, 2)}
    rose, told["events"] = reader.run(lambda tx: copies.fold(tx, made, proofs))
    assert rose == {DeliveryState.DELIVERED: 25}
    told["misfits"] = reader.run(lambda tx: events.misfits(tx, made, [seq for seq, _ in proofs]))[1]
    told["arrived"] = reader.run(lambda tx: events.arrived(tx, {(made, now): 25}))[1]
    proved = [(made, first + i, "hard bounce", now) for i in range(5)]
    told["suppress"] = reader.run(lambda tx: suppressions.suppress_addresses(tx, proved, "test", now))[1]
    world.intended(claim, "text", first + 50, first + 54)
    told["page"] = reader.run(lambda tx: recipients.page(tx, made, claim.no))[1]
    lost, told["lease"] = reader.run(lambda tx: leases.break_lease(tx, made, claim.no, now, 3))
    assert lost == 5
    world.ctx.ledger.close()
    return told


@pytest.mark.postgres
def test_no_statement_reads_more_of_a_larger_broadcast(tmp_path, postgres_server):
    found = []
    for batches in (2, 12):
        url = postgres_server.fresh()
        found.append(_everything(tmp_path / str(batches), url, batches))
        postgres_server.drop(url)
    small, large = found
    assert large == small
    assert max(sum(large[step].values()) for step in large.keys() - {"page", "lease"}) <= 2 * BATCH
    assert sum(large["page"].values()) <= 3 * BATCH
    assert sum(large["lease"].values()) <= 5 * BATCH  # those of one batch, three times, and the open ones' intents
    for step in ("intent", "outcome", "events", "misfits", "suppress"):
        assert large[step]["delivery"] <= 4 * 50, (step, large[step])
