"""Word to our own people: who gets it, by which channel, and once."""

import dataclasses

import pytest

from dispatcher.ledger import accounts, broadcasts, controls, people
from dispatcher.model.clock import to_ms
from dispatcher.model.kinds import Channel, Mode, Purpose
from dispatcher.model.person import Level, Person, Role
from dispatcher.people import Right
from dispatcher.services import staff
from dispatcher.services.staff import Notice
from tests.services.world import World

HEARD = Notice("The account m is stopped", "The vendor refuses our key. Mend it: dispatcher doctor", key="account:m:1")


@pytest.fixture
def world(tmp_path, request):
    """On SQLite, and on both databases where a test asks for `database_url`."""
    url = request.getfixturevalue("database_url") if "database_url" in request.fixturenames else ""
    made = World(tmp_path, url)
    made.add_account("m", Channel.EMAIL)
    made.add_account("s", Channel.SMS, 1)
    return made


def person(world, name, *, email="", phone="", roles=(Role.OPERATOR,), level=Level.COMMS):
    with world.ctx.ledger.write() as tx:
        wanted = Person(0, name, email=email, phone=phone, roles=frozenset(roles), level=level)
        return people.add(tx, wanted, to_ms(world.clock.now()))


@pytest.fixture
def ana(world):
    return person(world, "Ana", email="ana@example.com", phone="+447700900001")


@pytest.fixture
def ben(world):
    return person(world, "Ben", email="ben@example.com")


def heard(world):
    for channel in ("email", "sms", "chat"):
        world.drain(channel)
    return sorted(address for vendor in world.vendors.values() for address, _ in vendor.told)


@pytest.mark.usefixtures("database_url")
def test_each_is_told_once_on_the_first_channel_that_reaches_them(world, ana, ben):
    told = staff.tell(world.ctx, [ana, ben, ana], HEARD)
    assert told.reached == {Channel.SMS: ("Ana",), Channel.EMAIL: ("Ben",)}
    assert heard(world) == ["+447700900001", "ben@example.com"]
    with world.ctx.ledger.read() as tx:
        made = broadcasts.get(tx, 1)
        assert (made.purpose, made.ref) == (Purpose.STAFF, told.ref)
    assert world.sums(1, "sms") == {"planned": 1, "accepted": 1}


@pytest.mark.usefixtures("database_url")
def test_the_same_occasion_is_told_once(world, ana):
    assert staff.tell(world.ctx, [ana], HEARD).ref == "B-1"
    assert staff.tell(world.ctx, [ana], HEARD) is None
    assert staff.tell(world.ctx, [ana], dataclasses.replace(HEARD, key="account:m:2")).ref == "B-2"


def test_a_frozen_channel_means_the_next_one(world, ana):
    with world.ctx.ledger.write() as tx:
        controls.freeze(tx, Channel.SMS, "strange hands", 1)
    assert staff.tell(world.ctx, [ana], HEARD).reached == {Channel.EMAIL: ("Ana",)}
    assert heard(world) == ["ana@example.com"]


def test_a_stopped_account_means_the_next_one(world, ana):
    with world.ctx.ledger.write() as tx:
        accounts.pause(tx, "s", "refused", 1)
    assert staff.tell(world.ctx, [ana], HEARD).reached == {Channel.EMAIL: ("Ana",)}


@pytest.mark.usefixtures("database_url")
def test_whom_nothing_else_reaches_hears_it_in_a_room_of_ours(world, ana):
    world.add_account("room", Channel.CHAT, 1)
    cleo = person(world, "Cleo")
    told = staff.tell(world.ctx, [ana, cleo], HEARD)
    assert told.reached == {Channel.SMS: ("Ana",), Channel.CHAT: ("Cleo",)}
    assert heard(world) == ["+447700900001", "room"]
    with world.ctx.ledger.read() as tx:
        words = next(r for r in broadcasts.renditions(tx, 1).values() if r.channel is Channel.CHAT).parts["text"]
    assert "For Cleo." in words


def test_whom_nothing_reaches_is_named(world):
    dan = person(world, "Dan")
    told = staff.tell(world.ctx, [dan], HEARD)
    assert (told.ref, told.unreached) == ("", ("Dan",))
    with world.ctx.ledger.read() as tx:
        acts = tx.all("SELECT verb, detail FROM act")
    assert [(a.verb, a.detail) for a in acts] == [("staff not told", f"nothing reaches Dan: {HEARD.subject}")]


def test_a_drill_says_so_and_stays_on_this_machine(world, ana):
    account = world.ctx.accounts["s"]
    away = dataclasses.replace(
        account, settings=account.settings.model_copy(update={"base_url": "https://sms.example.com"})
    )
    world.ctx = dataclasses.replace(world.ctx, accounts=dict(world.ctx.accounts) | {"s": away})
    told = staff.tell(world.ctx, [ana], dataclasses.replace(HEARD, mode=Mode.DRILL))
    assert told.reached == {Channel.EMAIL: ("Ana",)}
    with world.ctx.ledger.read() as tx:
        (rendition,) = broadcasts.renditions(tx, 1).values()
    assert all(text.startswith("EXERCISE ") for text in rendition.parts.values())


def test_a_line_break_in_a_subject_becomes_no_header(world, ben):
    told = staff.tell(world.ctx, [ben], Notice("Two\r\nBcc: x@example.com", "words"))
    assert told.ref
    with world.ctx.ledger.read() as tx:
        (rendition,) = broadcasts.renditions(tx, 1).values()
    assert rendition.parts["subject"] == "Two Bcc: x@example.com"


def test_people_are_found_by_name_role_level_and_right(world, ana, ben):
    eve = person(world, "Eve", roles=(Role.APPROVER,), level=Level.LEGAL)
    with world.ctx.ledger.read() as tx:
        assert staff.holders(tx, ["ana", "legal"]) == [ana, eve]
        assert staff.holders(tx, ["operator"]) == [ana, ben]
        assert staff.who_may(tx, Right.APPROVE) == [eve]
