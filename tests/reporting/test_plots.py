"""Drawings: well formed, named for those who cannot see them, and equal to their tables."""

from xml.etree import ElementTree

import pytest

from dispatcher.reporting import plots
from dispatcher.reporting.story import Spread, Sums
from dispatcher.reporting.svg import Scale, seconds
from tests.reporting.story_of import EMAIL, SMS, story

ALL = [
    plots.bars((EMAIL, SMS)),
    plots.reach(story().curve, 1400),
    plots.waits(story().spreads),
    plots.failures((EMAIL, SMS)),
]


@pytest.mark.parametrize("figure", ALL, ids=lambda f: f.name)
def test_a_drawing_is_an_image_with_a_title_and_a_description(figure):
    root = ElementTree.fromstring(figure.svg)
    named = {node.get("id"): node.text for node in root.iter() if node.get("id")}
    assert root.get("role") == "img"
    assert [named[i] for i in root.get("aria-labelledby").split()] == [figure.title, figure.sentence]
    assert figure.table.rows


def test_the_widths_of_a_bar_are_in_proportion_to_its_numbers():
    root = ElementTree.fromstring(plots.bars((EMAIL,)).svg)
    wide = {}
    for rect in root.iter("rect"):
        if (note := rect.find("title")) is not None:
            wide[note.text] = float(rect.get("width"))
    assert list(wide) == ["delivered 950", "unknown 8", "failed 30", "suppressed 12"]
    assert wide["delivered 950"] + 1.5 == pytest.approx((720 - 84) * 0.95, abs=0.2)
    assert wide["failed 30"] + 1.5 == pytest.approx((720 - 84) * 0.03, abs=0.2)


def test_every_term_but_one_has_a_pattern_so_that_colour_is_never_the_only_sign():
    root = ElementTree.fromstring(plots.patterns())
    drawn = {node.get("id").removeprefix("p-"): ElementTree.tostring(node[1]) for node in root.iter("pattern")}
    assert {*drawn, "delivered"} == set(plots.DRAWN)
    assert len(set(drawn.values())) == len(drawn)


def test_the_table_of_sums_has_every_channel_and_the_total():
    table = plots.sums_table((EMAIL, SMS))
    assert [row[0] for row in table.rows] == ["email", "sms", "total"]
    assert dict(zip(table.headers, table.rows[2], strict=True))["failed"] == 35


def test_what_has_not_happened_yet_is_said_and_not_drawn():
    nothing = (Sums("email", {"planned": 5, "held": 5}),)
    assert plots.reach((), 5).svg == plots.waits([Spread("email", {})]).svg == plots.failures(nothing).svg == ""
    assert plots.failures(nothing).sentence == "No delivery failed."


def test_a_cause_from_outside_cannot_become_markup():
    hostile = Sums("sms", {"planned": 1, "failed": 1}, {"failed": {"<script>x</script>": 1}})
    assert "<script>" not in plots.failures((hostile,)).svg
    ElementTree.fromstring(plots.failures((hostile,)).svg)


@pytest.mark.parametrize(
    ("value", "said"), [(0.4, "0.4 s"), (3, "3 s"), (75, "75 s"), (200, "3 min 20 s"), (7500, "2 h 05 min")]
)
def test_durations_are_said_as_people_say_them(value, said):
    assert seconds(value) == said


@pytest.mark.parametrize("high", [0.07, 1, 7, 43, 999, 12_480, 10**6])
def test_axes_have_a_few_round_ticks(high):
    ticks = Scale(high, 0, 100).ticks()
    assert 3 <= len(ticks) <= 12
    assert ticks[0] == 0
    assert ticks[-1] <= high * 1.0001
