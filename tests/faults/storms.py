"""What befalls a run: each storm is a function of arena, dice and hits, called again and again until it is over.

A storm returns False where it found nobody to strike.
"""

import contextlib
import os
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time

import psutil
import redis

BLIND_EVERY = 8
"""Every so many kills strike without looking whether anybody is at work."""
AIM_SECONDS = 15.0
LOCKED_SECONDS = 8.0
"""So long a stranger keeps the SQLite file."""
LIVES_SECONDS = 3.0
"""After so long a process that was started has begun its work."""
LAST_BLOW = 0.9
"""Blows that are spread over the work come while less than this share of it is done."""


def _signal(pid, number):
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.kill(pid, number)


def kill_child(arena, dice, hits):
    """SIGKILL a pool process in the middle of something."""
    victims = _aim(arena, dice, hits, one=True)
    return _kill(victims, arena, hits) if victims else False


def kill_worker(arena, dice, hits):
    """SIGKILL the whole worker."""
    children = _aim(arena, dice, hits, one=False)
    pid = arena.pids().get("worker")
    if not children or not pid:
        return False
    _signal(pid, signal.SIGSTOP)  # so that it makes no new children between the two blows
    _kill(children, arena, hits)
    _signal(pid, signal.SIGKILL)
    return True


def kill_others(arena, dice, hits):
    """SIGKILL the metronome, or the door of the vendors' events."""
    if pid := arena.pids().get(dice.choice(("beat", "web"))):
        hits.others += 1
        _signal(pid, signal.SIGKILL)
    return True


def freeze_child(arena, dice, hits):
    """Stop a pool process for two to four times its lease, then let it wake; others go on meanwhile."""
    victims = _aim(arena, dice, hits, one=True)
    if not victims:
        return False
    for pid in victims:
        _signal(pid, signal.SIGSTOP)
    _count(arena, hits, victims)
    lease = arena.ctx.settings.dispatch.lease_seconds
    asleep = threading.Timer(dice.uniform(2 * lease, 4 * lease), lambda: [_signal(p, signal.SIGCONT) for p in victims])
    asleep.start()
    arena.asleep.append(asleep)
    while sum(one.is_alive() for one in arena.asleep) >= arena.ctx.settings.workers.processes - 1:
        time.sleep(0.05)
    return True


def _aim(arena, dice, hits, *, one):
    """Pool processes to strike: those with an open request, or now and then whoever there is."""
    blind = hits.kills % BLIND_EVERY == BLIND_EVERY - 1
    until = time.monotonic() + AIM_SECONDS
    while time.monotonic() < until:
        children = set(arena.children())
        busy = sorted(children & set(arena.owners()))
        if children and (busy or blind):
            if not one:
                return sorted(children)
            return [dice.choice(busy or sorted(children))]
        time.sleep(0.003)
    return []


def _kill(pids, arena, hits):
    """Stop, look what they have open, kill: so that what is counted as a hit was one."""
    for pid in pids:
        _signal(pid, signal.SIGSTOP)
    _count(arena, hits, pids)
    for pid in pids:
        _signal(pid, signal.SIGKILL)
    return True


def _count(arena, hits, pids):
    """One blow, with what those stopped processes have open."""
    owners = arena.owners()
    hits.kills += 1
    hits.hit += any(pid in owners for pid in pids)
    hits.processes += len(pids)
    hits.open += sum(owners[pid] for pid in pids)


def flush_redis(arena, dice, hits):
    """The broker forgets everything."""
    with contextlib.suppress(redis.RedisError), _redis(arena) as client:
        client.flushall()


def restart_redis(arena, dice, hits):
    """SIGKILL the broker; it comes back after a while."""
    if arena.broker.pid:
        _signal(arena.broker.pid, signal.SIGKILL)
    time.sleep(dice.uniform(0.5, 3))
    arena.broker.ensure()


def full_redis(arena, dice, hits):
    """The broker may hold nothing more."""
    with contextlib.suppress(redis.RedisError), _redis(arena) as client:
        client.config_set("maxmemory", 1)
        time.sleep(dice.uniform(1, 3))
        client.config_set("maxmemory", 0)


def unsaved_redis(arena, dice, hits):
    """The broker cannot write its file any more and refuses every change (MISCONF)."""
    folder = tempfile.mkdtemp(prefix="gone-")
    with contextlib.suppress(redis.RedisError), _redis(arena) as client:
        home = client.config_get("dir")["dir"]
        client.config_set("dir", folder)
        shutil.rmtree(folder)
        client.config_set("save", "3600 1")
        client.bgsave()
        until = time.monotonic() + 5
        while client.info("persistence")["rdb_last_bgsave_status"] == "ok" and time.monotonic() < until:
            time.sleep(0.02)
        time.sleep(dice.uniform(1, 3))
        client.config_set("save", "")
        client.config_set("dir", home)
    shutil.rmtree(folder, ignore_errors=True)


def _redis(arena):
    """Straight to the broker, also where the workers go through a proxy."""
    return redis.Redis.from_url(arena.broker.redis_url, socket_timeout=5)


def roll(arena, dice, hits):
    """A rolling restart: everybody is asked to end, one after the other, once the one before has taken over."""
    for name in ("worker", "beat", "web"):
        pid = _await_one_that_lives(arena, name, 30)
        began = time.monotonic()
        _signal(pid, signal.SIGTERM)
        _await_end(pid, 90)
        hits.slowest = max(hits.slowest, time.monotonic() - began)
    time.sleep(dice.uniform(0.5, 2))


def _await_one_that_lives(arena, name, seconds):
    """Whoever is asked to end while it begins has not taken over, and the supervisor would wait longer each time."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        with contextlib.suppress(psutil.NoSuchProcess, KeyError):
            process = psutil.Process(arena.pids()[name])
            if time.time() - process.create_time() > LIVES_SECONDS:
                return process.pid
        time.sleep(0.05)
    raise TimeoutError(f"no {name} lived within {seconds} s")


def _await_end(pid, seconds):
    until = time.monotonic() + seconds
    with contextlib.suppress(psutil.NoSuchProcess):
        process = psutil.Process(pid)
        while process.is_running() and process.status() != psutil.STATUS_ZOMBIE and time.monotonic() < until:
            time.sleep(0.02)


def fill_disk(arena, dice, hits):
    """No file of ours may grow any more: as a full disk, for every process of the program at once."""
    processes = _program(arena)
    for process in processes:
        _limit(process, 4096)
    time.sleep(dice.uniform(1, 3))
    for process in {*processes, *_program(arena)}:
        _limit(process, resource.RLIM_INFINITY)


def _program(arena):
    found = []
    for name in ("worker", "web", "beat"):
        with contextlib.suppress(psutil.NoSuchProcess, KeyError):
            process = psutil.Process(arena.pids()[name])
            found += [process, *process.children(recursive=True)]
    return found


def _limit(process, size):
    with contextlib.suppress(psutil.NoSuchProcess, PermissionError):
        process.rlimit(psutil.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))


def lock_ledger(arena, dice, hits):
    """A stranger holds the whole SQLite file; somebody at a terminal asks and acts meanwhile."""
    from dispatcher.ledger.engine import sqlite_module

    stranger = sqlite_module().connect(arena.folder / "ledger.db", timeout=20, isolation_level=None)
    with contextlib.closing(stranger):
        with contextlib.suppress(Exception):
            stranger.execute("BEGIN EXCLUSIVE")
        words = (["broadcast", "list", "--json"], ["channel", "freeze", "social", "--as", "Olu", "--reason", "look"])
        asked = _command(arena, words[hits.storms % 2])
        time.sleep(LOCKED_SECONDS)
        with contextlib.suppress(Exception):
            stranger.execute("ROLLBACK")
    _, told = asked.communicate(timeout=120)
    if "locked" in told or "Traceback" in told:
        hits.complaints.append(told[-200:])
    if hits.storms % 2:
        _command(arena, ["channel", "thaw", "social", "--as", "Olu", "--reason", "seen"]).communicate(timeout=120)


def _command(arena, words):
    env = arena.ctx.settings.child_environment()
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    return subprocess.Popen([sys.executable, "-m", "dispatcher", *words], env=env, cwd=arena.folder, **pipes)


class Weather(threading.Thread):
    """Lets storms loose at random moments until it has had its share, or until nothing is left to disturb."""

    def __init__(self, arena, broadcast, storms, dice, hits, *, times, pause=(0.2, 1.0), spread=False):
        """`spread`: over the whole of the work, however long that takes, instead of one after the other."""
        super().__init__(daemon=True)
        self.spread = spread
        self.arena, self.broadcast = arena, broadcast
        self.storms, self.dice, self.hits = storms, dice, hits
        self.times, self.pause = times, pause
        self.failure = None

    def run(self):
        try:
            self._blow()
        except Exception as error:
            self.failure = error

    def _blow(self):
        """Kills are counted where kills are asked for, else blows of any kind."""
        while self.arena.at_work(self.broadcast) is not False:
            done = self.hits.kills if self.hits.asked else self.hits.storms
            if done >= self.times:
                return
            if self.spread and self.arena.share_done(self.broadcast) < LAST_BLOW * done / self.times:
                time.sleep(0.2)
                continue
            time.sleep(self.dice.uniform(*self.pause))
            self.dice.choice(self.storms)(self.arena, self.dice, self.hits)
            self.hits.storms += 1
