"""A broadcast under way, as frames, lines and objects."""

import io
import json
from datetime import UTC, datetime

import pytest
from rich.console import Console

from dispatcher.cli import progress
from dispatcher.cli.session import Session
from dispatcher.cli.verdict import raise_verdict
from dispatcher.errors import NothingSent, SomeNotReached, Stopped, TooLate
from dispatcher.model.states import TERMS


def terms(**given):
    counts = dict.fromkeys(TERMS, 0) | given
    return {"planned": sum(counts.values()), **counts}


def view(state="released", **channels):
    total = {term: sum(c[term] for c in channels.values()) for term in ("planned", *TERMS)}
    return {
        "ref": "B-7", "title": "Outage", "state": state, "mode": "drill", "test_endpoints": [],
        "channels": channels, "total": total,
    }  # fmt: skip


def now():
    return datetime(2026, 11, 22, 18, 3, 5, tzinfo=UTC)


HALF = view(email=terms(delivered=790, failed=4, pending=206), sms=terms(pending=10))
DONE = view("done", email=terms(delivered=990, failed=10), sms=terms(pending=10))


def test_plain_prints_one_line_per_change_and_nothing_twice(capsys):
    last = progress.follow(Session(plain=True), [HALF, HALF, DONE], now)
    assert last == DONE
    assert capsys.readouterr().out.splitlines() == [
        "18:03:05 B-7 released",
        "18:03:05 email 794 of 1,000: delivered 790, failed 4, pending 206",
        "18:03:05 sms 0 of 10: pending 10",
        "18:03:05 B-7 done",
        "18:03:05 email 1,000 of 1,000: delivered 990, failed 10",
    ]


def test_json_prints_one_object_a_line(capsys):
    progress.follow(Session(json=True), [HALF, HALF, DONE], now)
    assert [json.loads(line) for line in capsys.readouterr().out.splitlines()] == [HALF, DONE]


def test_a_frame_says_the_mode_and_every_number_in_words():
    console = Console(file=io.StringIO(), width=120)
    console.print(progress.frame(HALF))
    shown = console.file.getvalue()
    assert "DRILL" in shown
    assert "794/1,000" in shown
    assert "delivered 790, failed 4, pending 206" in shown


@pytest.mark.parametrize(
    ("counts", "bar"),
    [
        (terms(delivered=10), "█" * 24),
        (terms(pending=10), "░" * 24),
        (terms(delivered=5, failed=5), "█" * 12 + "▒" * 12),
        (terms(delivered=9_999, failed=1), "█" * 23 + "▒"),
        (terms(delivered=12, suppressed=12), "█" * 24),
        (terms(), "░" * 24),
    ],
)
def test_a_bar_is_full_only_when_all_is_well(counts, bar):
    assert progress.bar(counts).plain == bar


def test_what_keeps_a_channel_waiting_is_told():
    held = terms(held=3) | {"frozen": "account stolen", "accounts": {"twilio": "broken: 503", "other": "open"}}
    assert progress.trouble(held) == "frozen: account stolen; twilio broken: 503"


def test_the_sum_names_its_terms():
    assert progress.sum_line(HALF["total"]) == "1,010 planned = 216 pending + 790 delivered + 4 failed"


@pytest.mark.parametrize(
    ("state", "counts", "error"),
    [
        ("done", terms(delivered=9, suppressed=1), None),
        ("done", terms(delivered=9, failed=1), SomeNotReached),
        ("done", terms(accepted=9, unknown=1), SomeNotReached),
        ("done", terms(failed=5), NothingSent),
        ("expired", terms(expired=5), TooLate),
        ("expired", terms(accepted=1, expired=5), SomeNotReached),
        ("stopped", terms(accepted=4, cancelled=5), Stopped),
    ],
)
def test_the_end_of_a_broadcast_decides_the_exit_code(state, counts, error):
    if error is None:
        raise_verdict(view(state, email=counts))
        return
    with pytest.raises(error) as caught:
        raise_verdict(view(state, email=counts))
    assert "planned = " in caught.value.why
    assert caught.value.mend
