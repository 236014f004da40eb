"""Signed posts of events into the real web process, until the last of them is applied to its delivery."""

import asyncio
import random
import time

import aiohttp
import orjson

from benchmarks import raw

PER_POST = 500
"""Events of one post. SendGrid gathers for a second or until 768 KiB, about two thousand of these."""
IN_FLIGHT = 16


def posts(field, broadcast, people):
    """Signed posts with one `delivered` for each delivery, in random order."""
    now = int(time.time())
    order = list(range(people))
    random.Random(1).shuffle(order)
    made = []
    for first in range(0, people, PER_POST):
        body = orjson.dumps([_event(field, broadcast, seq, now) for seq in order[first : first + PER_POST]])
        made.append((body, field.signer.headers(body, now) | {"Content-Type": "application/json"}))
    return made


def _event(field, broadcast, seq, now):
    return {
        "email": f"p{seq + 1}@example.com", "event": "delivered", "timestamp": now, "response": "250 OK",
        "sg_event_id": f"bench-{broadcast}-{seq}", "sg_message_id": f"m{seq // 200}.filter.0",
        "smtp-id": "<m@example.com>",
        "d": f"{field.ctx.ledger_id}.{broadcast}.{seq}",
    }  # fmt: skip


def taken(field, broadcast, people):
    """Events a second from the first post to the last applied, and how the posts were answered."""
    made = posts(field, broadcast, people)
    url = f"http://127.0.0.1:{field.ctx.settings.port}/webhooks/sendgrid"
    peak: dict[str, float] = {}
    began = time.perf_counter()
    waits = asyncio.run(_post(url, made))
    stored = time.perf_counter() - began
    while sum(row.delivered for row in field.sums(broadcast).values()) < people:
        if time.perf_counter() - began > 900:
            raise TimeoutError("the events were not applied")
        field.weigh(peak)
        time.sleep(0.05)
    whole = time.perf_counter() - began
    field.weigh(peak, now=True)
    bare = raw.applied([body for body, _ in made], field.folder, people)
    waits.sort()
    return {
        "rate": people / whole, "stored_rate": people / stored, "raw_rate": people / bare,
        "posts": len(made), "pss": peak,
        "p50_ms": waits[len(waits) // 2] * 1000, "p99_ms": waits[int(len(waits) * 0.99)] * 1000,
    }  # fmt: skip


async def _post(url, made):
    queue, waits = iter(made), []

    async def lane(session):
        for body, headers in queue:
            began = time.perf_counter()
            async with session.post(url, data=body, headers=headers) as answer:
                if answer.status != 204:
                    raise RuntimeError(f"{answer.status} {await answer.text()}")
            waits.append(time.perf_counter() - began)

    async with aiohttp.ClientSession() as session:
        await asyncio.gather(*(lane(session) for _ in range(IN_FLIGHT)))
    return waits
