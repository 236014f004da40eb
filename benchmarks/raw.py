"""The raw limit: one aiohttp process that posts bodies made beforehand, with no ledger, no broker and no rendering.

The bodies are the very bytes that the adapters write: they are taken down at the wire, by a wire that leads nowhere.
"""

import asyncio
import itertools
import sqlite3
import time
from datetime import UTC, datetime, timedelta

import aiohttp

from dispatcher.model.rendition import Envelope
from dispatcher.wire import Answer

IN_FLIGHT = {"email": 10, "sms": 100}


class Notebook:
    """Takes the place of the wire and keeps what would have been written to it."""

    def __init__(self):
        self.requests = []

    async def request(self, _method, url, *, headers, body, **_):
        self.requests.append((url, headers, body))
        return Answer(202, {"x-message-id": "m"}, b'{"sid":"SM0"}')


def written(account, rendition, people, size):
    """(url, headers, body) of every request that `account` would make for so many people, `size` at a time."""
    notebook = Notebook()
    provider = type(account.provider)(account.settings, notebook)
    expires = datetime.now(UTC) + timedelta(hours=1)

    async def send():
        for first in range(0, people, size):
            some = [envelope(i, rendition.channel) for i in range(first, min(first + size, people))]
            await provider.send(rendition, some, expires_at=expires)

    asyncio.run(send())
    return notebook.requests


def envelope(i, channel):
    address = f"p{i}@example.com" if channel == "email" else f"+1202555{i % 100 + 100:04d}"
    return Envelope(f"a1b2c3d4e5f6.1.{i}", address, {"name": f"Person {i}"})


def posted(requests, times, in_flight):
    """Seconds that a bare loop needs to post `requests`, `times` over, so many under way at once."""

    async def run():
        queue = itertools.chain.from_iterable(itertools.repeat(requests, times))

        async def lane(session):
            for url, headers, body in queue:
                async with session.post(url, data=body, headers=headers) as response:
                    await response.read()

        async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=in_flight)) as session:
            await asyncio.gather(*(lane(session) for _ in range(in_flight)))

    began = time.perf_counter()
    asyncio.run(run())
    return time.perf_counter() - began


def applied(bodies, folder, deliveries):
    """Seconds that parsing event posts and updating rows of a bare SQLite table takes, one transaction a post."""
    import orjson

    base = sqlite3.connect(folder / "raw.db", isolation_level=None)
    base.execute("PRAGMA journal_mode = WAL")
    base.execute("CREATE TABLE IF NOT EXISTS d (seq INTEGER PRIMARY KEY, state INTEGER)")
    base.execute("DELETE FROM d")
    base.execute("BEGIN")
    base.executemany("INSERT INTO d VALUES (?, 5)", ((i,) for i in range(deliveries)))
    base.execute("COMMIT")
    began = time.perf_counter()
    for body in bodies:
        base.execute("BEGIN IMMEDIATE")
        rows = [(int(one["d"].rpartition(".")[2]),) for one in orjson.loads(body)]
        base.executemany("UPDATE d SET state = 6 WHERE seq = ?", rows)
        base.execute("COMMIT")
    took = time.perf_counter() - began
    base.close()
    return took


def size_of(requests):
    """Bytes of the bodies, for the record."""
    return sum(len(body) for _, _, body in requests)


__all__ = ["IN_FLIGHT", "applied", "posted", "size_of", "written"]
