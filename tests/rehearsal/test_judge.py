"""The judge must see every way in which ledger and vendors can differ."""

import json

import pytest

from dispatcher.rehearsal import judge
from dispatcher.sandbox.record import hash_address

MAIL = [f"p{n}@example.com" for n in range(5)]


def line(address, key, *, account="sendgrid", fate="delivered", kind="accepted"):
    return {
        "kind": kind, "vendor": account, "account": account, "request": "r1", "answer": "202", "began": 1.0,
        "ended": 2.0, "began_at": 3.0, "key": key, "message": f"m-{key}", "to": hash_address(address), "fate": fate,
    }  # fmt: skip


def row(address, state, channel="email"):
    return {"channel": channel, "state": state, "address": address}


ROWS = [
    row(MAIL[0], "delivered"),
    row(MAIL[1], "delivered"),
    row(MAIL[2], "failed"),
    row(MAIL[3], "suppressed"),
    row(MAIL[4], "accepted"),
]
LINES = [
    line(MAIL[0], "k0"),
    line(MAIL[1], "k1"),
    line(MAIL[2], "k2", fate="bounced"),
    line(MAIL[4], "k4", fate="silent"),
]


@pytest.fixture
def verdict(tmp_path):
    def reached(rows, lines, listed=5):
        path = tmp_path / "record.jsonl"
        path.write_text("".join(json.dumps(one) + "\n" for one in lines))
        proofs = judge.judge(rows, judge.read(path), {"email": listed})
        return {proof.claim: proof for proof in proofs if not proof.holds}

    return reached


def test_a_true_ledger_agrees_in_everything(verdict):
    assert verdict(ROWS, LINES) == {}


@pytest.mark.parametrize(
    ("rows", "lines", "claim"),
    [
        (ROWS[:-1], LINES, "email: people on the list"),
        (ROWS[:-1], LINES, "told, but not in the ledger"),
        (ROWS, LINES[1:], "email: counted as reached, found at the vendor"),
        (ROWS, [*LINES, line(MAIL[3], "k3")], "left out, but told all the same"),
        (ROWS, [*LINES, line(MAIL[0], "k0")], "told twice"),
        ([row(MAIL[0], "failed"), *ROWS[1:]], LINES, "email: delivered"),
        ([*ROWS[:2], row(MAIL[2], "delivered"), *ROWS[3:]], LINES, "email: taken on, then failed"),
    ],
)
def test_each_lie_is_seen(verdict, rows, lines, claim):
    assert claim in verdict(rows, lines)


def test_what_a_vendor_refused_was_told_to_nobody(verdict):
    refused = line(MAIL[2], None, kind="refused")
    assert verdict([*ROWS[:2], ROWS[2], *ROWS[3:]], [LINES[0], LINES[1], refused, LINES[3]]) == {}
