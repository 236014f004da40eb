"""Who did not get it: people whom no channel has reached, not channels that failed to reach them."""

import pytest

from dispatcher.model.kinds import Channel, Policy
from dispatcher.model.outcome import Accepted, Rejected
from dispatcher.services import exporting
from tests.services.world import OPERATOR, UNKNOWN, World

YES, NO = Accepted("m"), Rejected("no")


@pytest.fixture
def world(tmp_path, database_url):
    made = World(tmp_path, database_url)
    made.mail, made.text = made.add_account("mail", Channel.EMAIL), made.add_account("text", Channel.SMS)
    made.posts = made.add_account("posts", Channel.SOCIAL)
    made.audience(4, no_phone=(3, 4))
    yield made
    made.ctx.ledger.close()


def listed(world, broadcast, **more):
    return [(r["channel"], r["recipient"]) for r in exporting.rows(world.ctx, OPERATOR, f"B-{broadcast}", **more)]


def test_whom_one_channel_reached_is_not_listed_as_unreached_by_another(world):
    accounts = {"email": ["mail"], "sms": ["text"], "social": ["posts"]}
    made = world.broadcast(["email", "sms", "social"], accounts)
    world.release(made)
    assert len(listed(world, made, unreached=True)) == 7, "nobody is reached before anything is sent"
    world.mail.script.append([YES, NO, NO, YES])
    world.text.script.append([NO, YES])
    world.posts.script.append([NO])
    for channel in accounts:
        world.drain(channel)
    assert listed(world, made, unreached=True) == [("email", 3), ("social", 0)]
    assert len(listed(world, made)) == 7


def test_who_may_have_got_it_more_than_once_is_told_by_name(world):
    made = world.broadcast(["email"], {"email": ["mail"]}, size=2, policy=Policy.AT_LEAST_ONCE)
    world.release(made)
    world.mail.script.append([YES, UNKNOWN])
    world.drain("email")
    world.clock.pass_by(world.ctx.settings.dispatch.settle_seconds["email"] + 1)
    world.drain("email")
    world.drain("email")
    rows = list(exporting.rows(world.ctx, OPERATOR, f"B-{made}"))
    assert [(row["recipient"], row["possible_repeats"]) for row in rows] == [(1, 0), (2, 1), (3, 0), (4, 0)]
    assert {row["state"] for row in rows} == {"accepted"}


def test_who_is_being_told_right_now_is_exported_with_the_account_and_since_when(world):
    made = world.broadcast(["email"], {"email": ["mail"]})
    world.release(made)
    world.intended(world.claimed("email"), "mail", 0, 1)
    rows = list(exporting.rows(world.ctx, OPERATOR, f"B-{made}"))
    at = world.clock.now().isoformat()
    assert [(r["account"], r["attempted_at"], r["answered_at"]) for r in rows] == [("mail", at, "")] * 2 + [
        ("", "", "")
    ] * 2
