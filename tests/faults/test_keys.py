"""The same key from fifty hands at once: one broadcast, whoever comes first; other words under it are refused."""

import os
import threading
from collections import Counter

import pytest

from dispatcher.errors import Refused
from dispatcher.model.kinds import Channel
from dispatcher.model.person import Level, Person, Role
from dispatcher.services import drafting
from tests.services.world import World

pytestmark = pytest.mark.faults
AUTHOR = Person(1, "Author", roles=frozenset({Role.AUTHOR}), level=Level.COMMS_LEAD)
HANDS = 50
KEYS = 20 if os.environ.get("DISPATCHER_TEST_FULL") else 2


def _draft(ctx, key, title="t"):
    wanted = drafting.Draft(
        template="holding-statement", channels=(Channel.SOCIAL,), request_key=key, facts={("problem", None): title}
    )
    return drafting.draft(ctx, AUTHOR, wanted).ref


def _all_at_once(world, key):
    said, errors, ready = Counter(), [], threading.Barrier(HANDS)

    def hand():
        ready.wait()
        try:
            said[_draft(world.ctx, key)] += 1
        except Exception as error:
            errors.append(error)

    hands = [threading.Thread(target=hand) for _ in range(HANDS)]
    for one in hands:
        one.start()
    for one in hands:
        one.join()
    return said, errors


@pytest.mark.timeout(300)
def test_one_key_makes_one_broadcast_and_stands_for_its_words(tmp_path, database_url):
    world = World(tmp_path, database_url)
    world.add_account("post", Channel.SOCIAL)
    for number in range(KEYS):
        said, errors = _all_at_once(world, f"key-{number}")
        assert errors == []
        assert list(said.values()) == [HANDS]
        with pytest.raises(Refused, match="not from the same words"):
            _draft(world.ctx, f"key-{number}", "other")
    with world.ctx.ledger.read() as tx:
        assert tx.scalar("SELECT count(*) FROM broadcast") == KEYS
    world.ctx.ledger.close()
