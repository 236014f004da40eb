"""A world with one account and two people, and somebody who writes; a suite that needs another makes its own."""

import pytest

from dispatcher.ledger import people
from dispatcher.model.clock import to_ms
from dispatcher.model.kinds import Channel
from dispatcher.model.person import Person, Role
from tests.services.world import World


@pytest.fixture
def world(tmp_path, request):
    """On SQLite, and on both databases where a test asks for `database_url`."""
    url = request.getfixturevalue("database_url") if "database_url" in request.fixturenames else ""
    made = World(tmp_path, url, **{"organisation.time_zone": "Europe/London"})
    made.add_account("m", Channel.EMAIL)
    made.audience(2)
    return made


@pytest.fixture
def ana(world):
    with world.ctx.ledger.write() as tx:
        wanted = Person(0, "Ana", email="ana@example.com", roles=frozenset({Role.AUTHOR}))
        return people.add(tx, wanted, to_ms(world.clock.now()))
