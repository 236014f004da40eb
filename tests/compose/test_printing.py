"""How facts print, by language and zone."""

import pytest
from jinja2.exceptions import UndefinedError

from dispatcher.compose.printing import Absent, Printer
from dispatcher.errors import TemplateError
from dispatcher.model.fact import FactKind
from tests.compose.sample import catalogue

WORDS = catalogue().get("holding-statement").words


def printer(locale="en", zone="Europe/London", escape=str):
    return Printer(locale, zone, WORDS[locale], escape)


@pytest.mark.parametrize(
    ("locale", "zone", "iso", "whole", "short"),
    [
        (
            "en",
            "Europe/London",
            "2026-11-20T18:30+00:00",
            "18:30 GMT on Friday 20 November 2026",
            "18:30 GMT on 20 November",
        ),
        (
            "en",
            "Europe/London",
            "2026-08-04T17:30+00:00",
            "18:30 BST (17:30 UTC) on Tuesday 4 August 2026",
            "18:30 BST on 4 August",
        ),
        (
            "en",
            "America/New_York",
            "2026-11-20T03:05+00:00",
            "22:05 EST (03:05 UTC) on Thursday 19 November 2026",
            "22:05 EST on 19 November",
        ),
        (
            "en",
            "America/Sao_Paulo",
            "2026-11-20T18:30+00:00",
            "15:30 UTC-03:00 (18:30 UTC) on Friday 20 November 2026",
            "15:30 UTC-03:00 on 20 November",
        ),
        (
            "fr",
            "Europe/Paris",
            "2026-11-20T18:30+00:00",
            "le vendredi 20 novembre 2026 à 19 h 30 CET (18 h 30 UTC)",
            "le 20 novembre à 19 h 30 CET",
        ),
        (
            "fr",
            "Europe/London",
            "2026-11-20T08:05+00:00",
            "le vendredi 20 novembre 2026 à 8 h 05 GMT",
            "le 20 novembre à 8 h 05 GMT",
        ),
    ],
)
def test_moments(locale, zone, iso, whole, short):
    moment = printer(locale, zone).value(FactKind.MOMENT, iso)
    assert str(moment) == whole
    assert moment.short == short


def test_moments_in_pieces():
    moment = printer().value(FactKind.MOMENT, "2026-11-20T18:30+00:00")
    assert (moment.time, moment.date, moment.iso) == ("18:30 GMT", "20 November 2026", "2026-11-20T18:30:00Z")


@pytest.mark.parametrize(
    ("locale", "minutes", "words"),
    [
        ("en", 1, "1 minute"),
        ("en", 90, "1 hour 30 minutes"),
        ("en", 2941, "2 days 1 hour 1 minute"),
        ("fr", 120, "2 heures"),
    ],
)
def test_spans(locale, minutes, words):
    assert printer(locale).value(FactKind.DURATION, minutes) == words


def test_numbers():
    assert printer().value(FactKind.NUMBER, 6500000) == "6,500,000"
    assert printer("fr").value(FactKind.NUMBER, 6500000) == "6 500 000"


def test_services_by_how_they_work():
    rows = [
        {"name": "orders", "state": "down", "region": "Wales", "note": None},
        {"name": "stores", "state": "operational", "region": None, "note": "n"},
        {"name": "returns", "state": "degraded", "region": None, "note": None},
    ]
    found = printer().value(FactKind.SERVICES, rows)
    assert [str(line) for line in found] == ["orders (Wales)", "stores", "returns"]
    assert [line.words for line in found] == ["not working", "working", "working with problems"]
    assert ([*map(str, found.down)], [*map(str, found.working)], [*map(str, found.degraded)]) == (
        ["orders (Wales)"], ["stores"], ["returns"],
    )  # fmt: skip


def test_only_what_is_certain_is_said_to_be_not_taken():
    rows = [
        {"data": "name", "place": "taken", "state": "confirmed", "note": None},
        {"data": "payment_full", "place": "not_taken", "state": "confirmed", "note": "not kept"},
        {"data": "health", "place": "not_taken", "state": "believed", "note": None},
        {"data": "shoe <size>", "place": "checking", "state": "unknown", "note": None},
    ]
    found = printer(escape=lambda text: text.replace("<", "&lt;")).value(FactKind.MATRIX, rows)
    assert found.taken == ("your name",)
    assert found.not_taken == ("your full payment card details (not kept)",)
    assert found.checking == ("information about your health", "shoe &lt;size>")


def test_an_absent_fact_is_false_and_never_prints():
    absent = Absent("known")
    assert not absent
    assert list(absent) == []
    for print_it in (str, lambda value: value.__html__()):
        with pytest.raises(UndefinedError, match="known was not given"):
            print_it(absent)
    with pytest.raises(UndefinedError, match="known was not given"):
        _ = absent.short


def test_a_time_of_the_next_update_that_nobody_gave_is_told_with_its_mend():
    for print_it in (str, lambda value: value.short):
        with pytest.raises(TemplateError) as caught:
            print_it(Absent("next_update"))
        assert "incident promise" in " ".join(caught.value.mend)
