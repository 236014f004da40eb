"""The door to the database: rows by name, faults with a verdict, a pool that gives nothing away and drops what died."""

import contextlib
import threading
import traceback

import pytest

from dispatcher.errors import ConfigurationError
from dispatcher.ledger import pool
from dispatcher.ledger.drivers import PostgreSQL, driver_of
from dispatcher.ledger.engine import Ledger, LedgerFault


def test_rows_are_tuples_with_names(ledger):
    with ledger.read() as tx:
        row = tx.one("SELECT n, word AS said FROM thing WHERE n = :n", n=7)
        assert (row.n, row.said, tuple(row)) == (7, "w7", (7, "w7"))
        assert row.as_dict() == {"n": 7, "said": "w7"}
        assert tx.one("SELECT n FROM thing WHERE n = -1") is None
        assert tx.scalar("SELECT n FROM thing WHERE n = -1") is None
        assert [r[0] for r in tx.all("SELECT count(*), n % 2 FROM thing GROUP BY 2 ORDER BY 2")] == [1250, 1250]
    with pytest.raises(AttributeError):
        row.n = 8


def test_percent_signs_and_casts_are_left_alone(ledger):
    with ledger.read() as tx:
        sql = "SELECT n % 10 AS last FROM thing WHERE word LIKE '%99' AND n > :n"
        assert {row.last for row in tx.all(sql, n=100)} == {9}
        if not tx.is_sqlite:
            assert tx.scalar("SELECT :a::text || '%'", a=1) == "1%"


def test_many_rows_change_by_one_call(ledger):
    with ledger.write() as tx:
        changed = tx.change_by(
            "UPDATE thing SET word = r.new || :end {r} WHERE n = r.at AND n < :most",
            {"at": "int", "new": "text"},
            [(1, "a"), (2, "b"), (2000, "c"), (9999, "d")],
            end="!",
            most=1000,
        )
        assert changed == 2
        assert [row.word for row in tx.all("SELECT word FROM thing WHERE n IN (1, 2) ORDER BY n")] == ["a!", "b!"]


def test_a_stream_has_every_row_in_pages(ledger):
    with ledger.read() as tx:
        pages = list(tx.stream("SELECT n, word FROM thing WHERE n >= :n ORDER BY n", n=100))
    assert [len(page) for page in pages] == [1000, 1000, 400]
    assert [row.n for page in pages for row in page] == list(range(100, 2500))


def test_a_failed_block_leaves_no_trace(ledger):
    def fail(sql):
        with ledger.write() as tx:
            tx.change("DELETE FROM thing")
            tx.change(sql)

    with pytest.raises(LedgerFault) as told:
        fail("INSERT INTO thing (n, word) VALUES (6, 'a'), (6, 'b')")
    assert not told.value.transient
    with ledger.read() as tx:
        assert tx.scalar("SELECT count(*) FROM thing") == 2500
    assert ledger.pool.in_use == 0


def test_an_error_that_somebody_swallowed_is_no_silent_rollback(postgres_url):
    ledger = Ledger(postgres_url)

    def work():
        with ledger.write() as tx:
            tx.change("CREATE TABLE kept (id BIGINT)")
            with contextlib.suppress(ledger.driver.module.Error):
                tx.change("SELECT no_such_column")

    with pytest.raises(LedgerFault) as told:
        work()
    assert not told.value.transient
    with ledger.read() as tx:
        assert tx.scalar("SELECT to_regclass('kept')") is None
    ledger.close()


def test_a_whole_that_a_full_disk_has_undone_is_not_taken_for_kept(tmp_path):
    ledger = Ledger(f"sqlite:///{tmp_path / 'ledger.db'}")
    with ledger.write() as tx:
        tx.change("CREATE TABLE kept (id BIGINT, words TEXT)")
        tx.change("INSERT INTO kept VALUES (1, 'before')")
        tx.change("CREATE TRIGGER full BEFORE INSERT ON kept WHEN NEW.id = 3 BEGIN SELECT RAISE(ROLLBACK, 'full'); END")

    def work():
        with ledger.write() as tx:
            tx.change("INSERT INTO kept VALUES (2, 'undone')")
            with contextlib.suppress(ledger.driver.module.Error):
                tx.change("INSERT INTO kept VALUES (3, 'undoes all')")

    with pytest.raises(LedgerFault) as told:
        work()
    assert not told.value.transient
    with ledger.read() as tx:
        assert [row.id for row in tx.all("SELECT id FROM kept")] == [1]
    ledger.close()


def test_a_reader_sees_one_snapshot_and_cannot_write_on_postgresql(ledger):
    with ledger.read() as tx:
        before = tx.scalar("SELECT count(*) FROM thing")
        with ledger.write() as other:
            other.change("DELETE FROM thing WHERE n < 10")
        assert tx.scalar("SELECT count(*) FROM thing") == before
    with ledger.write() as tx:
        assert tx.scalar("SELECT count(*) FROM thing") == before - 10
    if not ledger.is_sqlite:
        with pytest.raises(LedgerFault), ledger.read() as tx:
            tx.change("DELETE FROM thing")


def test_threads_get_connections_of_their_own(ledger):
    meet, seen = threading.Barrier(4), []

    def work():
        with ledger.read() as tx:
            meet.wait(60)
            seen.append(tx.scalar("SELECT count(*) FROM thing"))

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert seen == [2500] * 4
    assert ledger.pool.in_use == 0


def test_who_finds_no_free_connection_is_told_to_come_again(tmp_path, monkeypatch):
    monkeypatch.setattr(pool, "WAIT_SECONDS", 0.01)
    held = pool.Pool(driver_of(f"sqlite:///{tmp_path}/l.db"))
    lent = [held.lent() for _ in range(pool.MOST)]
    for one in lent:
        one.__enter__()
    with pytest.raises(LedgerFault) as told, held.lent():
        pass
    assert told.value.transient
    for one in lent:
        one.__exit__(None, None, None)
    held.close()


def test_a_connection_that_was_cut_is_transient_and_the_next_one_is_whole(postgres_url):
    ledger = Ledger(postgres_url)

    def work():
        with ledger.write() as tx:
            _cut(postgres_url, tx.scalar("SELECT pg_backend_pid()"))
            tx.scalar("SELECT 1")

    with pytest.raises(LedgerFault) as told:
        work()
    assert told.value.transient
    with ledger.write() as tx:
        assert tx.scalar("SELECT 1") == 1
    ledger.close()


def test_an_idle_connection_that_died_is_found_before_it_is_used(postgres_url, monkeypatch):
    ledger = Ledger(postgres_url)
    with ledger.write() as tx:
        old = tx.scalar("SELECT pg_backend_pid()")
    _cut(postgres_url, old)
    monkeypatch.setattr(pool, "TRUSTED_SECONDS", 0.0)
    with ledger.write() as tx:
        assert tx.scalar("SELECT pg_backend_pid()") != old
    ledger.close()


def test_a_connection_that_comes_back_inside_a_transaction_is_dropped(tmp_path):
    held = pool.Pool(driver_of(f"sqlite:///{tmp_path}/l.db"))
    with held.lent() as first:
        first.execute("BEGIN IMMEDIATE")
    with held.lent() as second:
        second.execute("BEGIN IMMEDIATE")
        second.rollback()
    assert first is not second
    held.close()


def test_a_fault_quotes_no_value_and_says_where(ledger):
    with ledger.write() as tx:
        tx.change("CREATE UNIQUE INDEX one_word ON thing (word)")

    def fail(sql, **values):
        with pytest.raises(LedgerFault) as told, ledger.write() as tx:
            tx.change(sql, **values)
        return "".join(traceback.format_exception(told.value))

    told = fail("INSERT INTO thing (n, word) VALUES (9000, :a), (9001, :a)", a="Carol Example")
    assert "Carol" not in told
    assert "tx.change(sql" in told
    assert ("one_word" if not ledger.is_sqlite else "thing.word") in told
    if not ledger.is_sqlite:
        assert "Carol" not in fail("UPDATE thing SET n = CAST(CAST(:a AS text) AS int)", a="Carol Example")


def test_an_address_that_cannot_be_read_is_not_repeated():
    with pytest.raises(ConfigurationError) as told, Ledger("postgresql://u:se cret@127.0.0.1/x").read():
        pass
    assert "cret" not in "".join(traceback.format_exception(told.value)).replace("se cret@127", "")


def _cut(url, backend):
    with PostgreSQL(url).connect() as other:
        other.execute("SELECT pg_terminate_backend(%s, 60000)", [backend])


def test_only_two_databases_are_known():
    with pytest.raises(ConfigurationError, match="mysql"):
        Ledger("mysql://somewhere/x")
