"""The same address and seed always meet the same fate."""

import pytest

from dispatcher.sandbox.fate import NUMBER_SUFFIXES, Fate, drawn_fate, mail_fate, number_fate


@pytest.mark.parametrize(
    ("address", "fate"),
    [
        ("bounce@example.com", Fate.BOUNCED),
        ("bounce.17@example.com", Fate.BOUNCED),
        ("Bounce+x@example.com", Fate.BOUNCED),
        ("latebounce-3@example.com", Fate.LATE_BOUNCE),
        ("block1@example.com", Fate.BLOCKED),
        ("optout_9@example.com", Fate.UNSUBSCRIBED),
        ("spamela@example.com", None),
        ("dropbox@example.com", None),
        ("ann.bounce@example.com", None),
        ("ann@bounce.example.com", None),
    ],
)
def test_the_first_word_of_an_address_names_its_fate(address, fate):
    assert mail_fate(address) is fate


def test_numbers_kept_for_fiction_can_name_every_fate():
    for suffix, fate in NUMBER_SUFFIXES.items():
        assert number_fate(f"+447700900{suffix}", NUMBER_SUFFIXES) is fate
        assert number_fate(f"+12025550{suffix}", NUMBER_SUFFIXES) is fate
    assert number_fate("+447700900100", NUMBER_SUFFIXES) is None


def test_shares_are_met_and_repeat():
    shares = {Fate.BOUNCED: 0.1, Fate.SILENT: 0.05}
    people = [f"p{n}@example.com" for n in range(4_000)]
    drawn = [drawn_fate(person, 7, shares) for person in people]
    assert drawn == [drawn_fate(person, 7, shares) for person in people]
    assert drawn != [drawn_fate(person, 8, shares) for person in people]
    assert 320 < drawn.count(Fate.BOUNCED) < 480
    assert 140 < drawn.count(Fate.SILENT) < 260


def test_without_shares_everything_is_delivered():
    assert drawn_fate("ann@example.com", 7, {}) is Fate.DELIVERED
