"""POST /webhooks/{account}: a vendor's events, verified and stored before they are answered, applied by a worker."""

from fastapi import APIRouter, Request
from starlette.background import BackgroundTask
from starlette.responses import Response

from dispatcher.model.event import WebhookRequest
from dispatcher.services import events
from dispatcher.services.context import Context
from dispatcher.web.answers import Refusal
from dispatcher.web.intake import read_body
from dispatcher.web.threads import Threads
from dispatcher.web.together import Together


def keeper(ctx: Context) -> Together[events.Post]:
    """Keeps posts that wait at the same time in one transaction."""
    return Together(lambda posts: events.keep(ctx, posts), lambda post: len(post.request.body))


def router(ctx: Context, threads: Threads, together: Together[events.Post]) -> APIRouter:
    """The route. 2xx means that the events are in the ledger."""
    routes = APIRouter()

    @routes.post("/webhooks/{account}", status_code=204, response_model=None)
    async def take_events(account: str, request: Request) -> Response:
        if account not in ctx.accounts:
            raise Refusal(404)
        body = await read_body(request)
        with threads.place(account):
            await together.put(await threads.call(events.verified, ctx, account, as_received(ctx, request, body)))
        return Response(status_code=204, background=BackgroundTask(ctx.doorbell.ring_events))

    return routes


def as_received(ctx: Context, request: Request, body: bytes) -> WebhookRequest:
    """The request as its sender saw it: the public URL is the one we publish, never what a Host header says."""
    query = request.scope["query_string"].decode("latin-1")
    path = (request.scope.get("raw_path") or request.scope["path"].encode()).decode("latin-1")
    base = ctx.settings.public_url.rstrip("/") or f"http://{ctx.settings.host}:{ctx.settings.port}"
    headers = {name: ", ".join(request.headers.getlist(name)) for name in request.headers}
    url = f"{base}{path}?{query}" if query else f"{base}{path}"
    return WebhookRequest(request.method, url, headers, body, ctx.clock.now())
