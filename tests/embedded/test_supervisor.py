"""Real processes: small Python programs that exit, hang, ignore signals or leave children behind."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections import defaultdict
from dataclasses import replace

import psutil
import pytest

from dispatcher.embedded.procfile import Program
from dispatcher.embedded.supervisor import Patience, Supervisor
from tests.embedded.waiting import gone, until

QUICK = Patience(
    grace=5,
    stalled=0.5,
    stalled_grace=0.5,
    restart_first=0.05,
    restart_longest=0.2,
    look_every=0.02,
    heartbeat_every=0.05,
)
SLEEPER = "import time; print('up', flush=True); time.sleep(60)"
STUBBORN = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('up', flush=True); time.sleep(60)"
POLITE = """
import signal, sys, time
def end(*_):
    time.sleep(0.3); print('finished what it had begun', flush=True); sys.exit(0)
signal.signal(signal.SIGTERM, end)
print('up', flush=True)
time.sleep(60)
"""


def python(name, source):
    return Program(name, (sys.executable, "-c", source))


class Lines:
    """What the supervisor says, by program."""

    def __init__(self):
        self.told = defaultdict(list)

    def __call__(self, name, line):
        self.told[name].append(line)

    def count(self, name, words):
        return sum(words in line for line in self.told[name])


@pytest.fixture
def lines():
    return Lines()


def supervise(*programs, lines, patience=QUICK, **options):
    return Supervisor(programs, env=os.environ, say=lines, patience=patience, **options)


@pytest.mark.parametrize("code", [0, 1, 3, 70])
def test_whatever_exits_is_started_again_with_any_code(lines, code):
    with supervise(python("worker", f"raise SystemExit({code})"), lines=lines):
        assert until(lambda: lines.count("worker", f"exited with code {code}") >= 3)


def test_what_is_killed_is_started_again(lines):
    with supervise(python("worker", SLEEPER), lines=lines) as supervisor:
        assert until(lambda: lines.count("worker", "up") == 1)
        first = supervisor.pids()["worker"]
        os.kill(first, signal.SIGKILL)
        assert until(lambda: lines.count("worker", "up") == 2)
        assert supervisor.pids()["worker"] != first
        assert supervisor.restarts() == {"worker": 1}


def test_the_pause_before_a_restart_grows_to_its_longest_and_no_further(lines):
    with supervise(python("beat", "raise SystemExit(1)"), lines=lines):
        assert until(lambda: lines.count("beat", "in 0.2 s") >= 3)
    assert lines.told["beat"][0].endswith("in 0.1 s") or lines.told["beat"][0].endswith("in 0.0 s")


def test_a_program_that_does_not_exist_does_not_stop_the_others(lines):
    with supervise(Program("web", ("/nonexistent",)), python("worker", SLEEPER), lines=lines):
        assert until(lambda: lines.count("web", "could not be started") >= 2)
        assert until(lambda: lines.count("worker", "up") == 1)


def test_output_comes_with_its_name_whatever_its_bytes(lines, capsys):
    source = "import sys; sys.stdout.buffer.write(b'caf\\xc3\\xa9 \\xff\\n' + b'x' * 40000 + b'\\n')"
    source += "; sys.stdout.flush(); sys.stderr.write('err\\n')"
    patience = Patience(restart_first=60, restart_longest=60, look_every=0.02)
    with supervise(python("web", source), lines=lines, patience=patience):
        assert until(lambda: lines.count("web", "err"))
    assert lines.told["web"][0] == "café \ufffd"
    assert max(map(len, lines.told["web"])) <= 16_384
    assert sum(line.count("x") for line in lines.told["web"]) >= 40_000
    with Supervisor([python("web", "print('words')"), python("worker", SLEEPER)], env=os.environ, patience=patience):
        assert until(lambda: "web    | words" in capsys.readouterr().out)


def test_stop_asks_first_and_waits_for_what_was_begun(lines):
    supervisor = supervise(python("worker", POLITE), lines=lines).start()
    assert until(lambda: lines.count("worker", "up"))
    pid = supervisor.pids()["worker"]
    supervisor.stop()
    assert lines.count("worker", "finished what it had begun") == 1
    assert gone(pid)


def test_what_ignores_the_request_is_killed_after_its_grace(lines):
    supervisor = supervise(python("worker", STUBBORN), lines=lines, patience=Patience(grace=0.3)).start()
    assert until(lambda: lines.count("worker", "up"))
    pid, began = supervisor.pids()["worker"], time.monotonic()
    supervisor.stop()
    assert time.monotonic() - began >= 0.3
    assert gone(pid)


def test_nothing_is_started_again_after_stop(lines):
    supervisor = supervise(python("worker", "raise SystemExit(0)"), lines=lines).start()
    assert until(lambda: lines.count("worker", "exited"))
    supervisor.stop()
    told = len(lines.told["worker"])
    time.sleep(0.5)
    assert len(lines.told["worker"]) == told


def test_what_makes_no_progress_is_ended_and_started_again(lines):
    beating = threading.Event()
    beating.set()
    hearts = {"worker": beating.is_set}
    quick = replace(QUICK, grace=0.1)
    with supervise(python("worker", STUBBORN), lines=lines, patience=quick, heartbeats=hearts) as supervisor:
        assert until(lambda: lines.count("worker", "up") == 1)
        time.sleep(0.8)
        assert supervisor.restarts() == {"worker": 0}, "while the heart beats nothing happens"
        beating.clear()
        assert until(lambda: lines.count("worker", "no progress"))
        beating.set()  # or a slow machine would end the next one before it can say a word
        assert until(lambda: lines.count("worker", "up") >= 2)
        assert lines.count("worker", "exited with code -9")


def test_a_heartbeat_that_fails_or_hangs_kills_nobody(lines):
    def broken():
        raise OSError("the ledger is locked")

    stuck = threading.Event()
    hearts = {"worker": broken, "web": lambda: stuck.wait(3)}
    with supervise(python("worker", SLEEPER), python("web", SLEEPER), lines=lines, heartbeats=hearts) as supervisor:
        assert until(lambda: lines.count("worker", "cannot be read: OSError"))
        time.sleep(0.8)
        assert supervisor.restarts() == {"worker": 0, "web": 0}
        stuck.set()


def test_what_else_must_live_is_kept_and_its_failure_told(lines):
    calls = []

    def ensure():
        calls.append(1)
        if len(calls) in (2, 3):
            raise OSError("no server.")

    with supervise(python("web", SLEEPER), lines=lines, keep=[ensure]):
        assert until(lambda: len(calls) > 4)
    assert lines.told["up"] == ["no server. Trying again."]


RUN = """
import os, sys
from dispatcher.embedded.procfile import Program
from dispatcher.embedded.supervisor import Patience, Supervisor
family = "import subprocess, sys; subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)']); "
family += {leader!r}
Supervisor([Program("worker", (sys.executable, "-c", family))], env=os.environ, patience=Patience(grace={grace})).run()
print("the supervisor is done", flush=True)
"""


def run_family(leader, grace):
    """A supervisor in a process of its own, with a worker that has a child: (supervisor, the rest)."""
    source = RUN.format(leader=leader, grace=grace)
    top = subprocess.Popen([sys.executable, "-c", source], stdout=subprocess.PIPE, text=True)
    me = psutil.Process(top.pid)
    family = until(lambda: (all_ := me.children(recursive=True)) and len(all_) == 3 and all_)
    assert family, "worker, its child and the warden are there"
    assert top.stdout.readline().strip() == "worker | up"
    return top, [process.pid for process in family]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_signal_ends_every_process_and_then_the_supervisor(number):
    top, pids = run_family(POLITE.strip().replace("\n", "\n"), 10)
    top.send_signal(number)
    said, _ = top.communicate(timeout=10)
    assert top.returncode == 0
    assert "finished what it had begun" in said
    assert said.endswith("the supervisor is done\n")
    assert all(gone(pid) for pid in pids)


def test_a_second_signal_does_not_wait_for_the_grace():
    top, pids = run_family(STUBBORN, 60)
    top.send_signal(signal.SIGINT)
    time.sleep(0.5)
    assert top.poll() is None, "the first one waits for the grace"
    top.send_signal(signal.SIGINT)
    assert top.wait(10) == 0
    top.stdout.close()
    assert all(gone(pid) for pid in pids)


def test_a_supervisor_that_is_killed_leaves_no_child():
    top, pids = run_family(STUBBORN, 60)
    top.kill()
    top.wait()
    top.stdout.close()
    assert all(gone(pid) for pid in pids)
