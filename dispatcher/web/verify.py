"""`GET /verify/{code}`: a plain page for whoever doubts a message. Changes nothing, lists nothing."""

from fastapi import APIRouter
from starlette.responses import HTMLResponse

from dispatcher.services import verifying
from dispatcher.services.context import Context
from dispatcher.services.verifying import Verified
from dispatcher.web.pages import page
from dispatcher.web.threads import Threads

WORDS = {"email": "email", "sms": "text message", "social": "social post", "chat": "chat"}


def router(ctx: Context, threads: Threads) -> APIRouter:
    """The page that asks for a code, and the one that answers."""
    routes = APIRouter()
    told = ctx.settings.organisation

    @routes.get("/verify", response_model=None)
    async def ask(code: str = "") -> HTMLResponse:
        if code:
            return await answer(code)
        words = f"Every message from {told.name} carries a short code. Type it here to see whether we sent it."
        return HTMLResponse(page("Check a message", words, told.never_ask, field="code", button="Check"))

    @routes.get("/verify/{code}", response_model=None)
    async def answer(code: str) -> HTMLResponse:
        found = await threads.run("verify", verifying.verify, ctx, code)
        if found is None:
            no = f"No message from {told.name} carries this code. Check how you typed it. If it is as in the message, "
            no += "do not follow its links and do not call its numbers."
            return HTMLResponse(page("We did not send this", no, told.never_ask), status_code=404)
        return HTMLResponse(page(*_yes(found, told.name), told.never_ask))

    return routes


def _yes(found: Verified, name: str) -> tuple[str, ...]:
    how = " and ".join(WORDS[channel] for channel in found.channels)
    when = found.sent_at.strftime("%d %B %Y, %H:%M UTC").lstrip("0")
    title = "Yes, this was an exercise of ours" if found.drill else "Yes, we sent this"
    lines = [title, f"{name}: {found.title}.", f"Sent on {when} by {how}."]
    if found.stopped:
        lines.append("We have stopped this message since. A later one may correct it.")
    return tuple(lines)
