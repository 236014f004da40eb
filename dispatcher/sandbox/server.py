"""One sandbox: every pretend vendor on one event loop, on loopback."""

import asyncio
import contextlib
import os
from collections import deque
from typing import Any

from aiohttp import web

from dispatcher.model.clock import Clock, SystemClock
from dispatcher.sandbox import admin, routes
from dispatcher.sandbox.config import Account, DownHow, Kind, SandboxConfig
from dispatcher.sandbox.desk import Desk
from dispatcher.sandbox.loopback import require_host, require_url
from dispatcher.sandbox.message import Mail
from dispatcher.sandbox.ports import Ports
from dispatcher.sandbox.postman import Carrier, MailPost, TextPost
from dispatcher.sandbox.reception import Reception
from dispatcher.sandbox.recorder import Recorder
from dispatcher.sandbox.schedule import Report, Schedule
from dispatcher.sandbox.sendgrid import MAX_BODY, SendGrid
from dispatcher.sandbox.signatures import MailSigner
from dispatcher.sandbox.smtp import Relay
from dispatcher.sandbox.twilio import Twilio
from dispatcher.sandbox.vendor import Shared, secret_of
from dispatcher.sandbox.x import X

_POST_SECONDS = 15.0


class Sandbox:
    """`await start()`, use `base_url` and `smtp_port`, `await stop()`. Everything happens on the loop it started on."""

    def __init__(self, config: SandboxConfig | None = None, clock: Clock | None = None) -> None:
        self.config = config or SandboxConfig()
        require_host(self.config.host)
        for account in self.config.accounts:
            if account.events_url:
                require_url(account.events_url)
        self.clock = clock or SystemClock()
        self.signer = MailSigner()
        self.carrier = Carrier()
        self._tasks: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        """Open the ports and begin to tell events."""
        self._build()
        self.carrier.start(_POST_SECONDS)
        try:
            await self.ports.open()
        except OSError:
            await self.stop()
            raise
        loop = asyncio.get_running_loop()
        self._tasks = [loop.create_task(self.schedule.run())]

    def _build(self) -> None:
        config, clock = self.config, self.clock
        self.schedule = Schedule(config.events, clock, config.seed, self._tell)
        self.desks = {a.name: Desk(a, config.faults_of(a.name), clock, config.seed) for a in config.accounts}
        self.shared = Shared(
            config=config, clock=clock, schedule=self.schedule, desks=self.desks, fates=config.fates,
            recorder=Recorder(config.record, clock, plain_addresses=config.plain_addresses),
            kept=deque(maxlen=config.keep),
        )  # fmt: skip
        self.sendgrid, self.twilio, self.x = SendGrid(self.shared), Twilio(self.shared), X(self.shared)
        self.relay = Relay(self.shared)
        self._build_posts()
        app = web.Application(client_max_size=MAX_BODY + 1)
        routes.add(app, Reception(self.shared), self.sendgrid, self.twilio, self.x)
        admin.add(app, self)
        self.ports = Ports(config, app, self.relay)

    def _build_posts(self) -> None:
        urls = {a.name: a.events_url for a in self.config.accounts if a.events_url}
        tokens = {a.name: secret_of(a) for a in self.config.accounts if a.kind is Kind.TWILIO}
        self._mail_post = MailPost(
            self.carrier, self.signer, self._plan, self.clock, urls, self.sendgrid.encode, self._done
        )
        self._text_post = TextPost(self.carrier, self._plan, tokens, self.twilio.encode, self._done)

    def _plan(self) -> Any:
        return self.schedule.plan

    def _tell(self, report: Report) -> None:
        post = self._mail_post if isinstance(report.message, Mail) else self._text_post
        post.add(report)

    def _done(self, count: int) -> None:
        self.schedule.open -= count

    async def stop(self) -> None:
        """Close everything; what was not told stays untold."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self.relay.hang_up()
        await self.ports.close()
        await self.carrier.stop()
        self.shared.recorder.close()

    @property
    def public_key(self) -> str:
        """SendGrid's key for checking events: base64 of the SPKI form."""
        return self.signer.public_key

    @property
    def base_url(self) -> str:
        """Where all vendors over HTTP answer."""
        return self.ports.base_url

    @property
    def smtp_port(self) -> int | None:
        """Where the relay answers, None if there is none."""
        return self.ports.smtp_port

    def has_own_port(self, account: str) -> bool:
        """Whether the account can refuse connections by itself."""
        return self.desks[account].account.own_port or self.desks[account].account.kind is Kind.SMTP

    async def take_down(self, account: str, seconds: float, how: DownHow) -> None:
        """An outage of one account; `refuse` closes its port, and opens it again when the time is over."""
        self.desks[account].go_down(seconds, how)
        if how is DownHow.REFUSE:
            await self.ports.shut(self.desks[account].account)
            self.carrier.spawn(self._reopen(account, seconds))

    async def _reopen(self, account: str, seconds: float) -> None:
        await asyncio.sleep(seconds)
        if self.desks[account].down() is not DownHow.REFUSE:
            await self.ports.reopen(self.desks[account].account)

    async def bring_up(self, account: str) -> None:
        """The end of an outage."""
        self.desks[account].come_up()
        await self.ports.reopen(self.desks[account].account)

    async def drained(self, seconds: float = 30) -> bool:
        """Wait until every planned event was told or given up; False if that took too long."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while self.schedule.open:
                    await asyncio.sleep(0.01)
        return not self.schedule.open

    async def reset(self) -> None:
        """Forget what came and every change made over the admin API. The record stays."""
        for name, desk in self.desks.items():
            desk.counters.clear()
            desk.suppressed.clear()
            desk.faults = self.config.faults_of(name)
            await self.bring_up(name)
        self.schedule.clear()
        self.schedule.change(self.config.events)
        self.schedule.counters.clear()
        self.carrier.counters.clear()
        self.shared.fates = self.config.fates
        self.shared.kept.clear()
        self.twilio.texts.clear()
        self.x.forget()
        self.relay.deferred.clear()

    def state(self) -> dict[str, Any]:
        """Everything worth knowing, without secrets."""
        return {
            "pid": os.getpid(),
            "base_url": self.base_url,
            "smtp_port": self.smtp_port,
            "public_key": self.public_key,
            "accounts": {name: self._account(desk) for name, desk in self.desks.items()},
            "events": {"open": self.schedule.open, **self.schedule.counters, **self.carrier.counters},
        }

    def _account(self, desk: Desk) -> dict[str, Any]:
        account: Account = desk.account
        return {
            "kind": account.kind,
            "base_url": self.ports.url_of(account),
            "down": desk.down(),
            "in_flight": desk.in_flight,
            "counters": dict(desk.counters),
        }
