"""A small table on each of the two databases."""

import pytest

from dispatcher.ledger.engine import Ledger


@pytest.fixture(params=["sqlite", "postgresql"])
def ledger(request, tmp_path):
    url = f"sqlite:///{tmp_path}/l.db" if request.param == "sqlite" else request.getfixturevalue("postgres_url")
    found = Ledger(url)
    with found.write() as tx:
        tx.change("CREATE TABLE thing (n INTEGER PRIMARY KEY, word TEXT)")
        tx.insert("thing", ("n", "word"), [(n, f"w{n}") for n in range(2500)])
    yield found
    with found.write() as tx:
        tx.change("DROP TABLE thing")
    found.close()
