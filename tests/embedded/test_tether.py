"""A real parent is killed with signal 9, and its real child must be gone, by either way of tying."""

import os
import signal
import subprocess
import sys
import time

import psutil
import pytest

from dispatcher.embedded import tether
from tests.embedded.waiting import gone, until

PARENT = """
import sys, threading, time
from dispatcher.embedded import tether
def begin():
    child = tether.start([sys.executable, "-c", {child!r}], kernel={kernel})
    print(child.pid, flush=True)
starter = threading.Thread(target=begin)
starter.start()
starter.join()
time.sleep(60)
"""
SLEEPER = "import time; time.sleep(60)"
FAMILY = "import subprocess, sys; subprocess.run([sys.executable, '-c', 'import time; time.sleep(60)'])"


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only Linux has the kernel's tie")
def test_the_kernel_alone_kills_the_child():
    """The warden is killed first; the child is still there after the thread that asked for it has ended."""
    source = PARENT.format(child=SLEEPER, kernel=True)
    parent = subprocess.Popen([sys.executable, "-c", source], stdout=subprocess.PIPE, text=True)
    pid = int(parent.stdout.readline())
    others = [child for child in psutil.Process(parent.pid).children() if child.pid != pid]
    assert len(others) == 1
    others[0].kill()
    parent.kill()
    parent.wait()
    parent.stdout.close()
    assert gone(pid)


@pytest.mark.parametrize("kernel", [False, True])
def test_a_child_dies_with_a_parent_that_is_killed(kernel):
    source = PARENT.format(child=SLEEPER, kernel=kernel)
    parent = subprocess.Popen([sys.executable, "-c", source], stdout=subprocess.PIPE, text=True)
    pid = int(parent.stdout.readline())
    try:
        time.sleep(0.2)
        assert psutil.pid_exists(pid), "it outlives the thread that asked for it"
    finally:
        parent.kill()
        parent.wait()
        parent.stdout.close()
    assert gone(pid)


def test_exit_codes_are_told():
    child = tether.start([sys.executable, "-c", "raise SystemExit(7)"])
    assert child.wait(10) == 7
    assert child.ended() == 7
    child.kill()  # nothing left to kill


def test_a_grandchild_dies_too_when_the_parent_is_killed():
    source = PARENT.format(child=FAMILY, kernel=True)
    parent = subprocess.Popen([sys.executable, "-c", source], stdout=subprocess.PIPE, text=True)
    leader = psutil.Process(int(parent.stdout.readline()))
    family = until(leader.children)
    parent.kill()
    parent.wait()
    parent.stdout.close()
    assert gone(leader.pid)
    assert gone(family[0].pid)


def test_a_dead_leader_leaves_nobody_of_its_group():
    child = tether.start([sys.executable, "-c", FAMILY])
    family = until(lambda: psutil.Process(child.pid).children())
    os.kill(child.pid, signal.SIGKILL)
    assert child.wait(10) == -signal.SIGKILL
    assert gone(family[0].pid)


def test_kill_ends_the_whole_group():
    child = tether.start([sys.executable, "-c", FAMILY])
    family = until(lambda: psutil.Process(child.pid).children())
    child.kill()
    assert child.ended() == -signal.SIGKILL
    assert gone(family[0].pid)


def test_terminate_reaches_the_leader_only():
    child = tether.start([sys.executable, "-c", "import time; time.sleep(60)"])
    child.terminate()
    assert child.wait(10) == -signal.SIGTERM


def test_a_program_that_does_not_exist_is_an_error_here():
    with pytest.raises(FileNotFoundError):
        tether.start(["/nonexistent/program"])


def test_a_forked_process_starts_its_own_children():
    pid = os.fork()
    if pid == 0:
        code = tether.start([sys.executable, "-c", "raise SystemExit(3)"]).wait(10)
        os._exit(code or 0)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 3
