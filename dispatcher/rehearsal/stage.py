"""Everything a rehearsal needs on one machine, and nothing that could leave it: a private broker, pretend vendors,
web, worker and beat. What was started ends with the `with` block, and with this process however it ends."""

import json
import secrets
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from dispatcher.bootstrap import build
from dispatcher.embedded.broker import Broker
from dispatcher.embedded.procfile import Program, parse
from dispatcher.embedded.supervisor import Patience, Supervisor
from dispatcher.errors import ConfigurationError
from dispatcher.model.kinds import Mode
from dispatcher.sandbox.control import Control
from dispatcher.services.context import Context
from dispatcher.settings import Settings, layers

LOOPBACK = "127.0.0.1"
READY_SECONDS = 30.0
PROCESSES = """
web: python -m dispatcher.web
worker: celery -A workers.app worker -Q email,sms,social,chat,events,outward,tick --without-gossip --without-mingle --without-heartbeat
beat: celery -A workers.app beat
"""  # noqa: E501 - a Procfile has no line breaks within a command


@dataclass(frozen=True, slots=True)
class Vendors:
    """The pretend vendors: where they listen, how to stage their faults, and their own record of what came."""

    control: Control
    record: Path
    public_key: str
    urls: Mapping[str, str]


class Stage:
    """Enter it to have everything running. `seed` repeats the fates of messages; `patience` is seconds per start."""

    def __init__(self, folder: Path, seed: int, *, patience: float = READY_SECONDS) -> None:
        self.folder = folder
        self._seed = seed
        self._patience = patience
        self._ends = ExitStack()
        self._secret = secrets.token_hex(16)
        self._lock = threading.Lock()
        self._supervisors: list[Supervisor] = []
        self.ctx: Context
        self.vendors: Vendors

    def __enter__(self) -> Self:
        try:
            with _held_port() as port:  # held until the vendors have theirs, so that theirs is another
                url = layers.process_environment().get("DISPATCHER_REDIS_URL") or self._broker().redis_url
                self.vendors = self._vendors(port)
            settings = self._settings(port, url)
            self.ctx = build(settings)
            self._ends.callback(self.ctx.ledger.close)
            env = settings.child_environment()
            self._run(parse(PROCESSES, env), env)
        except BaseException:
            self._ends.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ends.close()

    def pids(self) -> dict[str, int]:
        """What runs now, by name."""
        return {name: pid for supervisor in self._supervisors for name, pid in supervisor.pids().items()}

    def await_web(self) -> None:
        """Return once the vendors' events can be taken in."""
        netloc = (self.ctx.settings.host, self.ctx.settings.port)
        self._await("The web process", lambda: _listens(netloc))

    def _broker(self) -> Broker:
        return self._ends.enter_context(Broker(self.folder / "broker"))

    def _vendors(self, port: int) -> Vendors:
        """Start the sandbox and wait for its ports; its settings go by file, since they hold made-up credentials."""
        config, ready, record = (self.folder / name for name in ("vendors.json", "vendors.ready", "vendors.jsonl"))
        config.write_text(json.dumps(self._sandbox_settings(port, record)), encoding="utf-8")
        argv = ("python", "-m", "dispatcher.sandbox", "--config", str(config), "--ready-file", str(ready))
        self._run([Program("vendors", argv)], _bare_environment())
        self._await("The pretend vendors", ready.exists)
        told = json.loads(ready.read_text(encoding="utf-8"))
        urls = {name: account["base_url"] for name, account in told["accounts"].items()}
        return Vendors(Control(told["base_url"]), record, told["public_key"], urls)

    def _sandbox_settings(self, port: int, record: Path) -> dict[str, Any]:
        web = f"http://{LOOPBACK}:{port}/webhooks"
        return {
            "smtp_port": None,
            "record": str(record),
            "seed": self._seed,
            "accounts": [
                {
                    "name": "sendgrid",
                    "kind": "sendgrid",
                    "secret": f"SG.{self._secret}",
                    "events_url": f"{web}/sendgrid",
                },
                {"name": "twilio", "kind": "twilio", "user": "AC" + "0" * 32, "secret": self._secret},
                {"name": "x", "kind": "x", "user": "1000000001", "secret": self._secret},
            ],
            "faults": {"twilio": {"latency": [0.005, 0.03]}, "sendgrid": {"latency": [0.2, 0.6]}},
        }

    def _settings(self, port: int, redis_url: str) -> Settings:
        """A drill's settings: nothing of the site's own, and every vendor on loopback."""
        overrides = {
            "mode": Mode.DRILL.value,
            "work_dir": str(self.folder),
            "anchor.path": str(self.folder / "anchor.json"),
            "redis_url": redis_url,
            "host": LOOPBACK,
            "port": port,
            "public_url": f"http://{LOOPBACK}:{port}",
            "organisation.verify_url": "https://example.com/verify",
            "workers.processes": 2,
            "log.level": "warning",
            "dispatch.settle_seconds.sms": 2,
            "dispatch.retry.first_seconds": 0.5,
            "dispatch.breaker.open_seconds": 2,
            "providers": self._accounts(),
        }
        return Settings.load(overrides=overrides, env=_bare_environment())

    def _accounts(self) -> dict[str, dict[str, Any]]:
        urls = self.vendors.urls
        return {
            "sendgrid": {
                "base_url": urls["sendgrid"], "api_key": f"SG.{self._secret}", "sender": "news@example.com",
                "webhook_key": self.vendors.public_key,
            },
            "twilio": {
                "base_url": urls["twilio"], "account_sid": "AC" + "0" * 32, "auth_token": self._secret,
                "sender": "+447700900999",
            },
            "x": {"base_url": urls["x"], "bearer_token": self._secret, "user_id": "1000000001"},
        }  # fmt: skip

    def _run(self, programs: Sequence[Program], env: Mapping[str, str]) -> None:
        """Run them until the end; what they print goes to a file."""
        patience = Patience(grace=5.0, restart_first=0.1, steady_after=2.0)
        supervisor = Supervisor(programs, env=env, say=self._note, patience=patience)
        self._supervisors.append(self._ends.enter_context(supervisor))

    def _note(self, name: str, line: str) -> None:
        with self._lock, (self.folder / "processes.log").open("a", encoding="utf-8") as log:
            log.write(f"{name} | {line}\n")

    def _await(self, what: str, ready: Callable[[], bool]) -> None:
        until = time.monotonic() + self._patience
        while not ready():
            if time.monotonic() > until:
                raise ConfigurationError(
                    f"{what} did not start within {self._patience:.0f} s.",
                    why=f"See the logs in {self.folder}.",
                    mend="Run it again when the machine is less busy.",
                )
            time.sleep(0.02)


def _bare_environment() -> dict[str, str]:
    """This process's environment without any setting of ours: a rehearsal must not see live credentials."""
    return {k: v for k, v in layers.process_environment().items() if not layers.is_setting(k) and k != "PORT"}


@contextmanager
def _held_port() -> Iterator[int]:
    """A port that nobody else is given while the block lasts, and that is free after it."""
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        yield probe.getsockname()[1]


def _listens(netloc: tuple[str, int]) -> bool:
    with socket.socket() as probe:
        probe.settimeout(0.2)
        return probe.connect_ex(netloc) == 0
