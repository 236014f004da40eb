"""The ports of a sandbox: one for all, one for SMTP, and one for each account that asked for its own."""

import asyncio
import socket

from aiohttp import web

from dispatcher.sandbox.config import Account, Kind, SandboxConfig
from dispatcher.sandbox.smtp import MAX_SIZE, Relay

# a stalled answer must hold up neither an outage nor the end of a run
_GRACE = 0.1


class Ports:
    """Each port stays the same while the sandbox runs, also when its account is down for a while."""

    def __init__(self, config: SandboxConfig, app: web.Application, relay: Relay) -> None:
        self._config = config
        self._relay = relay
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=_GRACE, auto_decompress=False)
        self._sites: dict[str, web.SockSite] = {}
        self._numbers: dict[str, int] = {}
        self._smtp: asyncio.Server | None = None
        self.smtp_port: int | None = config.smtp_port

    async def open(self) -> None:
        """Listen."""
        await self._runner.setup()
        await self._listen("", self._config.port)
        for account in self._config.accounts:
            if account.own_port and account.kind is not Kind.SMTP:
                await self._listen(account.name, 0)
        if self.smtp_port is not None:
            await self._listen_smtp(self.smtp_port)

    async def _listen(self, name: str, port: int) -> None:
        found = self._socket(port)
        self._numbers[name] = found.getsockname()[1]
        site = web.SockSite(self._runner, found)
        await site.start()
        self._sites[name] = site

    async def _listen_smtp(self, port: int) -> None:
        found = self._socket(port)
        self.smtp_port = found.getsockname()[1]
        self._smtp = await asyncio.start_server(self._relay.serve, sock=found, limit=MAX_SIZE)

    def _socket(self, port: int) -> socket.socket:
        family = socket.AF_INET6 if ":" in self._config.host else socket.AF_INET
        found = socket.socket(family, socket.SOCK_STREAM)
        found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        found.bind((self._config.host, port))
        found.listen(1024)
        return found

    async def close(self) -> None:
        """Close all."""
        if self._smtp is not None:
            self._smtp.close()
        await self._runner.cleanup()

    async def shut(self, account: Account) -> None:
        """From now on connections to this account's port are refused; those that are open are cut off."""
        if account.kind is Kind.SMTP:
            if self._smtp is not None:
                self._smtp.close()
                self._smtp = None
            await self._relay.hang_up()
            return
        if site := self._sites.pop(account.name, None):
            await site.stop()
            await self._hang_up(self._numbers[account.name])

    async def _hang_up(self, port: int) -> None:
        server = self._runner.server
        there = [c for c in (server.connections if server else ()) if _port_of(c.transport) == port]
        await asyncio.gather(*(connection.shutdown(_GRACE) for connection in there))

    async def reopen(self, account: Account) -> None:
        """Listen again where it listened before."""
        if account.kind is Kind.SMTP:
            if self._smtp is None and self.smtp_port is not None:
                await self._listen_smtp(self.smtp_port)
        elif account.name in self._numbers and account.name not in self._sites:
            await self._listen(account.name, self._numbers[account.name])

    def url_of(self, account: Account) -> str:
        """Where one account answers."""
        if account.kind is Kind.SMTP:
            return f"smtp://{self._host}:{self.smtp_port}"
        return f"http://{self._host}:{self._numbers.get(account.name, self._numbers[''])}"

    @property
    def base_url(self) -> str:
        """Where all accounts answer."""
        return f"http://{self._host}:{self._numbers['']}"

    @property
    def _host(self) -> str:
        return f"[{self._config.host}]" if ":" in self._config.host else self._config.host


def _port_of(transport: asyncio.Transport | None) -> int | None:
    name = transport.get_extra_info("sockname") if transport is not None else None
    return int(name[1]) if name else None
