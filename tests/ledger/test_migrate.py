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


def test_calls_that_were_under_way_become_intents(database_url, tmp_path):
    url = database_url or f"sqlite:///{tmp_path}/ledger.db"
    ledger = Ledger(url)
    migrate.upgrade(ledger, "0002")
    columns = ("broadcast_id", "no", "id", "first_seq", "last_seq", "size", "part", "account", "fence", "started_at",
               "finished_at", "outcome", "accepted", "provider_message_id")  # fmt: skip
    rows = [(1, 0, 7, 0, 199, 200, 1, "mail", 3, 5_000, 6_000, "accepted", 200, "m"),
            (1, 0, 8, 200, 299, 100, 1, "mail", 3, 5_000, 6_100, "accepted", 100, "n"),
            (1, 0, 9, 300, 300, 1, 2, "mail", 3, 5_500, None, None, 0, None)]  # fmt: skip
    with ledger.write() as tx:
        tx.insert("attempt", columns, rows)
    ledger.close()
    ledger = migrate.open_ledger(url)
    with ledger.read() as tx:
        attempts = tx.all(
            "SELECT id, size, outcome, accepted, started_at, finished_at, provider_message_id FROM attempt ORDER BY id"
        )
        intents = tx.all("SELECT first_id, last_id, no, fence, part, account, started_at FROM intent ORDER BY 1")
    assert [tuple(row) for row in attempts] == [
        (7, 200, "accepted", 200, 5_000, 6_000, "m"),
        (8, 100, "accepted", 100, 5_000, 6_100, "n"),
        (9, 1, "lost", 0, 5_500, 5_500, None),
    ]
    assert [tuple(row) for row in intents] == [(7, 8, 0, 3, 1, "mail", 5_000), (9, 9, 0, 3, 2, "mail", 5_500)]
    ledger.close()


def test_new_deliveries_leave_room_beside_them_on_postgresql(postgres_url):
    ledger = Ledger(postgres_url)
    migrate.upgrade(ledger, "0003")
    ledger.close()
    ledger = migrate.open_ledger(postgres_url)
    with ledger.read() as tx:
        assert tx.scalar("SELECT reloptions FROM pg_class WHERE relname = 'delivery'") == ["fillfactor=42"]
    ledger.close()
