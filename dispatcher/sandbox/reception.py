"""The path of one message-sending request through any vendor over HTTP: who asks, what strikes it, what it brings."""

import asyncio
import secrets

from aiohttp import web

from dispatcher.sandbox import misbehave
from dispatcher.sandbox.config import DownHow, Fault
from dispatcher.sandbox.desk import Desk
from dispatcher.sandbox.recorder import Stamp
from dispatcher.sandbox.vendor import Shared, Taken, Vendor

_NOBODY = "-"


class Reception:
    """Counts and records every request; a message counts as accepted from the moment its line is written."""

    def __init__(self, shared: Shared) -> None:
        self._shared = shared

    async def receive(self, request: web.Request, vendor: Vendor) -> web.StreamResponse:
        """Handle one request from its first byte to its last."""
        began = self._shared.recorder.stamp()
        desk = vendor.desk_of(request)
        if desk is None:
            return self._turn_away(vendor, None, 401, began)
        desk.counters["requests"] += 1
        if (how := desk.down()) is not None:
            return self._out_of_order(request, vendor, desk, how, began)
        desk.in_flight += 1
        try:
            fault = desk.draw()
            if fault is not None:
                desk.counters[f"fault.{fault}"] += 1
            return await self._serve(request, vendor, desk, fault, began)
        finally:
            desk.in_flight -= 1

    async def _serve(
        self, request: web.Request, vendor: Vendor, desk: Desk, fault: Fault | None, began: Stamp
    ) -> web.StreamResponse:
        if fault is Fault.RESET:
            self._refuse(vendor, desk, fault, began)
            return misbehave.reset(request)
        if fault is Fault.STALL:
            await asyncio.sleep(desk.faults.stall_seconds)
            if misbehave.gone(request):
                self._refuse(vendor, desk, fault, began)
                return web.Response()
        body = await self._body(request, vendor)
        if body is None:
            return self._turn_away(vendor, desk, 413, began)
        if latency := desk.latency():
            await asyncio.sleep(latency)
        if fault in (Fault.THROTTLE, Fault.ERROR, Fault.GARBAGE):
            return self._refuse_oddly(vendor, desk, fault, began)
        taken = vendor.take(request, body, desk, began)
        self._enter(vendor, desk, taken, fault, began)
        return await self._answer(request, vendor, desk, taken, fault)

    async def _body(self, request: web.Request, vendor: Vendor) -> bytes | None:
        if (request.content_length or 0) > vendor.max_body:
            return None
        try:
            body = await request.read()
        except web.HTTPRequestEntityTooLarge:
            return None
        return body if len(body) <= vendor.max_body else None

    def _enter(self, vendor: Vendor, desk: Desk, taken: Taken, fault: Fault | None, began: Stamp) -> None:
        answer = str(fault) if fault is not None and fault.accepts else str(taken.answer.status)
        if not taken.messages:
            self._refuse(vendor, desk, answer, began, taken.key)
            return
        self._shared.recorder.accepted(taken.messages, secrets.token_hex(8), answer, began)
        desk.counters["accepted"] += len(taken.messages)
        taken.settle()

    async def _answer(
        self, request: web.Request, vendor: Vendor, desk: Desk, taken: Taken, fault: Fault | None
    ) -> web.StreamResponse:
        match fault:
            case Fault.RESET_ACCEPTED:
                return misbehave.reset(request)
            case Fault.ERROR_ACCEPTED:
                return misbehave.whole(vendor.refusal(desk.faults.error_status, desk))
            case Fault.GARBAGE_ACCEPTED:
                return misbehave.whole(misbehave.garbage())
            case Fault.TRUNCATED:
                return await misbehave.truncated(request, taken.answer)
            case Fault.SLOW:
                return await misbehave.slow(request, taken.answer, desk.faults.slow_seconds)
            case Fault.STALL_ACCEPTED:
                await asyncio.sleep(desk.faults.stall_seconds)
        return misbehave.whole(taken.answer)

    def _refuse_oddly(self, vendor: Vendor, desk: Desk, fault: Fault, began: Stamp) -> web.StreamResponse:
        if fault is Fault.GARBAGE:
            self._refuse(vendor, desk, fault, began)
            return misbehave.whole(misbehave.garbage())
        status = 429 if fault is Fault.THROTTLE else desk.faults.error_status
        return self._turn_away(vendor, desk, status, began)

    def _out_of_order(
        self, request: web.Request, vendor: Vendor, desk: Desk, how: DownHow, began: Stamp
    ) -> web.StreamResponse:
        if how is DownHow.UNAVAILABLE:
            return self._turn_away(vendor, desk, 503, began)
        self._refuse(vendor, desk, f"down.{how}", began)
        return misbehave.reset(request)

    def _turn_away(self, vendor: Vendor, desk: Desk | None, status: int, began: Stamp) -> web.StreamResponse:
        self._refuse(vendor, desk, str(status), began)
        return misbehave.whole(vendor.refusal(status, desk))

    def _refuse(self, vendor: Vendor, desk: Desk | None, answer: str, began: Stamp, key: str | None = None) -> None:
        name = desk.name if desk is not None else _NOBODY
        if desk is not None:
            desk.counters[f"refused.{answer}"] += 1
        self._shared.recorder.refused(str(vendor.kind), name, secrets.token_hex(8), answer, began, key)
