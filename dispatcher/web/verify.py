"""`GET /verify/{code}`: a plain page for whoever doubts a message. Changes nothing, lists nothing."""

from fastapi import APIRouter, Request
from starlette.responses import HTMLResponse

from dispatcher.services import status_tree, verifying
from dispatcher.services.context import Context
from dispatcher.web.threads import Threads


def router(ctx: Context, threads: Threads) -> APIRouter:
    """The page that asks for a code, and the one that answers; both in the reader's language."""
    routes = APIRouter()

    @routes.get("/verify", response_model=None)
    async def ask(request: Request, code: str = "") -> HTMLResponse:
        if code:
            return await answer(request, code)
        return _page(*status_tree.ask_page(ctx, request.headers.get("accept-language", "")))

    @routes.get("/verify/{code}", response_model=None)
    async def answer(request: Request, code: str) -> HTMLResponse:
        found = await threads.run("verify", verifying.verify, ctx, code)
        made = status_tree.verify_page(ctx, found, request.headers.get("accept-language", ""))
        return _page(*made, state=200 if found else 404)

    return routes


def _page(text: str, language: str, policy: str, *, state: int = 200) -> HTMLResponse:
    headers = {"content-language": language, "vary": "Accept-Language", "content-security-policy": policy}
    return HTMLResponse(text, status_code=state, headers=headers)
