"""The loop of a child: results, errors, a soft limit in the main thread, and when a drain gives way."""

import asyncio
import signal
import threading
import time

import pytest
from celery.exceptions import SoftTimeLimitExceeded

from workers import child
from workers.child import Loop, Stop, Turn


@pytest.fixture
def loop():
    loop = Loop()
    yield loop
    loop.close()


@pytest.fixture
def soft_limit():
    """Raises in this, the main, thread after so many seconds, as billiard's handler does."""

    def exceeded(*_):
        raise SoftTimeLimitExceeded

    former = signal.signal(signal.SIGALRM, exceeded)
    yield lambda seconds: signal.setitimer(signal.ITIMER_REAL, seconds)
    signal.setitimer(signal.ITIMER_REAL, 0)
    signal.signal(signal.SIGALRM, former)


async def answer():
    await asyncio.sleep(0)
    return threading.current_thread().name


def test_a_coroutine_runs_on_the_loops_own_thread(loop):
    assert loop.run(answer()) == "loop"
    assert loop.run(answer()) == "loop"


@pytest.mark.parametrize("kind", [ValueError, TimeoutError, asyncio.CancelledError])
def test_its_error_is_the_callers(loop, kind):
    async def fail():
        raise kind("why")

    with pytest.raises(BaseException) as raised:
        loop.run(fail())
    assert "Cancelled" in type(raised.value).__name__ or raised.type is kind
    assert loop.run(answer()) == "loop", "the loop goes on"


def test_a_soft_limit_cancels_and_waits_until_all_is_wound_up(loop, soft_limit):
    told = []

    async def work():
        try:
            await asyncio.sleep(30)
        finally:
            await asyncio.sleep(0.2)
            told.append("wrote what it knew")

    soft_limit(0.2)
    with pytest.raises(SoftTimeLimitExceeded):
        loop.run(work())
    assert told == ["wrote what it knew"]


def test_a_soft_limit_is_not_taken_for_an_error_of_the_work(loop, soft_limit):
    swallowed = []

    async def busy():
        while True:
            try:
                time.sleep(0.001)
                await asyncio.sleep(0)
            except Exception as error:
                swallowed.append(error)

    soft_limit(0.2)
    with pytest.raises(SoftTimeLimitExceeded):
        loop.run(busy())
    assert swallowed == []
    assert loop.run(answer()) == "loop", "nothing of the cancelled work is left to run"


def test_the_waiting_thread_looks_up_now_and_then(loop):
    looks = []
    running = loop.begin(asyncio.sleep(0.55))
    assert running.attend(lambda: looks.append(threading.current_thread()))
    assert 2 <= len(looks) <= 6
    assert set(looks) == {threading.main_thread()}


def test_closing_cancels_what_still_runs():
    loop, ended = Loop(), []

    async def for_ever():
        try:
            await asyncio.sleep(60)
        finally:
            ended.append(True)

    async def begin():
        loop.kept = asyncio.create_task(for_ever())
        await asyncio.sleep(0.01)

    async def last():
        ended.append("last")

    loop.run(begin())
    loop.close(last())
    assert ended == [True, "last"]
    assert loop._loop.is_closed()


class Bell:
    def __init__(self, **counts):
        self.counts, self.asked = counts, []

    def waiting(self, queues=()):
        self.asked.append(tuple(queues))
        return {queue: self.counts.get(queue, 0) for queue in queues} if self.counts else None


def turn(monkeypatch, bell, *, seconds, stopping=False, others=("sms", "tick")):
    turn = Turn(lambda: stopping, bell, others)
    monkeypatch.setattr(turn, "_began", time.monotonic() - seconds)
    turn.look()
    return turn


def test_a_drain_keeps_its_first_moments_to_itself(monkeypatch):
    bell = Bell(sms=1)
    assert not turn(monkeypatch, bell, seconds=0).is_over()
    assert bell.asked == []


def test_then_it_gives_way_to_whoever_waits(monkeypatch):
    over = turn(monkeypatch, Bell(tick=1), seconds=1)
    assert over.gave_way
    assert over.is_over()


@pytest.mark.parametrize("bell", [Bell(email=5), Bell(sms=0), Bell()])
def test_and_goes_on_when_nobody_waits_or_nobody_knows(monkeypatch, bell):
    assert not turn(monkeypatch, bell, seconds=1).is_over()


def test_a_worker_of_one_queue_never_asks(monkeypatch):
    bell = Bell(sms=1)
    assert not turn(monkeypatch, bell, seconds=1, others=()).is_over()
    assert bell.asked == []


def test_stopping_ends_every_turn(monkeypatch):
    over = turn(monkeypatch, Bell(), seconds=0, stopping=True)
    assert over.is_over()
    assert not over.gave_way


def test_the_workers_word_reaches_its_children(monkeypatch):
    stop = Stop()
    assert not stop()
    try:
        child.worker_is_stopping()
        assert stop()
    finally:
        child._worker_stopping[0] = 0


def test_for_what_is_brief_it_steps_aside_and_to_a_channel_it_gives_way():
    bell = Bell(tick=1)
    turn = Turn(lambda: False, bell, ["sms"], ["tick", "events"])
    turn._began -= 1
    turn.look()
    assert (turn.stepped_aside, turn.gave_way, turn.is_over()) == (True, False, False)
    bell.counts["sms"] = 1
    turn.look()
    assert (turn.gave_way, turn.is_over()) == (True, True)


@pytest.fixture
def told():
    return {"begun": 0, "ended": 0, "stop": False}


def drain_of(loop, told):
    """A drain, and how it is attended for a moment: by a turn that steps aside when it looks first."""
    drain = child.Drain(loop)

    async def work():
        told["begun"] += 1
        while not drain.is_over() and not told["stop"]:
            await asyncio.sleep(0.01)
        await asyncio.sleep(0.2)
        told["ended"] += 1
        return "all"

    def attend(seconds=0.0):
        return drain.attend("sms", Turn(lambda: False, Bell(), [], [], seconds), work)

    return drain, attend


def test_a_drain_goes_on_between_two_tasks(loop, told):
    _drain, attend = drain_of(loop, told)
    assert [attend(), attend(), attend()] == [None, None, None]
    assert (told["begun"], told["ended"]) == (1, 0)
    told["stop"] = True
    assert attend(60) == "all"
    assert told["begun"] == 1


def test_a_drain_that_is_told_to_end_has_what_is_under_way_back(loop, told):
    drain, attend = drain_of(loop, told)
    assert drain.end() is None, "there is none"
    attend()
    assert drain.end() == "all"
    assert told["ended"] == 1
    attend()
    assert told["begun"] == 2, "another may begin"
    drain.end()


def test_a_drain_that_nobody_attends_ends(loop, told, monkeypatch):
    monkeypatch.setattr(child, "ALONE_SECONDS", 0.1)
    _, attend = drain_of(loop, told)
    attend()
    until = time.monotonic() + 60
    while not told["ended"] and time.monotonic() < until:
        time.sleep(0.01)
    assert told["ended"] == 1
    told["stop"] = True
    assert attend(60) == "all"
    assert told["begun"] == 2, "what ended before this ring says nothing about it"


def test_a_drain_that_is_stuck_is_cancelled_and_another_begins(loop, monkeypatch):
    monkeypatch.setattr(child, "LONGEST_SECONDS", 0.2)
    drain, cancelled = child.Drain(loop), []

    async def stuck():
        try:
            await asyncio.sleep(3600)
        finally:
            cancelled.append(True)

    with pytest.raises(SoftTimeLimitExceeded):
        drain.attend("sms", Turn(lambda: False, Bell(), [], [], 60), stuck)
    assert cancelled == [True]
    assert drain.attend("sms", Turn(lambda: False, Bell(), [], [], 60), answer) == "loop"


def test_a_drain_that_does_not_end_when_it_is_told_to_is_cancelled(loop, monkeypatch):
    monkeypatch.setattr(child, "PATIENCE_SECONDS", 0.2)
    drain, cancelled = child.Drain(loop), []

    async def deaf():
        try:
            await asyncio.sleep(3600)
        finally:
            cancelled.append(True)

    assert drain.attend("sms", Turn(lambda: False, Bell(), [], [], 0), deaf) is None
    assert drain.end() is None
    assert cancelled == [True]


def test_what_a_drain_failed_with_is_told_by_the_next_task(loop):
    drain = child.Drain(loop)

    async def fail():
        await asyncio.sleep(0.15)
        raise ValueError("why")

    assert drain.attend("sms", Turn(lambda: False, Bell(), [], [], 0), fail) is None
    time.sleep(0.3)
    with pytest.raises(ValueError, match="why"):
        drain.attend("sms", Turn(lambda: False, Bell(), [], [], 60), answer)
    assert drain.attend("sms", Turn(lambda: False, Bell(), [], [], 60), answer) == "loop"
