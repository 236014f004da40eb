"""How many an audience reaches, on both databases, and how PostgreSQL finds out where a great many are suppressed."""

import pytest

from dispatcher.ledger import measures
from dispatcher.ledger.engine import Tx
from dispatcher.ledger.migrate import open_ledger
from dispatcher.model.kinds import Channel

PEOPLE = 2_000
BOTH = (Channel.EMAIL, Channel.SMS)
COLUMNS = ("version_id", "rid", "email", "phone", "locale", "fields")


def filled(url):
    """Everybody has a mail address, one in two a telephone; the first half refuses mail, one in four texts."""
    ledger = open_ledger(url)
    with ledger.write() as tx:
        people = range(1, PEOPLE + 1)
        tx.insert("recipient", COLUMNS, ((1, n, _mail(n), _phone(n) if n % 2 else None, None, "{}") for n in people))
        refused = [("email", _mail(n)) for n in people if n <= PEOPLE // 2]
        refused += [("sms", _phone(n)) for n in people if n % 4 == 1]
        columns = ("channel", "address", "scope", "reason", "created_at", "source")
        tx.insert("suppression", columns, ((*one, "all", "opted out", 1, "person") for one in refused))
    return ledger


@pytest.fixture
def ledger(database_url):
    ledger = filled(database_url)
    yield ledger
    ledger.close()


def _mail(n):
    return f"p{n}@example.com"


def _phone(n):
    return f"+4477009{n:05}"


def test_who_is_refused_on_one_channel_may_be_reached_on_the_other(ledger):
    with ledger.read() as tx:
        assert measures.reach(tx, 1, Channel.EMAIL, ["all"]) == (PEOPLE, PEOPLE // 2, 0)
        assert measures.reach(tx, 1, Channel.SMS, ["all"]) == (PEOPLE // 2, PEOPLE // 4, PEOPLE // 2)
        assert measures.people(tx, 1, BOTH, ["all"]) == PEOPLE // 2 + PEOPLE // 8
        assert measures.people(tx, 1, [], ["all"]) == 0


@pytest.mark.postgres
def test_a_list_too_long_for_memory_is_not_read_once_for_each_recipient(postgres_url, monkeypatch):
    ledger = filled(postgres_url)
    asked = []
    run = Tx.scalar
    monkeypatch.setattr(Tx, "scalar", lambda tx, sql, **values: asked.append((sql, values)) or run(tx, sql, **values))
    with ledger.write() as tx:
        tx.change("ANALYZE")
    with ledger.read() as tx:
        tx.change("SET LOCAL work_mem = '64kB'")
        measures.people(tx, 1, BOTH, ["all"])
        measures.reach(tx, 1, Channel.EMAIL, ["all"])
        plans = ["\n".join(row[0] for row in tx.all(f"EXPLAIN {sql}", **values)) for sql, values in asked]
    assert len(plans) == 2
    assert not [plan for plan in plans if "SubPlan" in plan]
    ledger.close()
