"""Posts that wait share a transaction; nobody is answered before it, and nobody pays for a neighbour."""

import json
import threading
from contextlib import contextmanager

import pytest

from dispatcher.bootstrap import build
from dispatcher.ledger.engine import LedgerFault
from dispatcher.web import together
from tests.embedded.waiting import until
from tests.web.conftest import signed


@pytest.fixture
def ctx(web_settings, database_url):
    """As in the neighbours' tests, once on each database."""
    web_settings.work_dir.mkdir(parents=True)
    ctx = build(web_settings.model_copy(update={"database_url": type(web_settings.database_url)(database_url)}))
    yield ctx
    ctx.doorbell.close()
    ctx.ledger.close()


class Gate:
    """Stands before each commit of a ledger while it is shut, and counts those that went through."""

    def __init__(self, ledger):
        self.opened = threading.Event()
        self.arrived, self.commits = 0, 0
        self._write, ledger.write = ledger.write, self.write

    @contextmanager
    def write(self):
        with self._write() as tx:
            yield tx
            self.arrived += 1
            assert self.opened.wait(60)
        self.commits += 1


class Crowd:
    """Posts on threads of their own; `codes` by body as they are answered."""

    def __init__(self, site, bodies):
        self.codes = {}
        self._site = site
        self._threads = [threading.Thread(target=self._post, args=(body,)) for body in bodies]
        for thread in self._threads:
            thread.start()

    def _post(self, body):
        self.codes[body] = self._site.ask("POST", "/webhooks/mail", body, signed(body))[0]

    def join(self):
        for thread in self._threads:
            thread.join(60)
        return self.codes


def stored(ctx):
    with ctx.ledger.read() as tx:
        return [bytes(row.body) for row in tx.all("SELECT * FROM inbox WHERE state = 0 ORDER BY id")]


def bodies(count, first=0):
    return [json.dumps([{"sg_event_id": str(n)}]).encode() for n in range(first, first + count)]


def test_nothing_is_answered_before_it_is_stored_and_what_waits_is_stored_together(serve, ctx):
    site, gate = serve(ctx), Gate(ctx.ledger)
    first = Crowd(site, bodies(1))
    assert until(lambda: gate.arrived == 1)
    others = Crowd(site, bodies(30, first=1))
    assert until(lambda: len(site_waiting(site)) == 30)
    assert (first.codes, others.codes, stored(ctx)) == ({}, {}, [])
    gate.opened.set()
    assert set(first.join().values()) | set(others.join().values()) == {204}
    assert sorted(stored(ctx)) == sorted(bodies(31))
    assert gate.commits == 2


def site_waiting(site):
    """What waits beside the group that is being written."""
    return site.posts._waiting


@pytest.fixture
def serve(serve, monkeypatch):
    """Remembers the writer that the application made."""
    made = []
    real = together.Together.__init__

    def init(self, *args):
        real(self, *args)
        made.append(self)

    monkeypatch.setattr(together.Together, "__init__", init)

    def begin(ctx):
        site = serve(ctx)
        site.posts = made[-1]
        return site

    return begin


def test_what_the_ledger_refuses_spoils_no_neighbour(serve, ctx, logged):
    forbid(ctx, b"[]")
    site, gate = serve(ctx), Gate(ctx.ledger)
    first = Crowd(site, bodies(1))
    assert until(lambda: gate.arrived == 1)
    others = Crowd(site, [*bodies(5, first=1), b"[]"])
    assert until(lambda: len(site_waiting(site)) == 6)
    gate.opened.set()
    first.join()
    codes = others.join()
    assert codes.pop(b"[]") == 500
    assert set(codes.values()) == {204}
    assert sorted(stored(ctx)) == sorted(bodies(6))


def forbid(ctx, body):
    """The database itself refuses this one body."""
    with ctx.ledger.write() as tx:
        if tx.is_sqlite:
            tx.change(
                "CREATE TRIGGER forbidden BEFORE INSERT ON inbox WHEN CAST(NEW.body AS TEXT) = '[]'"
                " BEGIN SELECT RAISE(ABORT, 'forbidden'); END"
            )
        else:
            tx.change("ALTER TABLE inbox ADD CONSTRAINT forbidden CHECK (body <> '\\x5b5d'::bytea)")
    assert body == b"[]"


def test_groups_are_bounded_and_in_the_order_of_arrival(serve, ctx, monkeypatch):
    monkeypatch.setattr(together, "MOST", 4)
    site, gate = serve(ctx), Gate(ctx.ledger)
    first = Crowd(site, bodies(1))
    assert until(lambda: gate.arrived == 1)
    others = Crowd(site, bodies(10, first=1))
    assert until(lambda: len(site_waiting(site)) == 10)
    order = [post.request.body for post, _ in site_waiting(site)]
    gate.opened.set()
    first.join()
    others.join()
    assert stored(ctx) == [*bodies(1), *order]
    assert gate.commits == 1 + 3


def test_a_ledger_that_is_away_is_told_to_everybody_who_waits(serve, ctx, logged):
    site, gate = serve(ctx), Gate(ctx.ledger)
    first = Crowd(site, bodies(1))
    assert until(lambda: gate.arrived == 1)
    others = Crowd(site, bodies(3, first=1))
    assert until(lambda: len(site_waiting(site)) == 3)

    @contextmanager
    def away():
        raise LedgerFault(OSError("away"), transient=True)
        yield

    ctx.ledger.write = away
    gate.opened.set()
    assert set(first.join().values()) == {204}
    assert set(others.join().values()) == {500}
    assert stored(ctx) == bodies(1)
