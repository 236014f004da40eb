"""Who a following broadcast goes to: exactly those the first one reached, or exactly those it still holds."""

import pytest

from dispatcher.ledger import derived
from dispatcher.model.kinds import Channel
from dispatcher.model.outcome import Accepted, OutcomeUnknown, Rejected
from tests.services.world import World

BOTH = {Channel.EMAIL: [Channel.EMAIL], Channel.SMS: [Channel.SMS]}


@pytest.fixture
def world(tmp_path, database_url):
    made = World(tmp_path, database_url)
    yield made
    made.ctx.ledger.close()


def _told(world, people=5):
    mail = world.add_account("mail", Channel.EMAIL)
    text = world.add_account("text", Channel.SMS, most=1)
    world.audience(people, version=900, no_phone={2})
    made = world.broadcast(["email", "sms"], {"email": ["mail"], "sms": ["text"]}, version=900)
    with world.ctx.ledger.write() as tx:
        tx.change("INSERT INTO audience (id, name, created_at) VALUES (900, 'all', 1)")
        tx.change(
            "INSERT INTO audience_version"
            " (id, audience_id, number, size, content_hash, fields, source, region, created_at)"
            " VALUES (900, 900, 1, 5, '', '[\"name\"]', 'x', '', 1)"
        )
    return mail, text, made


def _rows(world, version):
    with world.ctx.ledger.read() as tx:
        return [tuple(row) for row in tx.all(
            "SELECT email, phone FROM recipient WHERE version_id = :v ORDER BY rid", v=version
        )]  # fmt: skip


def test_a_correction_goes_where_the_wrong_words_went(world):
    mail, _, made = _told(world)
    world.release(made)
    mail.script.append([Accepted("m"), Rejected("no"), OutcomeUnknown("lost"), Accepted("m"), Rejected("no")])
    world.drain("email")
    world.drain("sms")
    with world.ctx.ledger.write() as tx:
        version = derived.people(tx, "correction", [made], derived.REACHED, BOTH, by=None, now=1)
    assert version.size == 4
    assert _rows(world, version.id) == [
        ("p1@example.com", "+447700900001"), ("p3@example.com", "+447700900003"),
        ("p4@example.com", "+447700900004"), (None, "+447700900005"),
    ]  # fmt: skip


def test_held_people_move_to_another_channel_and_nobody_else(world):
    _, _, made = _told(world)
    world.release(made)
    world.drain("email")
    moved = {Channel.SMS: [Channel.EMAIL]}
    with world.ctx.ledger.write() as tx:
        version = derived.people(tx, "rerouted", [made], derived.HELD, moved, by=None, now=1)
    assert _rows(world, version.id) == [(f"p{i}@example.com", None) for i in (1, 3, 4, 5)]


def test_nobody_is_in_an_update_twice(world):
    _, _, first = _told(world)
    second = world.broadcast(["email"], {"email": ["mail"]}, version=900)
    for made in (first, second):
        world.release(made)
    world.drain("email")
    with world.ctx.ledger.write() as tx:
        version = derived.people(tx, "update", [first, second], derived.REACHED, BOTH, by=None, now=1)
    assert _rows(world, version.id) == [(f"p{i}@example.com", None) for i in range(1, 6)]


def test_an_audience_of_nobody_is_refused(world):
    from dispatcher.errors import AudienceError

    _, _, made = _told(world)
    with pytest.raises(AudienceError), world.ctx.ledger.write() as tx:
        derived.people(tx, "correction", [made], derived.REACHED, BOTH, by=None, now=1)
