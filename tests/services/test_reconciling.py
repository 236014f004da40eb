"""What stays unknown where the vendor cannot be asked is settled by the policy, and `show` says so beforehand."""

import dataclasses

import pytest

from dispatcher.ledger import broadcasts
from dispatcher.model.kinds import Channel, Policy
from dispatcher.model.outcome import Accepted
from dispatcher.provider import ProviderSettings, can_be_asked, load
from dispatcher.services import explaining, reconciling, ticking
from dispatcher.services.context import Account
from dispatcher.wire import Wire
from tests.services.world import UNKNOWN, World

SETTLE = 900


class Relay:
    """A provider that can only send, as a mail relay can."""

    name = "relay"
    channel = Channel.EMAIL
    Settings = ProviderSettings
    recipients_per_request = 1000

    def __init__(self, vendor):
        self.send = vendor.send


class Teller(Relay):
    """One that sends and posts events, and cannot be asked."""

    def verify(self, request):
        raise AssertionError("no event comes here")

    parse = verify


@pytest.fixture
def world(tmp_path, database_url):
    made = World(tmp_path, database_url)
    made.add_account("relay", Channel.EMAIL)
    made.audience(3)
    yield made
    made.ctx.ledger.close()


def _unanswered(world, kind, policy):
    vendor = world.vendors["relay"]
    account = Account("relay", "relay", Channel.EMAIL, kind(vendor), ProviderSettings(base_url="http://127.0.0.1:9"))
    world.ctx = dataclasses.replace(world.ctx, accounts={"relay": account})
    made = world.broadcast(["email"], {"email": ["relay"]}, policy=policy)
    world.release(made)
    vendor.script.append(UNKNOWN)
    ticking.tick(world.ctx)
    world.drain("email")
    return made


def _explained(world, made):
    with world.ctx.ledger.read() as tx:
        broadcast = broadcasts.get(tx, made)
        [told] = explaining.explain(world.ctx, tx, broadcast, "email", {"unknown": 3}, None, {})
    return told


def test_at_most_once_leaves_them_listed_when_their_time_is_over(world):
    made = _unanswered(world, Relay, Policy.AT_MOST_ONCE)
    told = _explained(world, made)
    assert told.next == "Nobody can be asked, and no event will come: then they stay listed, as people are told at" \
        " most once."  # fmt: skip
    assert (told.next_at - told.since).total_seconds() == SETTLE
    world.clock.pass_by(SETTLE + 1)
    world.drain("email")
    assert "A person decides: dispatcher broadcast settle" in _explained(world, made).next
    with world.ctx.ledger.read() as tx:
        assert {row.reason for row in tx.all("SELECT reason FROM delivery")} == {reconciling.LEFT}
    assert len(world.vendors["relay"].calls) == 1


def test_at_least_once_sends_them_again_and_lists_each(world):
    made = _unanswered(world, Relay, Policy.AT_LEAST_ONCE)
    assert _explained(world, made).next.endswith("then they are sent again, marked as possible repeats.")
    world.clock.pass_by(SETTLE + 1)
    world.drain("email")
    world.drain("email")
    assert world.sums(made, "email") == {"planned": 3, "accepted": 3}
    with world.ctx.ledger.read() as tx:
        assert tx.scalar("SELECT count(*) FROM anomaly WHERE kind = 'possible repeat'") == 3


def test_one_about_whom_the_vendor_does_not_answer_holds_up_nobody(world):
    vendor = world.vendors["relay"]
    made = world.broadcast(["email"], {"email": ["relay"]})
    world.release(made)
    vendor.script.append(UNKNOWN)
    world.drain("email")
    vendor.found = {"p1@example.com": UNKNOWN, "p3@example.com": Accepted("m3")}
    world.clock.pass_by(SETTLE + 1)
    world.drain("email")
    with world.ctx.ledger.read() as tx:
        states = [(row.state, row.reason) for row in tx.all("SELECT state, reason FROM delivery ORDER BY seq")]
    assert states == [(4, "answer lost"), (4, reconciling.LEFT), (5, None)]
    vendor.found["p1@example.com"] = Accepted("m1")
    world.drain("email")
    assert world.sums(made, "email") == {"planned": 3, "accepted": 2, "unknown": 1}


def test_a_vendor_that_only_tells_is_not_said_to_be_asked(world):
    told = _explained(world, _unanswered(world, Teller, Policy.AT_MOST_ONCE))
    assert told.next.startswith("This vendor cannot be asked. An event may tell until then;")


@pytest.mark.parametrize(
    ("kind", "settings", "asked"),
    [("sendgrid", {"api_key": "SG.x.y", "sender": "care@example.com"}, False),
     ("sendgrid", {"api_key": "SG.x.y", "sender": "care@example.com", "activity": True}, True),
     ("smtp", {"base_url": "smtp://127.0.0.1:1", "sender": "care@example.com"}, False),
     ("x", {"bearer_token": "t"}, True)],
)  # fmt: skip
def test_who_can_be_asked(kind, settings, asked):
    provider = load(kind)
    assert can_be_asked(provider(provider.Settings(**settings), Wire())) is asked
