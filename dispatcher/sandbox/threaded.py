"""A sandbox in a thread of its own, for tests and for callers without an event loop."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from dispatcher.sandbox.config import SandboxConfig
from dispatcher.sandbox.control import Control
from dispatcher.sandbox.server import Sandbox


class Running(Control):
    """A sandbox that is up: its addresses, and everything that `Control` can do to it."""

    def __init__(self, sandbox: Sandbox) -> None:
        super().__init__(sandbox.base_url)
        self.config = sandbox.config
        self.public_key = sandbox.public_key
        self.smtp_port = sandbox.smtp_port
        self.urls = {a.name: sandbox.ports.url_of(a) for a in sandbox.config.accounts}


class _Thread(threading.Thread):
    def __init__(self, config: SandboxConfig) -> None:
        super().__init__(name="sandbox", daemon=True)
        self._config = config
        self._ready = threading.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._ended: asyncio.Event | None = None
        self.running: Running | None = None
        self.error: BaseException | None = None

    def run(self) -> None:
        try:
            asyncio.run(self._live())
        except BaseException as error:  # noqa: BLE001 - handed to the thread that waits for us
            self.error = error
        finally:
            self._ready.set()

    async def _live(self) -> None:
        self._loop, self._ended = asyncio.get_running_loop(), asyncio.Event()
        sandbox = Sandbox(self._config)
        await sandbox.start()
        try:
            self.running = Running(sandbox)
            self._ready.set()
            await self._ended.wait()
        finally:
            await sandbox.stop()

    def up(self) -> Running:
        """Start and wait until the ports are open."""
        self.start()
        self._ready.wait()
        if self.running is None:
            raise self.error or RuntimeError("the sandbox did not start")
        return self.running

    def end(self) -> None:
        """Stop and wait; what went wrong inside is raised here."""
        if self._loop is not None and self._ended is not None and self.is_alive():
            self._loop.call_soon_threadsafe(self._ended.set)
        self.join(timeout=10)
        if self.error is not None:
            raise self.error


@contextmanager
def running(config: SandboxConfig | None = None, **settings: Any) -> Iterator[Running]:
    """A sandbox for the length of a `with` block; `settings` are those of SandboxConfig."""
    thread = _Thread(config or SandboxConfig(**settings))
    found = thread.up()
    try:
        yield found
    finally:
        thread.end()
