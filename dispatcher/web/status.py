"""GET /status/…: the public tree. Read from memory: a crowd that looks costs the ledger one look every two seconds.

A page without a language in its name comes in the reader's (`Accept-Language`). When the ledger does not answer, the
last tree is shown; that it is the last one, its pages say themselves.
"""

import asyncio
import hashlib
import time
from collections.abc import Mapping
from dataclasses import dataclass

from fastapi import APIRouter, Request
from starlette.responses import RedirectResponse, Response

from dispatcher import log
from dispatcher.reporting.public.publication import Publication
from dispatcher.services import publishing, status_tree
from dispatcher.services.context import Context
from dispatcher.web.answers import Refusal
from dispatcher.web.threads import Threads

FRESH_SECONDS = 2.0
MAX_AGE = "public, max-age=15"

_log = log.get(__name__)


@dataclass(frozen=True, slots=True)
class Leaf:
    """A file with everything its answer says about it."""

    content: bytes
    headers: Mapping[str, str]


class Tree:
    """The newest tree, made anew where something was published since."""

    def __init__(self, ctx: Context, threads: Threads) -> None:
        self._ctx, self._threads = ctx, threads
        self._publication: Publication | None = None
        self._leaves: dict[str, Leaf] = {}
        self._looked_at = float("-inf")
        self._looking: asyncio.Task[None] | None = None

    async def find(self, path: str, accepted: str) -> Leaf | None:
        """The file at a path, in the reader's language where its name leaves that open."""
        if time.monotonic() - self._looked_at >= FRESH_SECONDS:
            if self._looking is None or self._looking.done():
                self._looking = asyncio.create_task(self._look())
            await asyncio.shield(self._looking)
        if not self._leaves:
            raise Refusal(503, retry_after="5")
        wanted = path + "index.html" if path.endswith("/") or not path else path
        return self._leaves.get(status_tree.in_language(self._ctx, wanted, accepted, self._leaves))

    async def _look(self) -> None:
        try:
            publication = await self._threads.run("status", publishing.gather, self._ctx)
            if publication != self._publication:
                self._leaves = await self._threads.run("status", self._grow, publication)
                self._publication = publication
        except Exception as error:  # noqa: BLE001 - whatever is wrong with the ledger, what was public stays readable
            _log.error("status_not_read", error=type(error).__name__)
        self._looked_at = time.monotonic()

    def _grow(self, publication: Publication) -> dict[str, Leaf]:
        policy = status_tree.policy(self._ctx, publication)
        made = status_tree.files(self._ctx, publication)
        return {path: _leaf(path, content, policy) for path, content in made.items()}


def _leaf(path: str, content: bytes, policy: str) -> Leaf:
    kind = status_tree.kind(path)
    headers = {
        "content-type": kind,
        "etag": f'"{hashlib.sha256(content).hexdigest()[:32]}"',
        "cache-control": MAX_AGE,
        "content-security-policy": policy if kind.startswith("text/html") else "default-src 'none'",
    }
    if kind.startswith("text/html"):
        return Leaf(content, headers | {"vary": "Accept-Language"})
    return Leaf(content, headers | {"access-control-allow-origin": "*", "cross-origin-resource-policy": "cross-origin"})


def router(ctx: Context, threads: Threads) -> APIRouter:
    """Two routes that change nothing."""
    routes = APIRouter()
    tree = Tree(ctx, threads)

    @routes.api_route("/status", methods=["GET", "HEAD"], response_model=None)
    async def begin() -> Response:
        return RedirectResponse("/status/", status_code=308)

    @routes.api_route("/status/{path:path}", methods=["GET", "HEAD"], response_model=None)
    async def show(path: str, request: Request) -> Response:
        accepted = request.headers.get("accept-language", "")
        leaf = await tree.find(path, accepted)
        if leaf is None:
            missing = await tree.find("404.html", accepted)
            return Response(missing.content, 404, dict(missing.headers)) if missing else Response(status_code=404)
        if _is_known(request.headers.get("if-none-match", ""), leaf.headers["etag"]):
            return Response(status_code=304, headers=dict(leaf.headers))
        return Response(leaf.content, headers=dict(leaf.headers))

    return routes


def _is_known(named: str, etag: str) -> bool:
    """Whether the reader has these very bytes (RFC 9110, weak comparison)."""
    return named.strip() == "*" or etag in (one.strip().removeprefix("W/") for one in named.split(","))
