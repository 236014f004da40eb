"""/healthz: this process answers. /readyz: so does the ledger. /metrics: figures for Prometheus, for direct callers."""

import asyncio
import time
from collections.abc import Iterator, Mapping
from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import JSONResponse, PlainTextResponse, Response

from dispatcher.services import health
from dispatcher.services.context import Context
from dispatcher.web.answers import Refusal, refused
from dispatcher.web.threads import Threads

FRESH_SECONDS = 1.0
"""Figures are read from the ledger once a second at most, however often they are asked for."""
PATIENCE_SECONDS = 3.0
FORWARDED = ("forwarded", "x-forwarded-for", "x-real-ip", "via")
CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


class Glance:
    """The newest snapshot of the ledger, shared by everybody who asks within a second."""

    def __init__(self, ctx: Context, threads: Threads) -> None:
        self._ctx, self._threads = ctx, threads
        self._lock = asyncio.Lock()
        self._read_at = float("-inf")
        self._snapshot: Mapping[str, Any] = {}

    async def take(self) -> Mapping[str, Any]:
        """Raises Refusal 503 when the ledger does not answer in time."""
        try:
            async with asyncio.timeout(PATIENCE_SECONDS), self._lock:
                if time.monotonic() - self._read_at >= FRESH_SECONDS:
                    self._snapshot = await self._threads.run("health", health.snapshot, self._ctx)
                    self._read_at = time.monotonic()
                return self._snapshot
        except TimeoutError:
            raise Refusal(503, retry_after="5") from None


def router(ctx: Context, threads: Threads) -> APIRouter:
    """Three routes that change nothing."""
    routes = APIRouter()
    glance = Glance(ctx, threads)

    @routes.get("/healthz", response_model=None)
    async def alive() -> Response:
        return PlainTextResponse("ok\n")

    @routes.get("/readyz", response_model=None)
    async def ready() -> Response:
        try:
            snapshot = await glance.take()
        except Exception as error:  # noqa: BLE001 - whatever is wrong with the ledger, the answer is "not ready"
            return refused(503, getattr(error, "headers", None))
        return JSONResponse({"ready": True, "held": bool(snapshot["hold"]), "broker": snapshot["rings"] is not None})

    @routes.get("/metrics", response_model=None)
    async def metrics(request: Request) -> Response:
        if any(name in request.headers for name in FORWARDED):
            raise Refusal(404)  # came through a proxy, so from outside
        return PlainTextResponse("".join(exposition(await glance.take())), media_type=CONTENT_TYPE)

    return routes


def exposition(snapshot: Mapping[str, Any]) -> Iterator[str]:
    """A snapshot in Prometheus' text format (prometheus.io/docs/instrumenting/exposition_formats, read 2026-11)."""
    yield from _gauge(
        "hold", "1 while the ledger is behind its anchor and sends nothing.", {(): bool(snapshot["hold"])}
    )
    yield from _gauge("broker_up", "1 if the broker answers.", {(): snapshot["rings"] is not None})
    yield from _gauge("broadcasts", "Broadcasts by state.", _labelled(snapshot["broadcasts"], "state"))
    deliveries: dict[_Labels, float] = {
        (("channel", channel), ("state", term)): count
        for channel, terms in snapshot["deliveries"].items()
        for term, count in terms.items()
    }
    yield from _gauge("deliveries", "Deliveries of broadcasts that are not closed.", deliveries)
    due = snapshot["due"]
    yield from _gauge("due_batches", "Batches that could be claimed now.", _labelled(_pick(due, "batches"), "channel"))
    yield from _gauge("due_seconds", "Age of the oldest of them.", _labelled(_pick(due, "seconds"), "channel"))
    yield from _gauge("events_waiting", "Stored posts that are not applied yet.", {(): snapshot["events"]["waiting"]})
    yield from _gauge("events_seconds", "Age of the oldest of them.", {(): snapshot["events"]["seconds"]})
    open_accounts = {name: word == "open" for name, word in snapshot["accounts"].items()}
    yield from _gauge("account_open", "1 if the account may be used.", _labelled(open_accounts, "account"))
    frozen = {name: word == "frozen" for name, word in snapshot["channels"].items()}
    yield from _gauge("channel_frozen", "1 while a person has frozen the channel.", _labelled(frozen, "channel"))
    yield from _gauge("rings_waiting", "Rings in the broker.", _labelled(snapshot["rings"] or {}, "queue"))


_Labels = tuple[tuple[str, str], ...]


def _gauge(name: str, told: str, samples: Mapping[_Labels, float]) -> Iterator[str]:
    full = f"dispatcher_{name}"
    yield f"# HELP {full} {told}\n# TYPE {full} gauge\n"
    for labels, value in samples.items():
        inside = ",".join(f'{label}="{_escaped(word)}"' for label, word in labels)
        yield f"{full}{{{inside}}} {_number(value)}\n" if inside else f"{full} {_number(value)}\n"


def _labelled(values: Mapping[str, float], label: str) -> dict[_Labels, float]:
    return {((label, str(name)),): value for name, value in values.items()}


def _pick(rows: Mapping[str, Mapping[str, float]], column: str) -> dict[str, float]:
    return {name: row[column] for name, row in rows.items()}


def _number(value: float) -> str:
    """Every digit of a count; thousandths of a second."""
    return f"{value:d}" if isinstance(value, int) else f"{value:.3f}"


def _escaped(word: str) -> str:
    return str(word).replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
