"""No statement of handing over, show, watch or report goes through all deliveries: the databases' own plans say so.

Statements are taken down as they are run on a ledger of 21,000 deliveries, and explained afterwards. Nothing may read
the table from end to end, nor every delivery of a broadcast; the batches say where anything is.
"""

import json
import re

import pytest

from dispatcher.ledger.engine import Tx
from dispatcher.model.broadcast import BATCH
from dispatcher.model.kinds import Channel
from dispatcher.model.outcome import Accepted, Rejected
from dispatcher.services import accounting, ticking
from dispatcher.services.report import write_report
from tests.services.world import World

LARGE = ("delivery", "copy")
BATCHES = 20
_WORDS = "SET|WHERE|ON|ORDER|GROUP|JOIN|CROSS|LEFT|LIMIT|VALUES|SELECT"
_ALIAS = re.compile(rf"\b(?:FROM|JOIN|UPDATE|INTO)\s+(\w+)(?:\s+AS)?(?:\s+(?!(?:{_WORDS})\b)(\w+))?", re.I)


@pytest.fixture
def taken_down(monkeypatch):
    """Every statement with one set of its values, as the drivers were given them."""
    seen = {}
    run = Tx._run

    def noted(tx, sql, values):
        seen.setdefault(sql, dict(values))
        return run(tx, sql, values)

    monkeypatch.setattr(Tx, "_run", noted)
    return seen


@pytest.fixture
def world(tmp_path, database_url):
    """One large broadcast that waits for release, and a small one beside it."""
    world = World(tmp_path, database_url)
    world.add_account("mail", Channel.EMAIL)
    with world.ctx.ledger.write() as tx:
        tx.insert("audience", ("id", "name", "created_at"), [(1, "customers", 0)])
        columns = ("id", "audience_id", "number", "size", "content_hash", "fields", "source", "region", "created_at")
        tx.insert("audience_version", columns, [(1, 1, 1, BATCHES * BATCH, "", "[]", "", "", 0)])
    world.audience(BATCHES * BATCH)
    world.audience(BATCH, version=2)
    world.made = world.broadcast(["email"], {"email": ["mail"]}, size=1000)
    world.broadcast(["email"], {"email": ["mail"]}, version=2)
    yield world
    world.ctx.ledger.close()


def _answers(envelopes):
    return [Rejected("no such box") if i == 7 else Accepted(f"m{i}") for i, _ in enumerate(envelopes)]


def _lived(world, tmp_path):
    world.release(world.made)
    world.vendors["mail"].script.append(_answers)
    world.drain(Channel.EMAIL, rounds=40)
    ticking.tick(world.ctx)
    ref = f"B-{world.made}"
    view = accounting.show(world.ctx, ref)
    assert view.total["accepted"] == BATCHES * BATCH - 1
    assert next(accounting.watch(world.ctx, ref, None)).reconciles
    accounting.recent(world.ctx)
    write_report(world.ctx, ref, tmp_path)


def _sqlite_reads(tx, sql, values):
    """(table, how) of each look into one of LARGE that has no bound but the broadcast."""
    names = {alias or table: table for table, alias in _ALIAS.findall(sql)}
    for row in tx._connection.execute(f"EXPLAIN QUERY PLAN {sql}", values).fetchall():
        found = re.match(r"(SCAN|SEARCH) (\w+)(.*)", row[3])
        if found is None:
            continue
        table = names.get(found[2], found[2])
        if table in LARGE and (found[1] == "SCAN" or re.search(r"\((broadcast_id|version_id)=\?\)", found[3])):
            yield table, row[3]


def _postgres_reads(tx, sql, values):
    told = tx._connection.execute(f"EXPLAIN (FORMAT JSON) {tx._form(sql)}", values).fetchone()[0]
    nodes = [(json.loads(told) if isinstance(told, str) else told)[0]["Plan"]]
    while nodes:
        node = nodes.pop()
        nodes += node.get("Plans", [])
        if node.get("Relation Name") not in LARGE:
            continue
        bounds = " ".join(node.get(name, "") for name in ("Index Cond", "Recheck Cond", "TID Cond"))
        if node["Node Type"] == "Seq Scan" or re.fullmatch(r"\((broadcast_id|version_id) = [^)]*\)", bounds):
            yield node["Relation Name"], f"{node['Node Type']} {bounds}"


def test_no_statement_goes_through_all_deliveries(world, taken_down, tmp_path):
    _lived(world, tmp_path)
    assert len(taken_down) > 40
    reads = _sqlite_reads if world.ctx.ledger.is_sqlite else _postgres_reads
    if not world.ctx.ledger.is_sqlite:
        with world.ctx.ledger.write() as tx:  # as the server does by itself within a minute
            tx.change("ANALYZE")
    found, explained = [], 0
    with world.ctx.ledger.write() as tx:
        for sql, values in list(taken_down.items()):
            if re.match(r"\s*(SELECT|UPDATE|INSERT|DELETE|WITH)\b", sql):
                found += [(*read, " ".join(sql.split())) for read in reads(tx, sql, values)]
                explained += 1
    assert explained > 40
    assert found == []
