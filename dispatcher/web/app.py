"""Makes the web application. Each room of it is a router over a Context; another one is another line here."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI

from dispatcher.services.context import Context
from dispatcher.web import answers, health, signals, status, unsubscribe, verify, webhooks
from dispatcher.web.headers import SecurityHeaders
from dispatcher.web.pages import STYLE_SOURCE
from dispatcher.web.threads import Threads


def create(ctx: Context) -> FastAPI:
    """The application of one process. It describes itself to nobody: no docs, no schema."""
    threads = Threads(ctx.settings.workers.web_threads)
    looks = Threads(1)
    posts = webhooks.keeper(ctx)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        await looks.run("start", ctx.doorbell.waiting)  # loads the broker's client before the first post needs it
        yield
        await ctx.wire.close()
        threads.close()
        posts.close()
        looks.close()

    app = FastAPI(title="dispatcher", docs_url=None, redoc_url=None, openapi_url=None, lifespan=lifespan)
    app.include_router(webhooks.router(ctx, threads, posts))
    app.include_router(signals.router(ctx, threads))
    app.include_router(unsubscribe.router(ctx, threads))
    app.include_router(verify.router(ctx, threads))
    app.include_router(status.router(ctx, threads))
    app.include_router(health.router(ctx, looks))
    answers.install(app)
    app.add_middleware(SecurityHeaders, style=STYLE_SOURCE, https=ctx.settings.public_url.startswith("https://"))
    return app
