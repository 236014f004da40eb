"""Order out of posts that have none (R10, R11, R20)."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dispatcher.intake.judging import LIVE, MITIGATED, OVER, Known, Step, judge, state_after
from dispatcher.model.signal import SignalKind as K


@pytest.mark.parametrize(
    ("known", "kind", "at", "step"),
    [
        (None, K.OPENED, 5, Step.BEGIN), (None, K.UPDATED, 5, Step.BEGIN), (None, K.RESOLVED, 5, Step.END),
        (None, K.NOTED, 5, Step.NOTHING), (None, K.MITIGATED, 5, Step.EASE),
        (Known(LIVE, 5), K.OPENED, 5, Step.SAME), (Known(LIVE, 5), K.OPENED, 9, Step.SAME),
        (Known(LIVE, 5), K.OPENED, 4, Step.LATE), (Known(LIVE, 5), K.RESOLVED, 4, Step.LATE),
        (Known(LIVE, 5), K.RESOLVED, 5, Step.END), (Known(LIVE, 5), K.UPDATED, 6, Step.CHANGE),
        (Known(LIVE, 5), K.MITIGATED, 6, Step.EASE), (Known(LIVE, 5), K.NOTED, 6, Step.NOTHING),
        (Known(MITIGATED, 5), K.OPENED, 6, Step.AGAIN), (Known(MITIGATED, 5), K.MITIGATED, 6, Step.SAME),
        (Known(MITIGATED, 5), K.RESOLVED, 6, Step.END), (Known(MITIGATED, 5), K.UPDATED, 6, Step.CHANGE),
        (Known(OVER, 5), K.OPENED, 5, Step.LATE), (Known(OVER, 5), K.OPENED, 6, Step.AGAIN),
        (Known(OVER, 5), K.UPDATED, 4, Step.LATE), (Known(OVER, 5), K.UPDATED, 6, Step.AGAIN),
        (Known(OVER, 5), K.STATUS_UPDATE, 6, Step.NOTHING), (Known(OVER, 5), K.REOPENED, 5, Step.AGAIN),
        (Known(OVER, 5), K.RESOLVED, 6, Step.SAME), (Known(OVER, 5), K.CANCELLED, 6, Step.SAME),
        (Known(OVER, 5), K.MITIGATED, 6, Step.NOTHING), (Known(OVER, 5), K.NOTED, 6, Step.NOTHING),
        (Known(LIVE, 5), K.TEST, 6, Step.NOTHING), (Known(LIVE, 5), K.IGNORED, 6, Step.NOTHING),
    ],
)  # fmt: skip
def test_steps(known, kind, at, step):
    assert judge(known, kind, at, timed=True) is step


def test_an_update_without_a_time_of_its_own_reopens_nothing():
    assert judge(Known(OVER, 5), K.UPDATED, 6, timed=False) is Step.NOTHING


def run(signals):
    known = None
    for kind, at in signals:
        step = judge(known, kind, at, timed=True)
        if step is not Step.LATE:
            state = state_after(step, known.state if known else OVER)
            known = Known(state, max(at, known.occurred_at if known else at))
    return known


def test_any_order_of_one_life_ends_the_same():
    life = [(K.OPENED, 1), (K.ACKNOWLEDGED, 2), (K.MITIGATED, 3), (K.RESOLVED, 4)]
    assert {run(order).state for order in itertools.permutations(life)} == {OVER}


@given(st.lists(st.tuples(st.sampled_from(list(K)), st.integers(0, 6)), max_size=12))
def test_repeats_change_nothing(signals):
    moving = [one for one in signals if one[0].moves]
    once = run(moving)
    assert once is None or run([*moving, *sorted(moving, key=lambda one: one[1])][: len(moving)]) == once
    if moving:
        last = max(moving, key=lambda one: one[1])
        assert run([*moving, last]).occurred_at == once.occurred_at
