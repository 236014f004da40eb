"""Totals, shares and percentiles."""

import itertools

from hypothesis import given
from hypothesis import strategies as st

from dispatcher.model.states import TERMS
from dispatcher.reporting import sums
from dispatcher.reporting.story import Moment, Spread, Sums
from tests.reporting.story_of import EMAIL, SMS


def test_the_total_adds_every_term_and_every_reason():
    whole = sums.total([EMAIL, SMS])
    assert whole["planned"] == 1400
    assert whole["failed"] == 35
    assert whole.reasons["failed"] == {"address does not exist": 22, "mailbox full": 8, "": 5}


def test_a_sum_that_does_not_hold_is_seen_even_where_two_gaps_cancel_out():
    short = Sums("email", {"planned": 10, "delivered": 9})
    long = Sums("sms", {"planned": 10, "delivered": 11})
    assert sums.gap(sums.total([short, long])) == 0
    assert not sums.reconciles([short, long])
    assert sums.reconciles([EMAIL, SMS])


@given(st.dictionaries(st.sampled_from(TERMS), st.integers(0, 10**7)))
def test_the_gap_is_what_the_terms_leave_of_the_plan(terms):
    assert sums.gap(Sums("x", {**terms, "planned": sum(terms.values()) + 3})) == 3


def test_a_share_is_100_only_for_all_and_0_only_for_none():
    assert sums.share(999_999, 1_000_000) == "99.9 %"
    assert sums.share(1, 1_000_000) == "0.1 %"
    assert sums.share(5, 5) == "100.0 %"
    assert sums.share(0, 5) == "0.0 %"
    assert sums.share(0, 0) == "–"


@given(st.lists(st.integers(0, 10_000), min_size=1, max_size=200), st.sampled_from(sums.PERCENTS))
def test_a_percentile_is_the_nearest_rank_of_the_single_waits(waits, percent):
    histogram = {wait: waits.count(wait) for wait in waits}
    rank = -(-len(waits) * percent // 100)
    assert sums.percentile(histogram, percent) == sorted(waits)[rank - 1] / 1000


def test_percentiles_of_nothing_are_nothing():
    assert set(sums.percentiles(Spread("email", {})).values()) == {0.0}


def test_causes_come_commonest_first_and_an_unnamed_one_under_its_term():
    assert list(sums.causes([EMAIL, SMS]).items()) == [
        ("address does not exist", 22),
        ("mailbox full", 8),
        ("unknown", 8),
        ("failed", 5),
    ]


def test_a_thinned_curve_keeps_both_ends_and_never_falls():
    curve = sums.cumulate({i: 2 for i in range(1, 500)}, {i: 1 for i in range(3, 500)})
    thin = sums.thin(curve, 60)
    assert len(thin) == 60
    assert (thin[0], thin[-1]) == (Moment(0.0, 0, 0), curve[-1])
    assert all(a.accepted <= b.accepted and a.delivered <= b.delivered for a, b in itertools.pairwise(thin))


def test_milestones_name_the_moment_each_share_was_reached():
    curve = sums.cumulate({1000: 50, 2000: 40, 9000: 10}, {})
    assert sums.when_reached(curve) == [(10, 10, 1.0), (50, 50, 1.0), (90, 90, 2.0), (99, 99, 9.0), (100, 100, 9.0)]
    assert sums.when_reached([]) == []
