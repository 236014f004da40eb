"""The story of a report, from a ledger in which something really happened."""

import pytest

from dispatcher.ledger import audiences, curves, events
from dispatcher.model.clock import to_ms
from dispatcher.model.kinds import Channel
from dispatcher.model.outcome import Accepted, Rejected
from dispatcher.model.states import TERMS, DeliveryState
from dispatcher.reporting.story import Proof
from dispatcher.services.liveness import Progress
from dispatcher.services.report import story, write_report
from tests.services.world import World


@pytest.fixture
def world(tmp_path, database_url):
    made = World(tmp_path, database_url)
    yield made
    made.ctx.ledger.close()


@pytest.fixture
def told(world):
    """500 people by email in three requests a second apart, two of them refused; a thread of two posts; B-1."""

    def slowly(answer):
        def send(envelopes):
            world.clock.pass_by(1)
            return [answer(one) for one in envelopes]

        return send

    mail, posts = world.add_account("mail", Channel.EMAIL), world.add_account("x", Channel.SOCIAL)
    refused = {"p1@example.com", "p2@example.com"}
    answer = slowly(lambda one: Rejected("mailbox gone") if one.address in refused else Accepted("m"))
    mail.script.extend([answer] * 3)
    posts.script.extend([slowly(lambda _: Accepted("p"))] * 2)
    with world.ctx.ledger.write() as tx:
        version = audiences.open_version(tx, "customers", fields=[], source="x", region="", imported_by=None, now=0)
    world.audience(500, version=version.id)
    channels = ["email", "social"]
    accounts = {"email": ["mail"], "social": ["x"]}
    made = world.broadcast(channels, accounts, version=version.id, posts=("first", "second"))
    world.release(made)
    for channel in channels:
        world.drain(channel)
    return made


def kept(world, made, seqs, after):
    with world.ctx.ledger.write() as tx:
        at = to_ms(world.clock.now()) + after
        rose = events.fold(tx, made, {seq: (DeliveryState.DELIVERED, None) for seq in seqs})
        events.arrived(tx, {(made, at): rose.total()})


def test_the_story_has_every_number_of_the_ledger(world, told):
    kept(world, told, range(10, 110), 1500)
    found = story(world.ctx, "B-1")
    email, social = found.channels
    assert {term: email[term] for term in TERMS if email[term]} == {"accepted": 398, "delivered": 100, "failed": 2}
    assert email.reasons == {"failed": {"mailbox gone": 2}}
    assert social["accepted"] == 1
    assert found.people_reached == 498
    assert found.audience == "customers"
    assert found.mode_word == "DRILL"


def test_the_curve_rises_by_request_and_counts_a_thread_once(world, told):
    kept(world, told, range(100), 0)
    found = story(world.ctx, "B-1")
    assert found.curve[0].accepted == 0
    assert found.curve[-1].accepted == 499
    assert found.curve[-1].delivered == 98  # two had failed, and stay so
    assert [(s.channel, sum(s.waits.values())) for s in found.spreads] == [("email", 498), ("social", 1)]
    assert max(found.spreads[0].waits) - min(found.spreads[0].waits) == 2000


def test_a_curve_of_many_moments_is_put_into_steps(world, told):
    with world.ctx.ledger.read() as tx:
        rows = curves.accepted(tx, told, to_ms(world.clock.now()) - 10_000_000)
    assert {row.wait % 10_000 for row in rows} == {0}
    assert sum(int(row.n) for row in rows) == 499


def test_the_words_name_their_slots_and_how_many_get_them(world, told):
    words = {one.label: one for one in story(world.ctx, "B-1").words}
    assert words["email · en"].deliveries == 500
    assert "subject:\ns" in words["email · en"].text
    assert "<p>" not in words["email · en"].text
    assert words["social · en"].text == "post.1:\nfirst\n\npost.2:\nsecond"


def test_a_report_replaces_the_one_before_it(world, told, tmp_path):
    first = write_report(world.ctx, "B-1", tmp_path / "reports")
    again = write_report(world.ctx, "b-1", tmp_path / "reports", proofs=[Proof("told twice", 0, 3)])
    assert first == again
    assert "✖ no" in again.read_text()
    assert len(list((tmp_path / "reports").iterdir())) == 1


def test_progress_is_seen_by_attempts_and_only_missed_while_something_is_due(world):
    world.add_account("mail", Channel.EMAIL)
    world.audience(3)
    made = world.broadcast(["email"], {"email": ["mail"]})
    progress = Progress(world.ctx)
    assert progress()
    assert progress()
    world.release(made)
    assert progress()
    assert not progress()
    world.drain("email")
    assert progress()
    assert progress()
