"""What we say when we say no: one shape, no detail that helps to guess, the right code for the sender's retry."""

import traceback
import uuid
from collections.abc import Mapping
from typing import Final

from fastapi import FastAPI, Request
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from dispatcher import log
from dispatcher.errors import BadSignature, DispatcherError, NotFound

_log = log.get(__name__)

_WORDS: Final[Mapping[int, tuple[str, str]]] = {
    400: ("E-HTTP-BAD", "The request could not be read."),
    401: ("E-SIG", "The signature is missing or wrong."),
    404: ("E-NOF", "There is nothing here."),
    405: ("E-HTTP-METHOD", "That method is not allowed here."),
    408: ("E-HTTP-SLOW", "The request took too long to arrive."),
    413: ("E-HTTP-LARGE", "The request is too large."),
    415: ("E-HTTP-CODING", "Send the body as it is, without compression."),
    429: ("E-HTTP-BUSY", "Too many requests at once. Try again shortly."),
    503: ("E-HTTP-AWAY", "Not ready. Try again shortly."),
}
_OURS = ("E-BUG", "Something went wrong here. Try again.")


class Refusal(Exception):
    """Ends a request with this HTTP code and these headers."""

    def __init__(self, code: int, **headers: str) -> None:
        super().__init__(code)
        self.code = code
        self.headers = {name.replace("_", "-"): value for name, value in headers.items()}


def refused(code: int, headers: Mapping[str, str] | None = None) -> JSONResponse:
    """The one shape of every refusal."""
    word, what = _WORDS.get(code, _OURS if code >= 500 else _WORDS[400])
    return JSONResponse({"code": word, "what": what}, status_code=code, headers=dict(headers or {}))


def install(app: FastAPI) -> None:
    """Every way in which a request can end badly."""
    app.add_exception_handler(Refusal, _refusal)
    app.add_exception_handler(HTTPException, _framework)
    app.add_exception_handler(DispatcherError, _of_ours)
    app.add_middleware(LastResort)


def _refusal(_: Request, error: Exception) -> Response:
    assert isinstance(error, Refusal)
    return refused(error.code, error.headers)


def _framework(_: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    return refused(error.status_code, error.headers)


def _of_ours(request: Request, error: Exception) -> Response:
    if isinstance(error, NotFound):
        return refused(404)
    if isinstance(error, BadSignature):
        return refused(401)
    return _fault(request.scope, error)


class LastResort:
    """Answers 500 for whatever nobody foresaw, and keeps its words out of log and answer."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        begun = False

        async def watched(message: Message) -> None:
            nonlocal begun
            begun = True
            await send(message)

        try:
            await self._app(scope, receive, watched)
        except Exception as error:
            if begun or scope["type"] != "http":
                raise
            await _fault(scope, error)(scope, receive, send)


def _fault(scope: Scope, error: Exception) -> Response:
    """Told by kind and place: what an exception says may quote what was sent to us."""
    number = uuid.uuid4().hex[:12]
    where = traceback.extract_tb(error.__traceback__)[-1:]
    place = f"{where[0].filename}:{where[0].lineno}" if where else ""
    route = getattr(scope.get("route"), "path", "")
    _log.error("request_failed", number=number, route=route, error=type(error).__name__, place=place)
    return JSONResponse({"code": _OURS[0], "what": _OURS[1], "number": number}, status_code=500)
