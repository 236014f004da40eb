"""Statements that go to the server together: what they see, what fails among them, and what breaks in."""

import contextlib
import signal
import time

import pytest

from dispatcher.ledger.engine import Ledger, LedgerFault


class _BrokenOff(Exception):
    """What a handler of a signal raises, in the middle of whatever runs."""


@pytest.mark.parametrize("together", [False, True])
@pytest.mark.parametrize("first", [False, True])
def test_a_connection_that_a_signal_broke_off_is_never_lent_again(postgres_url, first, together):
    ledger = Ledger(postgres_url)
    with ledger.read() as tx:
        tx.scalar("SELECT 1")

    def break_off(*_):
        raise _BrokenOff

    def work():
        with ledger.write() as tx:
            if not first:
                tx.scalar("SELECT 1")
            with tx.together() if together else contextlib.nullcontext(tx) as line:
                line.one("SELECT pg_sleep(600)")

    before = signal.signal(signal.SIGALRM, break_off)
    try:
        signal.setitimer(signal.ITIMER_REAL, 2.0)
        with pytest.raises(_BrokenOff):
            work()
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    with ledger.read() as tx:
        assert tx.scalar("SELECT 1") == 1
    ledger.close()


def test_statements_that_go_together_see_each_other_and_are_answered_after(ledger):
    with ledger.write() as tx:
        with tx.together() as line:
            gone = line.change("DELETE FROM thing WHERE n < :n", n=10)
            named = line.change_by("UPDATE thing SET word = r.new {r} WHERE n = r.at", {"at": "int", "new": "text"},
                                   [(5, "late"), (10, "ten"), (11, "eleven")])  # fmt: skip
            line.insert_few("thing", {"n": "int", "word": "text"}, [(5, "five")])
            words = line.all("SELECT word FROM thing WHERE n <= :n ORDER BY n", n=11)
            nobody = line.one("SELECT n FROM thing WHERE n = 1")
            nothing = line.change_by("UPDATE thing SET word = r.new {r}", {"new": "text"}, [])
        assert (gone(), named(), nobody(), nothing()) == (10, 2, None, 0)
        assert [row.word for row in words()] == [row.word for row in words()] == ["five", "ten", "eleven"]
    with ledger.read() as tx:
        assert tx.scalar("SELECT count(*) FROM thing") == 2491


def test_one_that_fails_among_those_that_go_together_undoes_the_whole(ledger):
    def fail():
        with ledger.write() as tx, tx.together() as line:
            line.change("DELETE FROM thing WHERE n = 1")
            line.change("INSERT INTO thing (n, word) VALUES (7, 'taken')")
            line.change("DELETE FROM thing")

    with pytest.raises(LedgerFault) as told:
        fail()
    assert not told.value.transient
    with ledger.read() as tx:
        assert tx.scalar("SELECT count(*) FROM thing") == 2500
    assert ledger.pool.in_use == 0


def test_what_fails_among_those_that_go_together_is_not_logged_by_the_driver(ledger, caplog):
    def fail():
        with ledger.write() as tx, tx.together() as line:
            line.change("INSERT INTO thing (n, word) VALUES (7, 'Carol Example')")
            raise ZeroDivisionError

    with pytest.raises((ZeroDivisionError, LedgerFault)):
        fail()
    assert caplog.text == ""
    with ledger.read() as tx:
        assert tx.scalar("SELECT word FROM thing WHERE n = 7") == "w7"


def _cut_off(ledger, *, first=True):
    """A transaction whose connection the server ends while the statements of a block wait."""
    with ledger.write() as tx:
        pid = None if first else tx.scalar("SELECT pg_backend_pid()")
        with tx.together() as line:
            line.change("INSERT INTO thing (n, word) VALUES (5000, 'lost')")
            line.one("SELECT pg_terminate_backend(coalesce(CAST(:pid AS int), pg_backend_pid())), pg_sleep(5)", pid=pid)
            line.change("INSERT INTO thing (n, word) VALUES (5001, 'lost')")


@pytest.mark.parametrize("first", [False, True])
@pytest.mark.parametrize("handling", [False, True])
def test_a_server_that_hangs_up_on_what_goes_together_is_told_as_that(postgres_url, first, handling):
    """Also to whoever clears up after something else."""
    ledger = Ledger(postgres_url)
    with ledger.write() as tx:
        tx.change("CREATE TABLE thing (n INTEGER PRIMARY KEY, word TEXT)")

    def work():
        try:
            if handling:
                raise KeyError
        finally:
            _cut_off(ledger, first=first)

    with pytest.raises(LedgerFault) as told:
        work()
    assert told.value.transient
    with ledger.read() as tx:
        assert tx.scalar("SELECT count(*) FROM thing") == 0
    assert ledger.pool.in_use == 0
    ledger.close()


def test_the_first_error_is_told_though_old_statements_are_forgotten_on_the_way(postgres_url):
    """psycopg forgets prepared statements beyond a hundred, by messages of its own in the same pipeline."""
    ledger = Ledger(postgres_url)
    with ledger.write() as tx:
        tx.change("CREATE TABLE thing (n INTEGER PRIMARY KEY, word TEXT)")
    for n in range(130):
        with ledger.read() as tx:
            for _ in range(6):
                tx.scalar(f"SELECT {n} + :n", n=n)

    def fail(n):
        with ledger.write() as tx, tx.together() as line:
            for _ in range(6):
                line.one(f"SELECT {n} + 500 + :n", n=n)
            line.insert_few("thing", {"n": "int", "word": "text"}, [(n, "a"), (n, "b")])
            for _ in range(6):
                line.one(f"SELECT {n} + 900 + :n", n=n)

    for n in range(20):
        with pytest.raises(LedgerFault) as told:
            fail(n)
        assert not told.value.transient
        assert type(told.value.orig).__name__ == "UniqueViolation"
    ledger.close()


@pytest.mark.parametrize("word", ["change", "one", "all"])
def test_nobody_is_answered_before_what_goes_together_has_gone(postgres_url, word):
    ledger = Ledger(postgres_url)

    def work():
        with ledger.write() as tx, tx.together() as line:
            getattr(line, word)("INSERT INTO kept (id) VALUES (1) RETURNING id")()

    with ledger.write() as tx:
        tx.change("CREATE TABLE kept (id BIGINT)")
    with pytest.raises(RuntimeError):
        work()
    with ledger.read() as tx:
        assert tx.scalar("SELECT count(*) FROM kept") == 0
    ledger.close()


@pytest.mark.parametrize("signalled", [False, True])
def test_what_is_raised_among_those_that_go_together_does_not_wait_for_them(postgres_url, signalled):
    """And costs its own connection alone."""
    ledger = Ledger(postgres_url)
    with ledger.read() as one, ledger.read() as other:
        known = {tx.scalar("SELECT pg_backend_pid()") for tx in (one, other)}

    def break_off(*_):
        raise _BrokenOff

    def work():
        with ledger.write() as tx, tx.together() as line:
            line.one("SELECT pg_sleep(600)")
            if signalled:
                time.sleep(600)
            raise _BrokenOff

    before = signal.signal(signal.SIGALRM, break_off)
    began = time.monotonic()
    try:
        signal.setitimer(signal.ITIMER_REAL, 1.0 if signalled else 60.0)
        with pytest.raises(_BrokenOff):
            work()
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert time.monotonic() - began < 30
    with ledger.read() as tx:
        assert tx.scalar("SELECT pg_backend_pid()") in known
    ledger.close()
