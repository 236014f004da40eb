"""Ledgers of earlier versions are brought to the schema of this one, with what they hold."""

from alembic.script import ScriptDirectory

from dispatcher.ledger import curves, events, migrate
from dispatcher.ledger.engine import Ledger


def test_the_program_knows_the_newest_revision_and_each_has_one_before_it():
    scripts = ScriptDirectory(str(migrate.FOLDER))
    assert scripts.get_heads() == [migrate.HEAD]
    assert len(list(scripts.walk_revisions())) == int(migrate.HEAD)


def test_the_rows_of_events_become_arrivals(database_url, tmp_path):
    url = database_url or f"sqlite:///{tmp_path}/ledger.db"
    ledger = Ledger(url)
    migrate.upgrade(ledger, "0001")
    assert migrate.revision(ledger) == "0001"
    columns = ("hash", "account", "broadcast_id", "seq", "type", "occurred_at", "received_at", "reason")
    told = [("delivered", 1, 4_001), ("delivered", 1, 5_000), ("delivered", 2, 9_000), ("opened", 1, 5_000),
            ("delivered", None, 5_000)]  # fmt: skip
    rows = [(bytes([i]), "mail", made, i, word, None, at, None) for i, (word, made, at) in enumerate(told)]
    with ledger.write() as tx:
        tx.insert("event", columns, rows)
    ledger.close()
    ledger = migrate.open_ledger(url)
    assert migrate.revision(ledger) == migrate.HEAD
    with ledger.write() as tx:
        events.arrived(tx, {(1, 5_000): 1})
        assert [(row.wait, int(row.n)) for row in curves.delivered(tx, 1, 0)] == [(5_000, 3)]
        assert [(row.wait, int(row.n)) for row in curves.delivered(tx, 2, 0)] == [(9_000, 1)]
    ledger.close()
