"""One-click unsubscribe (RFC 8058): POST does it, GET only shows a button, because mail scanners follow links."""

from fastapi import APIRouter, Request
from starlette.responses import HTMLResponse

from dispatcher.errors import BadSignature, NotFound
from dispatcher.services import unsubscribes
from dispatcher.services.context import Context
from dispatcher.web.intake import read_body
from dispatcher.web.pages import page
from dispatcher.web.threads import Threads

LARGEST_FORM = 4096
LONGEST_TOKEN = 512


def router(ctx: Context, threads: Threads) -> APIRouter:
    """Two routes on one address. The GET looks nothing up, so it tells nobody which tokens exist."""
    routes = APIRouter()
    name = ctx.settings.organisation.name

    @routes.get("/unsubscribe/{token}", response_model=None)
    async def ask(token: str) -> HTMLResponse:
        said = f"You will get no more news and offers from {name} at this address."
        kept = "We will still write to you about your account or your safety when we have to."
        return HTMLResponse(page("Unsubscribe", said, kept, button="Unsubscribe"))

    @routes.post("/unsubscribe/{token}", response_model=None)
    async def accept(token: str, request: Request) -> HTMLResponse:
        await read_body(request, largest=LARGEST_FORM)
        if len(token) > LONGEST_TOKEN:
            return _no_such_link()
        try:
            await threads.run("unsubscribe", unsubscribes.accept, ctx, token)
        except (NotFound, BadSignature):
            return _no_such_link()
        return HTMLResponse(page("You are unsubscribed", f"{name} will send no more news and offers to this address."))

    return routes


def _no_such_link() -> HTMLResponse:
    words = "This link is not complete. Please use the whole link of the message, or write to us."
    return HTMLResponse(page("That did not work", words), status_code=404)
