"""Whom a person's `retry` concerns: who failed for certain, and has asked for no more neither then nor since."""

import pytest

from dispatcher.ledger import suppressions
from dispatcher.model.clock import to_ms
from dispatcher.model.kinds import Channel
from dispatcher.model.outcome import Accepted, Rejected
from dispatcher.services import settling
from tests.services.world import OPERATOR, UNKNOWN, World

YES, NO = Accepted("m"), Rejected("no")


@pytest.fixture
def world(tmp_path, database_url):
    made = World(tmp_path, database_url)
    made.mail, made.text = made.add_account("mail", Channel.EMAIL), made.add_account("text", Channel.SMS)
    made.audience(4)
    yield made
    made.ctx.ledger.close()


def test_retry_counts_and_tries_only_those_who_may_be_told(world):
    made = world.broadcast(["email", "sms"], {"email": ["mail"], "sms": ["text"]})
    world.release(made)
    world.mail.script.append([NO, NO, YES, UNKNOWN])
    world.text.script.append([NO, YES, YES, YES])
    for channel in ("email", "sms"):
        world.drain(channel)
    with world.ctx.ledger.write() as tx:
        gone = [suppressions.Wanted(Channel.EMAIL, "p1@example.com", "all", "hard_bounce")]
        suppressions.add(tx, gone, source="event", by=None, now=to_ms(world.clock.now()))
    assert settling.retry(world.ctx, OPERATOR, f"B-{made}") == 2
    for channel in ("email", "sms"):
        world.drain(channel)
    assert world.mail.calls[1:] == [["p2@example.com"]]
    assert world.text.calls[1:] == [["+447700900001"]]
    assert world.sums(made, "email") == {"planned": 4, "accepted": 2, "failed": 1, "unknown": 1}
    assert settling.retry(world.ctx, OPERATOR, f"B-{made}") == 0
