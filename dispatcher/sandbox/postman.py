"""Carries signed events back over HTTP, to loopback only, trying again as each vendor does."""

import asyncio
import logging
from collections import Counter, defaultdict
from collections.abc import Callable, Coroutine, Iterator, Mapping
from typing import Any
from urllib.parse import urlencode

import aiohttp
import orjson

from dispatcher.model.clock import Clock
from dispatcher.sandbox.config import EventPlan
from dispatcher.sandbox.loopback import NotLoopback, connector, require_url
from dispatcher.sandbox.schedule import Report
from dispatcher.sandbox.signatures import TEXT_SIGNATURE, MailSigner, text_signature

log = logging.getLogger(__name__)


class Carrier:
    """The sandbox's only way out: posts, counts, and says what became of it."""

    def __init__(self) -> None:
        self.counters: Counter[str] = Counter()
        self._session: aiohttp.ClientSession | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    def start(self, seconds: float) -> None:
        """Open the pool; `seconds` is how long one post may take in all."""
        self._session = aiohttp.ClientSession(
            connector=connector(limit=64),
            timeout=aiohttp.ClientTimeout(total=seconds, sock_connect=5),
            cookie_jar=aiohttp.DummyCookieJar(),
        )

    async def stop(self) -> None:
        """Drop what is under way."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._session is not None:
            await self._session.close()

    async def post(self, url: str, body: bytes, headers: Mapping[str, str]) -> int | None:
        """The status of the answer, or None if there was none."""
        assert self._session is not None
        try:
            async with self._session.post(
                require_url(url), data=body, headers=headers, allow_redirects=False
            ) as answer:
                await answer.read()
                return answer.status
        except NotLoopback:
            self.counters["not_loopback"] += 1
            raise
        except (aiohttp.ClientError, TimeoutError, OSError):
            return None

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        """Run beside everything else, and keep hold of it."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._done)

    def _done(self, task: "asyncio.Task[None]") -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()):
            log.error("an event could not be posted: %s", type(error).__name__, exc_info=error)


class MailPost:
    """SendGrid's Event Webhook: JSON arrays, batched, signed, tried again on anything but a 2xx."""

    def __init__(
        self, carrier: Carrier, signer: MailSigner, plan: Callable[[], EventPlan], clock: Clock,
        urls: Mapping[str, str], encode: Callable[[Report], dict[str, Any]], done: Callable[[int], None],
    ) -> None:  # fmt: skip
        self._carrier, self._signer, self._plan, self._clock = carrier, signer, plan, clock
        self._urls, self._encode, self._done = urls, encode, done
        self._waiting: dict[str, list[bytes]] = defaultdict(list)
        self._gates: dict[str, asyncio.Semaphore] = {}

    def add(self, report: Report) -> None:
        """Put one event into its account's next batch."""
        account = report.message.account
        if account not in self._waiting or not self._waiting[account]:
            self._carrier.spawn(self._close_batch(account))
        self._waiting[account].append(orjson.dumps(self._encode(report)))

    async def _close_batch(self, account: str) -> None:
        await asyncio.sleep(self._plan().batch_seconds)
        events, self._waiting[account] = self._waiting[account], []
        for batch in _cut(events, self._plan().batch_bytes):
            self._carrier.spawn(self._carry(account, batch))

    async def _carry(self, account: str, batch: list[bytes]) -> None:
        # the vendor's body ends each event but the last with a comma and every line with CRLF
        body = b"[" + b",\r\n".join(batch) + b"]\r\n"
        gate = self._gates.setdefault(account, asyncio.Semaphore(self._plan().batches_in_flight))
        try:
            for wait in (0.0, *self._plan().retries):
                await asyncio.sleep(wait)
                async with gate:
                    if await self._try(account, body):
                        self._carrier.counters["events"] += len(batch)
                        return
            self._carrier.counters["given_up"] += len(batch)
        finally:
            self._done(len(batch))

    async def _try(self, account: str, body: bytes) -> bool:
        headers = self._signer.headers(body, int(self._clock.now().timestamp()))
        headers |= {"Content-Type": "application/json", "User-Agent": "SendGrid Event API"}
        status = await self._carrier.post(self._urls[account], body, headers)
        self._carrier.counters["posts"] += 1
        self._carrier.counters["posts_failed"] += status is None or not 200 <= status < 300
        return status is not None and 200 <= status < 300


def _cut(events: list[bytes], limit: int) -> Iterator[list[bytes]]:
    batch: list[bytes] = []
    size = 0
    for event in events:
        if batch and size + len(event) > limit:
            yield batch
            batch, size = [], 0
        batch.append(event)
        size += len(event) + 3
    if batch:
        yield batch


class TextPost:
    """Twilio's status callbacks: one form a time, signed; tried again only as the URL's fragment asks.

    Without a fragment the vendor tries once more, and only if the connection failed; `rc` (0 to 5) is how often,
    `rp` (`4xx`, `5xx`, `ct`, `rt`, `all`) on what. The fragment is never sent and never signed.
    """

    def __init__(
        self, carrier: Carrier, plan: Callable[[], EventPlan], tokens: Mapping[str, str],
        encode: Callable[[Report], tuple[str, dict[str, str], dict[str, str]]], done: Callable[[int], None],
    ) -> None:  # fmt: skip
        self._carrier, self._plan, self._tokens = carrier, plan, tokens
        self._encode, self._done = encode, done
        self._gate: asyncio.Semaphore | None = None

    def add(self, report: Report) -> None:
        """Send one callback on its way."""
        self._carrier.spawn(self._carry(report))

    async def _carry(self, report: Report) -> None:
        target, fields, headers = self._encode(report)
        url, _, fragment = target.partition("#")
        body = urlencode(fields).encode()
        headers |= {"Content-Type": "application/x-www-form-urlencoded", "User-Agent": "TwilioProxy/1.1"}
        headers[TEXT_SIGNATURE] = text_signature(self._tokens[report.message.account], url, fields)
        try:
            await self._tries(url, body, headers, fragment)
        except NotLoopback:
            log.warning("a status callback was not posted: its URL is not on loopback")
        finally:
            self._done(1)

    async def _tries(self, url: str, body: bytes, headers: Mapping[str, str], fragment: str) -> None:
        times, policy = _overrides(fragment)
        self._gate = self._gate or asyncio.Semaphore(self._plan().callbacks_in_flight)
        for _ in range(times + 1):
            async with self._gate:
                status = await self._carrier.post(url, body, headers)
            self._carrier.counters["posts"] += 1
            self._carrier.counters["posts_failed"] += status is None or not 200 <= status < 300
            if status is not None and 200 <= status < 300:
                self._carrier.counters["events"] += 1
                return
            if not _again(status, policy):
                break
        self._carrier.counters["given_up"] += 1


def _overrides(fragment: str) -> tuple[int, frozenset[str]]:
    asked = dict(pair.split("=", 1) for pair in fragment.split("&") if "=" in pair)
    count = asked.get("rc", "1")
    times = min(int(count), 5) if count.isdecimal() else 1
    return times, frozenset(asked.get("rp", "ct").split(","))


def _again(status: int | None, policy: frozenset[str]) -> bool:
    if "all" in policy:
        return True
    if status is None:
        return bool(policy & {"ct", "rt"})
    return f"{status // 100}xx" in policy
