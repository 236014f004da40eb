"""Messages of which no event came are asked after, at their ages, once each; what the vendor says is an event."""

import asyncio

import pytest

from dispatcher.ledger import counts
from dispatcher.model.event import Event, EventType
from dispatcher.model.kinds import Channel
from dispatcher.model.outcome import Accepted
from dispatcher.services import asking, dispatch, events
from tests.services.world import UNKNOWN, World

PEOPLE = 100
WORDS = {"delivered": EventType.DELIVERED, "undelivered": EventType.UNDELIVERED, "sent": EventType.PROCESSED}


class Talkative:
    """What a vendor would say of each message, by its id; None: it does not answer."""

    def __init__(self, vendor):
        self.asked, self.word = [], "delivered"
        vendor.fate = self.fate

    async def fate(self, provider_message_id, key, copy):
        self.asked.append(provider_message_id)
        word = self.word(provider_message_id) if callable(self.word) else self.word
        if word is None:
            return None
        return [Event(WORDS[word], key, copy=copy)]


@pytest.fixture
def world(tmp_path, database_url):
    made = World(tmp_path, database_url)
    yield made
    made.ctx.ledger.close()


@pytest.fixture
def talk(world):
    return Talkative(world.add_account("text", Channel.SMS, most=1))


@pytest.fixture
def sent(world, talk):
    world.audience(PEOPLE)
    made = world.broadcast(["sms"], {"sms": ["text"]})
    world.release(made)
    world.drain("sms")
    assert world.sums(made, "sms") == {"planned": PEOPLE, "accepted": PEOPLE}
    return made


def _ask(world):
    asyncio.run(dispatch.drain(world.ctx, "sms", seconds=1e9))


def test_nobody_is_asked_after_before_the_time(world, talk, sent):
    world.clock.pass_by(880)
    assert asking.due_channels(world.ctx) == set()
    _ask(world)
    assert talk.asked == []


def test_lost_words_are_asked_for_and_taken_as_events(world, talk, sent):
    world.clock.pass_by(930)
    assert asking.due_channels(world.ctx) == {"sms"}
    for _ in range(3):
        _ask(world)
        world.clock.pass_by(6)
    assert sorted(talk.asked) == sorted(set(talk.asked))
    assert world.sums(sent, "sms") == {"planned": PEOPLE, "delivered": PEOPLE}
    with world.ctx.ledger.read() as tx:
        assert counts.wrong_batches(tx, sent) == []
        assert tx.scalar("SELECT sum(n) FROM arrival") == PEOPLE


def test_who_stays_silent_is_asked_after_again_later_and_then_no_more(world, talk, sent):
    talk.word = "sent"
    for age in (900, 3600, 86_400, 3 * 86_400):
        world.clock.pass_by(age)
        for _ in range(4):
            _ask(world)
            world.clock.pass_by(21)
    assert len(talk.asked) == 3 * PEOPLE
    assert world.sums(sent, "sms") == {"planned": PEOPLE, "accepted": PEOPLE}


def test_a_vendor_that_does_not_answer_is_asked_again(world, talk, sent):
    talk.word = lambda _: None if len(talk.asked) > 10 else "undelivered"
    world.clock.pass_by(930)
    _ask(world)
    assert world.sums(sent, "sms") == {"planned": PEOPLE, "accepted": PEOPLE - 10, "failed": 10}
    talk.word = "delivered"
    for _ in range(4):
        world.clock.pass_by(21)
        _ask(world)
    assert world.sums(sent, "sms") == {"planned": PEOPLE, "delivered": PEOPLE - 10, "failed": 10}


def test_an_event_that_comes_after_all_changes_nothing(world, talk, sent):
    world.clock.pass_by(930)
    for _ in range(3):
        _ask(world)
        world.clock.pass_by(6)
    talk.word = "sent"
    world.clock.pass_by(3600)
    _ask(world)
    assert world.sums(sent, "sms") == {"planned": PEOPLE, "delivered": PEOPLE}
    assert len(talk.asked) == PEOPLE, "nobody who has a last word is asked after"


def test_a_message_of_which_only_an_event_told_is_looked_up_first(world, talk):
    world.audience(1)
    made = world.broadcast(["sms"], {"sms": ["text"]})
    world.release(made)
    vendor = world.vendors["text"]
    vendor.script.append(UNKNOWN)
    world.drain("sms")
    key = f"{world.ctx.ledger_id}.{made}.0"
    events.take(world.ctx, [Event(EventType.PROCESSED, key, copy=1)])
    assert world.sums(made, "sms") == {"planned": 1, "accepted": 1}
    vendor.found = {"+447700900001": Accepted("found")}
    world.clock.pass_by(930)
    _ask(world)
    assert talk.asked == ["found"]
    assert world.sums(made, "sms") == {"planned": 1, "delivered": 1}
