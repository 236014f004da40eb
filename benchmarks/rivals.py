"""Runs the naive design beside ours: same broker binary, same sink, same machine."""

import os
import subprocess
import sys
import time
from pathlib import Path

from dispatcher.embedded.broker import Broker


class Naive:
    """A Celery worker of two children that sends one recipient a task. Enter it to have it running."""

    def __init__(self, folder, sink):
        self._folder = Path(folder) / "naive"
        self._sink = sink

    def __enter__(self):
        self._folder.mkdir(parents=True, exist_ok=True)
        self._broker = Broker(self._folder / "broker")
        url = self._broker.__enter__().redis_url
        os.environ |= {
            "BENCH_BROKER": url.replace("unix://", "redis+socket://"), "BENCH_SINK": self._sink,
            "BENCH_NAIVE_DB": f"sqlite:///{self._folder / 'naive.db'}",
        }  # fmt: skip
        from benchmarks import naive

        naive.SINK, self._naive = self._sink, naive
        naive.app.conf.broker_url = os.environ["BENCH_BROKER"]
        argv = [sys.executable, "-m", "celery", "-A", "benchmarks.naive", "worker", "-c", "2", "-l", "error"]
        argv += ["--without-gossip", "--without-mingle", "--without-heartbeat"]
        with (self._folder / "log").open("wb") as log:
            self._worker = subprocess.Popen(argv, stdout=log, stderr=log, env={**os.environ, "C_FORCE_ROOT": "1"})
        return self

    def __exit__(self, *_):
        self._worker.terminate()
        self._worker.wait(30)
        naive = self._naive
        naive.app.close()
        for one in naive._open[:1]:
            one.dispose()
        naive._open.clear()
        self._broker.__exit__(None, None, None)

    def rate(self, kind, people):
        """Recipients (or events) a second, tasks published within the time, as a real broadcast would."""
        naive = self._naive
        naive.fill(people, lambda i: f"p{i}@example.com" if kind == "mail" else f"+1202555{i:08d}")
        done = "delivered" if kind == "event" else "sent"
        began = time.perf_counter()
        task = {"mail": naive.mail, "text": naive.text, "event": naive.event}[kind]
        more = (done,) if kind == "event" else ()
        for i in range(1, people + 1):
            task.delay(i, *more)
        while naive.left(done):
            if time.perf_counter() - began > 60 + people / 10:
                raise TimeoutError(f"naive: {naive.left(done)} left")
            time.sleep(0.2)
        return people / (time.perf_counter() - began)
