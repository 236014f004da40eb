"""When events are told: in order and once, unless the plan says otherwise."""

import asyncio

import pytest

from dispatcher.model.clock import SystemClock
from dispatcher.sandbox.config import EventPlan
from dispatcher.sandbox.schedule import Schedule
from tests.sandbox.test_record import a_message

WORDS = ("processed", "delivered")


def told_of(count, plan, *, seconds=2.0):
    """Tell `count` messages through a schedule of this plan; the reports in the order in which they were told."""

    async def run():
        told = []
        schedule = Schedule(plan, SystemClock(), 7, lambda report: (told.append(report), done()))

        def done():
            schedule.open -= 1

        task = asyncio.create_task(schedule.run())
        for number in range(count):
            schedule.add(a_message(f"k{number}"), schedule.plot(WORDS))
        async with asyncio.timeout(seconds):
            while schedule.open:
                await asyncio.sleep(0.005)
        task.cancel()
        return told, schedule.counters

    return asyncio.run(run())


async def heard(told, count):
    """Return once so many reports were told."""
    async with asyncio.timeout(5):
        while len(told) < count:
            await asyncio.sleep(0.005)


def by_key(told):
    found = {}
    for report in told:
        found.setdefault(report.message.key, []).append(report.word)
    return found


def test_each_message_is_told_in_order():
    told, counters = told_of(200, EventPlan(delay=(0, 0.01)))
    assert set(map(tuple, by_key(told).values())) == {WORDS}
    assert len(by_key(told)) == 200
    assert not counters


def test_without_steps_only_the_last_word_is_told():
    told, _ = told_of(20, EventPlan(delay=(0, 0.01), steps=False))
    assert [report.word for report in told] == ["delivered"] * 20


def test_reordered_ones_come_last_word_first_but_keep_their_times():
    told, counters = told_of(50, EventPlan(delay=(0.001, 0.01), reorder=1))
    assert set(map(tuple, by_key(told).values())) == {WORDS[::-1]}
    assert counters["reordered"] == 50
    first, last = (r.occurred_at for r in told if r.message.key == "k0")
    assert first > last


def test_shares_of_lost_and_doubled_ones_are_met():
    told, counters = told_of(1_000, EventPlan(delay=(0, 0.01), drop=0.2, duplicate=0.1))
    assert 320 < counters["dropped"] < 480
    assert 110 < counters["duplicated"] < 210
    assert len(told) == 2_000 - counters["dropped"] + counters["duplicated"]


def test_a_doubled_one_is_the_same_report_twice():
    told, _ = told_of(1, EventPlan(delay=(0, 0.01), duplicate=1))
    assert len(told) == 4
    assert len({id(report) for report in told}) == 2


def test_late_ones_come_late_and_say_when_it_happened():
    told, counters = told_of(5, EventPlan(delay=(0, 0.01), late=1, late_seconds=0.2))
    assert counters["late"] == 10
    now = SystemClock().now().timestamp()
    assert all(now - report.occurred_at >= 0.2 for report in told)


def test_held_ones_wait_until_the_plan_is_changed():
    async def run():
        told = []
        schedule = Schedule(EventPlan(delay=(0, 0), hold=True), SystemClock(), 7, told.append)
        task = asyncio.create_task(schedule.run())
        schedule.add(a_message("a"), schedule.plot(WORDS))
        await asyncio.sleep(0.05)
        held = len(told)
        schedule.change(EventPlan(delay=(0, 0)))
        await heard(told, 2)
        task.cancel()
        return held, len(told)

    assert asyncio.run(run()) == (0, 2)


def test_an_earlier_one_does_not_wait_for_a_later_one():
    async def run():
        told = []
        schedule = Schedule(EventPlan(delay=(30, 30)), SystemClock(), 7, told.append)
        task = asyncio.create_task(schedule.run())
        schedule.add(a_message("slow"), schedule.plot(WORDS))
        await asyncio.sleep(0.02)
        schedule.change(EventPlan(delay=(0, 0)))
        await asyncio.sleep(0.02)
        schedule.add(a_message("fast"), schedule.plot(WORDS))
        await heard(told, 2)
        task.cancel()
        schedule.clear()
        return [report.message.key for report in told], schedule.open

    assert asyncio.run(run()) == (["fast", "fast"], 2)


@pytest.mark.parametrize("words", [(), ("dropped",)])
def test_short_lives_are_told_as_they_are(words):
    schedule = Schedule(EventPlan(), SystemClock(), 7, print)
    schedule.add(a_message("a"), schedule.plot(words))
    assert schedule.open == len(words)
