"""Looks after the processes that an end-to-end test starts."""

import os
import signal
import subprocess
import sys
import time

import psutil

DISPATCHER = [sys.executable, "-m", "dispatcher"]


def environment(folder, **more):
    """This process's environment without any setting, with every folder of a home inside `folder`."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith("DISPATCHER_") and k != "PORT"}
    homes = {name: str(folder / name.lower()) for name in ("XDG_DATA_HOME", "XDG_STATE_HOME", "XDG_CONFIG_HOME")}
    return kept | homes | {"HOME": str(folder)} | more


def start(argv, **more):
    return subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **more)


def family(pid):
    """Everything that a process started, and what those started."""
    return psutil.Process(pid).children(recursive=True)


def left_of(processes, within=20.0):
    """Those that still run after a while."""
    _, alive = psutil.wait_procs(processes, timeout=within)
    return [one for one in alive if one.is_running() and one.status() != psutil.STATUS_ZOMBIE]


def end(process, within=60.0):
    """End one that we started, politely first."""
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(within)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
    for pipe in (process.stdout, process.stderr):
        if pipe is not None:
            pipe.close()


def until(found, what, within=60.0):
    """The first true answer of `found`; fails with `what` when it does not come."""
    ends = time.monotonic() + within
    while time.monotonic() < ends:
        if answer := found():
            return answer
        time.sleep(0.05)
    raise AssertionError(f"{what} did not come within {within:.0f} s")
