"""The judge itself: a ledger and a vendors' record in which one thing is wrong, and the verdict that has to see it."""

import json
from types import SimpleNamespace

import pytest

from dispatcher.ledger import claims, controls
from dispatcher.model.clock import to_ms
from dispatcher.model.kinds import Channel
from tests.faults.scenarios import SCENARIOS, _tell
from tests.faults.verdicts import Hits, Verdict, verdict_of
from tests.services.world import World

pytestmark = pytest.mark.faults
PEOPLE = 12
PLACES = {"email": 3, "sms": 1003}
"""A delivery of each channel, with which something happens."""


class Bench:
    """A broadcast of which everybody was told, as the ledger and the vendors' record both say."""

    def __init__(self, folder):
        self.record = folder / "vendors.jsonl"
        self.world = World(folder, "")
        for name, channel in (("mail", Channel.EMAIL), ("text", Channel.SMS)):
            self.world.add_account(name, channel)
        self.world.audience(PEOPLE)
        self.made = self.world.broadcast(["email", "sms"], {"email": ["mail"], "sms": ["text"]}, size=4)
        self.world.release(self.made)
        for channel in ("email", "sms"):
            self.world.drain(channel)
        self.lines = [(seq, "accepted") for first in (0, 1000) for seq in range(first, first + PEOPLE)]

    def put(self, seq, state, reason=None):
        """This delivery gets another state, and its batch's counters with it."""
        with self.world.ctx.ledger.write() as tx:
            tx.change(
                "UPDATE delivery SET state = :s, reason = :why WHERE broadcast_id = :b AND seq = :seq",
                s=state, why=reason, b=self.made, seq=seq,
            )  # fmt: skip
            claims.recount(tx, self.made, seq // 1000, seq // 1000)

    def verdict(self, **how):
        """What the judge says."""
        keys = [f"{self.world.ctx.ledger_id}.{self.made}.{seq}" for seq, _ in self.lines]
        common = {"vendor": "v", "account": "a", "request": "r", "answer": "202", "began": 1, "ended": 2, "began_at": 1}
        told = [common | {"kind": kind, "key": key} for key, (_, kind) in zip(keys, self.lines, strict=True)]
        self.record.write_text("".join(json.dumps(line) + "\n" for line in told))
        return verdict_of(
            SimpleNamespace(ctx=self.world.ctx, vendors=SimpleNamespace(record=self.record)), self.made, **how
        )


@pytest.fixture
def bench(tmp_path):
    made = Bench(tmp_path)
    yield made
    made.world.ctx.ledger.close()


def test_what_is_right_is_green(bench):
    found = bench.verdict()
    assert (found.good, found.planned, found.states) == (True, 2 * PEOPLE, {"accepted": 2 * PEOPLE})


@pytest.mark.parametrize("channel", PLACES)
@pytest.mark.parametrize(
    ("state", "told", "seen"),
    [
        (0, 0, "lost"), (0, 1, "lost"), (3, 1, "lost"), (8, 1, "lost"), (9, 1, "lost"), (5, 0, "false_accepts"),
        (6, 0, "false_accepts"), (5, 2, "twice"), (1, 1, "refused"), (1, 0, "strange"), (2, 0, "strange"),
        (7, 0, "strange"), (8, 0, "strange"), (9, 0, "strange"),
    ],
)  # fmt: skip
def test_one_delivery_that_is_wrong_turns_a_run_red(bench, channel, state, told, seen):
    seq = PLACES[channel]
    bench.put(seq, state)
    bench.lines = [line for line in bench.lines if line[0] != seq] + [(seq, "accepted")] * told
    found = bench.verdict()
    assert getattr(found, seen) > 0
    assert not found.good


@pytest.mark.parametrize("channel", PLACES)
def test_what_was_asked_about_may_not_stay_unknown_once_told(bench, channel):
    bench.put(PLACES[channel], 4)
    assert (bench.verdict().good, bench.verdict(asked=(channel,)).lost) == (True, 1)


def test_who_was_refused_by_name_or_put_aside_may_have_failed(bench):
    for seq, why in ((3, None), (1003, "quarantined: 3 workers crashed on it")):
        bench.put(seq, 7, why)
    bench.lines = [line for line in bench.lines if line[0] not in (3, 1003)] + [(3, "refused")]
    assert bench.verdict().good


def test_what_was_ended_may_be_over(bench):
    bench.put(3, 0)
    bench.lines = [line for line in bench.lines if line[0] != 3]
    with bench.world.ctx.ledger.write() as tx:
        controls.move(tx, bench.made, "stopped", to_ms(bench.world.clock.now()))
    assert bench.verdict().good


def test_nobody_is_told_without_an_intent_and_no_counter_differs(bench):
    with bench.world.ctx.ledger.write() as tx:
        tx.change("DELETE FROM intent WHERE broadcast_id = :b AND no = 0", b=bench.made)
        tx.change("UPDATE batch SET accepted = accepted - 1, unknown = unknown + 1 WHERE no = 1")
    found = bench.verdict()
    assert (found.unforeseen, found.wrong_sums > 0, found.good) == (PEOPLE, True, False)


@pytest.mark.parametrize(
    ("name", "hits", "unknown", "good"),
    [
        ("T4", Hits(), 20, True), ("T4", Hits(), 21, False),
        ("T1", Hits(asked=5, kills=5, hit=5, processes=5, open=60), 60 + 5 * 20 + 20, True),
        ("T1", Hits(asked=5, kills=5, hit=5, processes=5, open=60), 60 + 5 * 20 + 21, False),
        ("T1", Hits(asked=5, kills=5, hit=3, processes=5, open=60), 0, False),
        ("T1", Hits(asked=5, kills=3, hit=3, processes=3, open=60), 0, False),
        ("T17", Hits(), 900, True),
    ],
)  # fmt: skip
def test_more_unknown_than_blows_explain_turns_a_run_red(name, hits, unknown, good):
    scenario = next(one for one in SCENARIOS if one.name == name)
    found = Verdict(planned=1000, unknown=unknown)
    _tell(scenario, found, hits, SimpleNamespace(failure=None))
    assert found.good is good
