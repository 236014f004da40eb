"""Starts processes that cannot outlive this one, not even when this one is killed with signal 9.

Two ties. On Linux the kernel kills the process itself at once (PR_SET_PDEATHSIG). Everywhere, one warden process per
parent knows the groups that were started and holds the reading end of a pipe whose writing end only the parent holds:
at its end of file the parent is gone, and the warden kills every group that is left.

The kernel's signal comes when the *thread* that started the process ends, so one thread, which lives as long as the
process, starts them all.
"""

import contextlib
import ctypes
import os
import queue
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

_PR_SET_PDEATHSIG = 1  # linux/prctl.h

_WARDEN = """
import os, signal, sys
for ignored in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
    signal.signal(ignored, signal.SIG_IGN)
groups = set()
for line in sys.stdin:
    (groups.add if line[0] == "+" else groups.discard)(int(line[1:]))
for group in groups:
    try:
        os.killpg(group, signal.SIGKILL)
    except OSError:
        pass
"""


@dataclass
class Tethered:
    """A process of ours, leader of its own group."""

    popen: subprocess.Popen[bytes]
    _warden: "_Warden"
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _over: bool = False

    @property
    def pid(self) -> int:
        return self.popen.pid

    @property
    def output(self) -> IO[bytes] | None:
        """What it prints, if it was started with `piped`."""
        return self.popen.stdout

    def ended(self) -> int | None:
        """The exit code (minus the signal), or None while it runs. What it left of its group is killed."""
        code = self.popen.poll()
        if code is not None:
            self._clear()
        return code

    def wait(self, seconds: float) -> int | None:
        """Like `ended`, after waiting at most `seconds`."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.popen.wait(seconds)
        return self.ended()

    def terminate(self) -> None:
        """Ask the leader to end. Its children are its own business: a Celery pool must finish what it has begun."""
        self.popen.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """End the whole group now."""
        if self.ended() is None:
            self._kill_group()
            self.popen.wait()
            self._clear()

    def _kill_group(self) -> None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, signal.SIGKILL)

    def _clear(self) -> None:
        """Once, as soon as the leader is gone: nobody of its group may stay.

        Only once, because the number of a group that is empty may be given to a stranger.
        """
        with self._lock:
            if not self._over:
                self._over = True
                self._kill_group()
                self._warden.forget(self.pid)


def start(
    argv: Sequence[str],
    *,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    piped: bool = False,
    kernel: bool = sys.platform.startswith("linux"),
) -> Tethered:
    """Run `argv` tied to the life of this process; `kernel` adds the kernel's tie, which only Linux has.

    Raises OSError when the program cannot be started.
    """
    started: Future[Tethered] = Future()
    _starter().put((started, lambda warden: _start(list(argv), env, cwd, piped, kernel, warden)))
    return started.result()


class _Warden:
    """The process that sweeps up after us, and our line to it."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(  # noqa: S603 - our own interpreter and words
            [sys.executable, "-I", "-S", "-c", _WARDEN], stdin=subprocess.PIPE, start_new_session=True
        )
        self._lock = threading.Lock()

    def remember(self, group: int) -> None:
        self._tell(f"+{group}\n")

    def forget(self, group: int) -> None:
        self._tell(f"-{group}\n")

    def _tell(self, line: str) -> None:
        line_to_it = self._process.stdin
        if line_to_it is None:
            return
        # A warden that was killed is not worth failing for: the kernel's tie is still there.
        with self._lock, contextlib.suppress(OSError):
            line_to_it.write(line.encode("ascii"))
            line_to_it.flush()


_Order = tuple[Future[Tethered], Callable[[_Warden], Tethered]]
_orders: dict[int, "queue.Queue[_Order]"] = {}
_orders_lock = threading.Lock()


def _starter() -> "queue.Queue[_Order]":
    """The queue of this process's one starting thread; a forked process makes its own."""
    with _orders_lock:
        if (waiting := _orders.get(os.getpid())) is None:
            waiting = _orders[os.getpid()] = queue.Queue()
            threading.Thread(target=_work, args=(waiting, _Warden()), name="tether", daemon=True).start()
        return waiting


def _work(orders: "queue.Queue[_Order]", warden: _Warden) -> None:
    while True:
        started, order = orders.get()
        try:
            started.set_result(order(warden))
        except BaseException as error:  # noqa: BLE001 - handed to whoever asked
            started.set_exception(error)


def _start(
    argv: list[str], env: Mapping[str, str] | None, cwd: Path | None, piped: bool, kernel: bool, warden: _Warden
) -> Tethered:
    popen = subprocess.Popen(  # noqa: S603 - argv is ours or the Procfile's
        argv,
        env=dict(env) if env is not None else None,
        cwd=cwd,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE if piped else None,
        stderr=subprocess.STDOUT if piped else None,
        start_new_session=True,
        preexec_fn=_kernel_tie() if kernel else None,  # one system call, nothing that locks
    )
    warden.remember(popen.pid)
    return Tethered(popen, warden)


def _kernel_tie() -> Callable[[], None]:
    prctl, parent = ctypes.CDLL(None).prctl, os.getpid()

    def tie() -> None:
        prctl(_PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0)
        if os.getppid() != parent:  # the parent died before the tie was made
            os._exit(1)

    return tie
