"""What befalls a run: each storm is a function of arena, dice and verdict, called again and again until it is over."""

import contextlib
import os
import signal
import threading
import time

import redis


def _signal(pid, number):
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.kill(pid, number)


def kill_child(arena, dice, verdict):
    """SIGKILL a pool process, preferably in the middle of something."""
    pids = arena.children()
    if _in_the_act(arena) and pids:
        verdict.kills += 1
        verdict.kills_that_hit += bool(arena.open_work())
        _signal(dice.choice(pids), signal.SIGKILL)


def kill_worker(arena, dice, verdict):
    """SIGKILL the whole worker."""
    pid = arena.pids().get("worker")
    if _in_the_act(arena) and pid:
        verdict.kills += 1
        verdict.kills_that_hit += bool(arena.open_work())
        pids = arena.children()
        _signal(pid, signal.SIGKILL)
        for child in pids:
            _signal(child, signal.SIGKILL)


def kill_beat(arena, dice, verdict):
    """SIGKILL the metronome."""
    if pid := arena.pids().get("beat"):
        _signal(pid, signal.SIGKILL)


def kill_web(arena, dice, verdict):
    """SIGKILL the door of the vendors' events."""
    if pid := arena.pids().get("web"):
        _signal(pid, signal.SIGKILL)


def freeze_child(arena, dice, verdict):
    """Stop a pool process for longer than its lease, then let it wake."""
    pids = arena.children()
    if _in_the_act(arena) and pids:
        pid = dice.choice(pids)
        verdict.kills += 1
        verdict.kills_that_hit += bool(arena.open_work())
        _signal(pid, signal.SIGSTOP)
        time.sleep(dice.uniform(6, 9))
        _signal(pid, signal.SIGCONT)


def flush_redis(arena, dice, verdict):
    """The broker forgets everything."""
    with (
        contextlib.suppress(redis.RedisError),
        redis.Redis.from_url(arena.ctx.settings.redis_url, socket_timeout=2) as r,
    ):
        r.flushall()


def restart_redis(arena, dice, verdict):
    """SIGKILL the broker; it comes back after a while."""
    if arena.broker.pid:
        _signal(arena.broker.pid, signal.SIGKILL)
    time.sleep(dice.uniform(0.5, 4))
    arena.broker.ensure()


def roll_worker(arena, dice, verdict):
    """A rolling restart: SIGTERM, and the next one takes over."""
    if pid := arena.pids().get("worker"):
        _signal(pid, signal.SIGTERM)
    time.sleep(dice.uniform(1, 4))


def cut_wires(arena, dice, verdict):
    """Every connection to the broker is reset."""
    arena.proxy.reset_all()


def silent_wires(arena, dice, verdict):
    """Connections to the broker stay open and carry nothing, then go on or are reset."""
    arena.proxy.mode = "half_open"
    time.sleep(dice.uniform(1, 4))
    arena.proxy.mode = "pass"
    if dice.random() < 0.5:
        arena.proxy.reset_all()


def slow_wires(arena, dice, verdict):
    """Two seconds of delay and small pieces."""
    arena.proxy.delay, arena.proxy.slice = dice.choice([(0.2, 7), (2.0, 65_536)])
    time.sleep(dice.uniform(1, 3))
    arena.proxy.delay, arena.proxy.slice = 0.0, 65_536


def lock_ledger(arena, dice, verdict):
    """A stranger holds the whole SQLite file."""
    from dispatcher.ledger.engine import sqlite_module

    stranger = sqlite_module().connect(arena.folder / "ledger.db", timeout=20, isolation_level=None)
    with contextlib.closing(stranger), contextlib.suppress(Exception):
        stranger.execute("BEGIN EXCLUSIVE")
        time.sleep(dice.uniform(3, 8))
        stranger.execute("ROLLBACK")


def terminate_backends(arena, dice, verdict):
    """PostgreSQL ends every connection but the one that says so."""
    import psycopg

    with contextlib.suppress(psycopg.Error), psycopg.connect(arena.overrides["database_url"], autocommit=True) as admin:
        admin.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid()"
            " AND datname = current_database()"
        )


def _in_the_act(arena, seconds=5.0):
    """Wait for somebody to be at work; nobody to be killed in vain."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if arena.open_work():
            return True
        time.sleep(0.005)
    return False


class Weather(threading.Thread):
    """Lets storms loose at random moments until it has had its share or is told to stop."""

    def __init__(self, arena, storms, dice, verdict, *, times, pause=(0.2, 1.0)):
        super().__init__(daemon=True)
        self.arena, self.storms, self.dice, self.verdict = arena, storms, dice, verdict
        self.times, self.pause = times, pause
        self.over = threading.Event()

    def run(self):
        for _ in range(self.times):
            if self.over.wait(self.dice.uniform(*self.pause)):
                return
            self.dice.choice(self.storms)(self.arena, self.dice, self.verdict)
