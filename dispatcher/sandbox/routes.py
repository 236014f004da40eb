"""Which path of which vendor leads where."""

from collections.abc import Awaitable, Callable
from typing import Protocol

from aiohttp import web

from dispatcher.sandbox import misbehave
from dispatcher.sandbox.config import DownHow
from dispatcher.sandbox.desk import Desk
from dispatcher.sandbox.reception import Reception
from dispatcher.sandbox.sendgrid import SendGrid
from dispatcher.sandbox.twilio import API, Twilio
from dispatcher.sandbox.vendor import Answer, Vendor
from dispatcher.sandbox.x import X

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Question(Protocol):
    """Answers a request that sends nothing."""

    def __call__(self, request: web.Request, desk: Desk) -> Answer: ...


def add(app: web.Application, reception: Reception, sendgrid: SendGrid, twilio: Twilio, x: X) -> None:
    """Every route of every vendor."""
    messages = f"{API}/{{account}}/Messages"
    app.router.add_post("/v3/mail/send", _sends(reception, sendgrid))
    app.router.add_post(f"{messages}.json", _sends(reception, twilio))
    app.router.add_get(f"{messages}.json", _asks(twilio, lambda r, desk: twilio.list(desk, r.query, r.path)))
    app.router.add_get(messages + "/{sid}.json", _asks(twilio, lambda r, desk: twilio.fetch(desk, r.match_info["sid"])))
    app.router.add_post("/2/tweets", _sends(reception, x))
    app.router.add_get("/2/users/me", _asks(x, lambda r, desk: x.me(desk)))
    app.router.add_get(
        "/2/users/{user}/tweets", _asks(x, lambda r, desk: x.timeline(desk, r.match_info["user"], r.query))
    )


def _sends(reception: Reception, vendor: Vendor) -> Handler:
    async def handle(request: web.Request) -> web.StreamResponse:
        return await reception.receive(request, vendor)

    return handle


def _asks(vendor: Vendor, answer: Question) -> Handler:
    """A look-up: it needs credentials and a vendor that is up, but no share of faults strikes it."""

    async def handle(request: web.Request) -> web.StreamResponse:
        desk = vendor.desk_of(request)
        if desk is None:
            return misbehave.whole(vendor.refusal(401, None))
        desk.counters["lookups"] += 1
        match desk.down():
            case None:
                return misbehave.whole(answer(request, desk))
            case DownHow.UNAVAILABLE:
                return misbehave.whole(vendor.refusal(503, desk))
            case _:
                return misbehave.reset(request)

    return handle
