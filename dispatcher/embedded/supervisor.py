"""Runs what a Procfile names, and goes on running it.

Whatever exits is started again, whatever its exit code: a Celery worker can end with code 0 when Redis goes away.
Whatever stops making progress, by the word of a heartbeat handed in, is ended and started again. On SIGTERM, SIGINT
or SIGHUP everything is asked to end, is given its grace, and is then killed; nothing outlives the supervisor.
"""

import contextlib
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType, TracebackType
from typing import Self

from dispatcher.embedded import tether
from dispatcher.embedded.procfile import Program

Say = Callable[[str, str], None]
"""Takes a program's name and one line of its output."""

Heartbeat = Callable[[], bool]
"""Whether a program is making progress, or has nothing to do. False for too long ends it."""

LONGEST_LINE = 16_384
"""Bytes of one line of output; the rest of a longer one comes as further lines."""


@dataclass(frozen=True, slots=True)
class Patience:
    """All in seconds. `grace` is long because a warm shutdown of a Celery worker can take half a minute."""

    grace: float = 60.0
    stalled: float = 30.0
    stalled_grace: float = 10.0
    restart_first: float = 0.2
    restart_longest: float = 10.0
    steady_after: float = 10.0
    look_every: float = 0.1
    heartbeat_every: float = 1.0


@dataclass
class _Child:
    """One program and the process that runs it now, if one does. Instants are monotonic seconds."""

    program: Program
    process: tether.Tethered | None = None
    started_at: float = 0.0
    due_at: float = 0.0
    failures: int = 0
    kill_at: float | None = None
    restarts: int = 0
    last_beat: float = 0.0
    reader: threading.Thread | None = field(default=None, repr=False)


class Supervisor:
    """Start it, stop it; or `run` it until a signal; or use it in a `with`."""

    def __init__(
        self,
        programs: Sequence[Program],
        *,
        env: Mapping[str, str],
        cwd: Path | None = None,
        say: Say | None = None,
        heartbeats: Mapping[str, Heartbeat] | None = None,
        keep: Sequence[Callable[[], None]] = (),
        patience: Patience | None = None,
    ) -> None:
        """`heartbeats` by program name; `keep` are called every look: `Broker.ensure` belongs there."""
        self._children = [_Child(program) for program in programs]
        self._env = _with_our_programs(env)
        self._cwd = cwd
        self._say = say or _say_prefixed(max((len(p.name) for p in programs), default=0))
        self._heartbeats = dict(heartbeats or {})
        self._keep = tuple(keep)
        self._patience = patience or Patience()
        self._lock = threading.RLock()
        self._stopping = threading.Event()
        self._signals_seen = 0
        self._complaint = ""
        self._threads: list[threading.Thread] = []

    def start(self) -> Self:
        """Start every program and the threads that watch them."""
        self._look()
        watchers = [self._watch, *(lambda n=name: self._listen(n) for name in self._heartbeats)]
        for watcher in watchers:
            thread = threading.Thread(target=watcher, name="supervisor", daemon=True)
            thread.start()
            self._threads.append(thread)
        return self

    def run(self) -> None:
        """Until SIGTERM, SIGINT or SIGHUP. A second signal does not wait for the grace."""
        with _signals(self._on_signal):
            try:
                self.start()
                while not self._signals_seen:
                    time.sleep(0.1)
            finally:
                self.stop()

    def stop(self) -> None:
        """Ask everybody to end, wait for the grace at most, kill the rest."""
        self._stopping.set()
        with self._lock:
            running = [child.process for child in self._children if child.process]
        for process in running:
            process.terminate()
        until = time.monotonic() + self._patience.grace
        while time.monotonic() < until and self._signals_seen < 2 and any(p.ended() is None for p in running):
            time.sleep(0.02)
        for process in running:
            process.kill()
        for thread in (*self._threads, *(child.reader for child in self._children if child.reader)):
            thread.join(1.0)

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def pids(self) -> dict[str, int]:
        """The processes that run now, by program name."""
        with self._lock:
            return {child.program.name: child.process.pid for child in self._children if child.process}

    def restarts(self) -> dict[str, int]:
        """How often each program has been started again."""
        return {child.program.name: child.restarts for child in self._children}

    def _on_signal(self, _number: int, _frame: FrameType | None) -> None:
        self._signals_seen += 1  # no lock may be taken in a signal handler: an Event has one

    def _watch(self) -> None:
        while not self._stopping.wait(self._patience.look_every):
            self._look()

    def _look(self) -> None:
        """One round: what else must live, then every child."""
        for ensure in self._keep:
            self._ensure(ensure)
        for child in self._children:
            with self._lock:
                self._tend(child, time.monotonic())

    def _ensure(self, ensure: Callable[[], None]) -> None:
        try:
            ensure()
            self._complaint = ""
        except Exception as error:  # noqa: BLE001 - told once, and tried again every round
            if self._complaint != str(error):
                self._complaint = str(error)
                self._say("up", f"{error} Trying again.")

    def _tend(self, child: _Child, now: float) -> None:
        if self._stopping.is_set():
            return
        if child.process is None:
            if now >= child.due_at:
                self._spawn(child, now)
        elif (code := child.process.ended()) is not None:
            self._plan_restart(child, code, now)
        elif child.kill_at is not None and now >= child.kill_at:
            child.process.kill()

    def _spawn(self, child: _Child, now: float) -> None:
        child.started_at = child.last_beat = now
        child.kill_at = None
        try:
            child.process = tether.start(child.program.argv, env=self._env, cwd=self._cwd, piped=True)
        except OSError as error:
            self._plan_restart(child, error.strerror or "cannot be started", now)
            return
        child.reader = threading.Thread(target=self._relay, args=(child.program.name, child.process), daemon=True)
        child.reader.start()

    def _plan_restart(self, child: _Child, why: int | str, now: float) -> None:
        """Again after a pause that doubles, up to its longest; a program that ran steadily starts afresh."""
        if now - child.started_at >= self._patience.steady_after:
            child.failures = 0
        pause = min(self._patience.restart_first * 2 ** min(child.failures, 16), self._patience.restart_longest)
        child.failures += 1
        child.restarts += 1
        child.process = None
        child.due_at = now + pause
        told = f"exited with code {why}" if isinstance(why, int) else f"could not be started: {why}"
        self._say(child.program.name, f"{told}; starting it again in {pause:.1f} s")

    def _listen(self, name: str) -> None:
        """Ask one heartbeat for ever, in a thread of its own: a heartbeat that hangs must not hold up the rest."""
        while not self._stopping.wait(self._patience.heartbeat_every):
            if self._beats(name):
                self._heard(name)
            else:
                self._end_if_stalled(name)

    def _beats(self, name: str) -> bool:
        try:
            return self._heartbeats[name]()
        except Exception as error:  # noqa: BLE001 - a ledger that cannot be read says nothing about a worker
            self._say(name, f"its progress cannot be read: {type(error).__name__}")
            return True

    def _heard(self, name: str) -> None:
        now = time.monotonic()
        for child in self._named(name):
            child.last_beat = now

    def _end_if_stalled(self, name: str) -> None:
        now = time.monotonic()
        for child in self._named(name):
            with self._lock:
                if child.process and child.kill_at is None and now - child.last_beat >= self._patience.stalled:
                    self._say(name, f"no progress for {now - child.last_beat:.0f} s; ending it")
                    child.kill_at = now + self._patience.stalled_grace
                    child.process.terminate()

    def _named(self, name: str) -> list[_Child]:
        return [child for child in self._children if child.program.name == name]

    def _relay(self, name: str, process: tether.Tethered) -> None:
        output = process.output
        if output is None:
            return
        with output:
            while line := output.readline(LONGEST_LINE):
                self._say(name, line.decode(errors="replace").rstrip("\r\n"))


def _with_our_programs(env: Mapping[str, str]) -> dict[str, str]:
    """The environment with our interpreter's folder first on PATH, so that `celery` and `python` are ours."""
    ours = str(Path(sys.executable).parent)
    return dict(env) | {"PATH": f"{ours}:{env.get('PATH', '/usr/bin:/bin')}", "PYTHONUNBUFFERED": "1"}


def _say_prefixed(width: int) -> Say:
    lock = threading.Lock()

    def say(name: str, line: str) -> None:
        with lock:
            sys.stdout.write(f"{name:<{width}} | {line}\n")
            sys.stdout.flush()

    return say


@contextlib.contextmanager
def _signals(handler: Callable[[int, FrameType | None], None]) -> Iterator[None]:
    """Our handler for the three signals that end a program, and the former ones back afterwards."""
    former = {number: signal.signal(number, handler) for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)}
    try:
        yield
    finally:
        for number, old in former.items():
            signal.signal(number, old)
