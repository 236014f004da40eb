"""uvicorn, told to be strict: slow clients are hung up on, and a shutdown takes three seconds at most.

uvicorn limits how long a connection may be idle, but not how long one request's headers may take; `Impatient` does.
"""

import asyncio
from typing import Any

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from dispatcher.settings import Settings

HEADER_SECONDS = 10.0
"""From the first byte, or the end of the last answer, to the end of a request's headers."""
IDLE_SECONDS = 5
SHUTDOWN_SECONDS = 3
CONNECTIONS = 1000
HEADER_BYTES = 32 * 1024


class Impatient(H11Protocol):
    """Hangs up on whoever does not bring a whole request head in time."""

    _deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._reckon()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        self._reckon()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        self._reckon()

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self._cancel()

    def _reckon(self) -> None:
        """The time runs while no request is being served."""
        if self.cycle is not None and not self.cycle.response_complete:
            self._cancel()
        elif self._deadline is None:
            self._deadline = self.loop.call_later(HEADER_SECONDS, self.transport.close)

    def _cancel(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None


def server(settings: Settings, application: Any = "dispatcher.web.asgi:app") -> uvicorn.Server:
    """The server, not yet running. `application` is a factory's name, or an application."""
    return uvicorn.Server(
        uvicorn.Config(
            application,
            factory=isinstance(application, str),
            host=settings.host,
            port=settings.port,
            http=Impatient,
            ws="none",
            lifespan="on",
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,
            backlog=512,
            limit_concurrency=CONNECTIONS,
            h11_max_incomplete_event_size=HEADER_BYTES,
            timeout_keep_alive=IDLE_SECONDS,
            timeout_graceful_shutdown=SHUTDOWN_SECONDS,
        )
    )


def main() -> None:
    """Serve until SIGTERM or SIGINT."""
    server(Settings.load()).run()
