"""Real worker and beat processes against a real server."""

import contextlib
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from dispatcher.doorbell import QUEUES, Doorbell
from dispatcher.embedded.broker import Broker
from tests.embedded.waiting import until

ROOT = Path(__file__).parents[2]


class Hands:
    """Workers and beats of one test, and what their services were asked to do."""

    def __init__(self, folder, redis_url):
        self.folder, self.redis_url = folder, redis_url
        self.log = folder.with_name(folder.name + ".log")
        self.processes = []
        self.do()

    def do(self, **orders):
        fresh = self.log.with_suffix(".new")
        fresh.write_text(json.dumps(orders))
        fresh.replace(self.folder / "do.json")

    def env(self, **more):
        own = {"STUB_FOLDER": str(self.folder), "DISPATCHER_REDIS_URL": self.redis_url, "PYTHONPATH": str(ROOT)}
        return dict(os.environ) | own | {"DISPATCHER_WORK_DIR": str(self.folder)} | more

    def celery(self, *words, env=None, app="tests.workers.stubbed"):
        with self.log.open("ab") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "celery", "-A", app, *words],
                cwd=self.folder, env=env or self.env(), stdout=log, stderr=log, start_new_session=True,
            )  # fmt: skip
        self.processes.append(process)
        return process

    def worker(self, *words, children=2):
        flags = ("--without-gossip", "--without-mingle", "--without-heartbeat")
        return self.celery("worker", "-Q", ",".join(QUEUES), "-c", str(children), *flags, *words)

    def children(self):
        """The pool children of the first process."""
        return [child.pid for child in psutil.Process(self.processes[0].pid).children()]

    def calls(self, what=None):
        path = self.folder / "calls.ndjson"
        lines = [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []
        return [line for line in lines if what in (None, line["what"])]

    def forget(self):
        """As if nothing had been asked yet, but for which children there are."""
        built = "".join(json.dumps(call) + "\n" for call in self.calls("built"))
        (self.folder / "calls.ndjson").write_text(built)
        self.do()

    def wait_for(self, what, count=1, within=40.0):
        found = until(lambda: len(calls := self.calls(what)) >= count and calls, within)
        assert found, f"{count} × {what}, but only {self.calls()}"
        return found

    def end(self):
        for process in self.processes:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()


@pytest.fixture
def hands(tmp_path, redis_url):
    hands = Hands(tmp_path, redis_url)
    yield hands
    hands.end()


@pytest.fixture(scope="module")
def shared(tmp_path_factory):
    """Hands with one worker of two children and a server of their own, for tests that leave them as they were."""
    with Broker() as broker:
        hands = Hands(tmp_path_factory.mktemp("shared"), broker.redis_url)
        hands.worker()
        hands.wait_for("built", 2)
        yield hands
        hands.end()


@pytest.fixture
def crew(shared):
    """The shared worker with nothing to do and nothing done, and a bell that remembers no ring."""
    shared.forget()
    assert until(lambda: len(now := shared.children()) == 2 and {c["pid"] for c in shared.calls("built")} >= set(now))
    shared.bell = Doorbell(shared.redis_url, slots=8)
    yield shared
    shared.bell.close()


@pytest.fixture
def bell(redis_url):
    bell = Doorbell(redis_url, slots=8)
    yield bell
    bell.close()


@pytest.fixture
def own_broker():
    with Broker() as broker:
        yield broker
