"""The sandbox's own small API under `/_sandbox`, for whoever stages a run: faults, outages, fates, events, counters.

| request | body | does |
|---|---|---|
| GET state | | ports, public key, counters, events still open |
| PUT faults/{account} | Faults | that account behaves so from now on; DELETE: as it was told at the start |
| POST next | account, fault, times | the next requests meet this fault |
| POST down | account, seconds, how | an outage: unavailable, reset, or refuse (own port and SMTP only) |
| DELETE down/{account} | | its end |
| PUT events, PUT fates | EventPlan, Fates | from now on |
| POST optouts | account, addresses | these people have said stop |
| GET messages | ?account ?key ?limit | the last messages as their recipients see them |
| POST reset | | counters, memory and every change forgotten; the record stays |
"""

from collections.abc import Awaitable, Callable
from typing import Annotated, Any, Protocol

import orjson
from aiohttp import web
from pydantic import Field, ValidationError

from dispatcher.sandbox.config import DownHow, EventPlan, Fates, Fault, Faults, SandboxConfig, Strict
from dispatcher.sandbox.desk import Desk
from dispatcher.sandbox.schedule import Schedule
from dispatcher.sandbox.vendor import Shared

ROOT = "/_sandbox"


class Next(Strict):
    """`POST next`."""

    account: str
    fault: Fault
    times: Annotated[int, Field(ge=1, le=100_000)] = 1


class Down(Strict):
    """`POST down`."""

    account: str
    seconds: Annotated[float, Field(gt=0)]
    how: DownHow = DownHow.UNAVAILABLE


class OptOuts(Strict):
    """`POST optouts`."""

    account: str
    addresses: tuple[str, ...]


class Stage(Protocol):
    """What this API needs of a sandbox."""

    config: SandboxConfig
    desks: dict[str, Desk]
    schedule: Schedule
    shared: Shared

    def state(self) -> dict[str, Any]: ...
    def has_own_port(self, account: str) -> bool: ...
    async def take_down(self, account: str, seconds: float, how: DownHow) -> None: ...
    async def bring_up(self, account: str) -> None: ...
    async def reset(self) -> None: ...


class Wrong(ValueError):
    """A request that this API cannot follow, in words."""


def add(app: web.Application, sandbox: Stage) -> None:
    """Put the API's routes into the application."""
    api = _Api(sandbox)
    router = app.router
    router.add_get(f"{ROOT}/state", _guarded(api.state))
    router.add_put(f"{ROOT}/faults/{{account}}", _guarded(api.faults))
    router.add_delete(f"{ROOT}/faults/{{account}}", _guarded(api.no_faults))
    router.add_post(f"{ROOT}/next", _guarded(api.next))
    router.add_post(f"{ROOT}/down", _guarded(api.down))
    router.add_delete(f"{ROOT}/down/{{account}}", _guarded(api.up))
    router.add_put(f"{ROOT}/events", _guarded(api.events))
    router.add_put(f"{ROOT}/fates", _guarded(api.fates))
    router.add_post(f"{ROOT}/optouts", _guarded(api.optouts))
    router.add_get(f"{ROOT}/messages", _guarded(api.messages))
    router.add_post(f"{ROOT}/reset", _guarded(api.reset))


def _guarded(
    handle: Callable[[web.Request], Awaitable[dict[str, Any]]],
) -> Callable[[web.Request], Awaitable[web.Response]]:
    async def guard(request: web.Request) -> web.Response:
        # a page in somebody's browser must not be able to stage faults
        if "Origin" in request.headers:
            return _json({"error": "not for browsers"}, 403)
        try:
            return _json(await handle(request))
        except ValidationError as error:
            return _json({"error": error.errors(include_url=False, include_context=False, include_input=False)}, 400)
        except Wrong as error:
            return _json({"error": str(error)}, 400)

    return guard


def _json(body: dict[str, Any], status: int = 200) -> web.Response:
    return web.Response(body=orjson.dumps(body), status=status, content_type="application/json")


class _Api:
    """One method for each route."""

    def __init__(self, sandbox: Stage) -> None:
        self._sandbox = sandbox

    def _known(self, account: str) -> str:
        if account not in self._sandbox.desks:
            raise Wrong(f"no account is called {account!r}; there are: {', '.join(self._sandbox.desks)}")
        return account

    async def state(self, _: web.Request) -> dict[str, Any]:
        return self._sandbox.state()

    async def faults(self, request: web.Request) -> dict[str, Any]:
        name = self._known(request.match_info["account"])
        self._sandbox.desks[name].faults = Faults.model_validate_json(await request.read())
        return {"account": name}

    async def no_faults(self, request: web.Request) -> dict[str, Any]:
        name = self._known(request.match_info["account"])
        self._sandbox.desks[name].faults = self._sandbox.config.faults_of(name)
        return {"account": name}

    async def next(self, request: web.Request) -> dict[str, Any]:
        asked = Next.model_validate_json(await request.read())
        self._sandbox.desks[self._known(asked.account)].script(asked.fault, asked.times)
        return {"account": asked.account}

    async def down(self, request: web.Request) -> dict[str, Any]:
        asked = Down.model_validate_json(await request.read())
        self._known(asked.account)
        if asked.how is DownHow.REFUSE and not self._sandbox.has_own_port(asked.account):
            raise Wrong("only an account with own_port, or SMTP, can refuse connections")
        await self._sandbox.take_down(asked.account, asked.seconds, asked.how)
        return {"account": asked.account}

    async def up(self, request: web.Request) -> dict[str, Any]:
        name = self._known(request.match_info["account"])
        await self._sandbox.bring_up(name)
        return {"account": name}

    async def events(self, request: web.Request) -> dict[str, Any]:
        self._sandbox.schedule.change(EventPlan.model_validate_json(await request.read()))
        return {}

    async def fates(self, request: web.Request) -> dict[str, Any]:
        self._sandbox.shared.fates = Fates.model_validate_json(await request.read())
        return {}

    async def optouts(self, request: web.Request) -> dict[str, Any]:
        asked = OptOuts.model_validate_json(await request.read())
        desk = self._sandbox.desks[self._known(asked.account)]
        desk.suppressed |= dict.fromkeys(asked.addresses, "Unsubscribed Address")
        return {"suppressed": len(desk.suppressed)}

    async def messages(self, request: web.Request) -> dict[str, Any]:
        account, key = request.query.get("account"), request.query.get("key")
        limit = request.query.get("limit", "100")
        found = [
            {"vendor": m.vendor, "account": m.account, "key": m.key, "id": m.id, "address": m.address, **show()}
            for m, show in self._sandbox.shared.kept
            if account in (None, m.account) and key in (None, m.key)
        ]
        return {"messages": found[-int(limit) :] if limit.isdecimal() else found}

    async def reset(self, _: web.Request) -> dict[str, Any]:
        await self._sandbox.reset()
        return {}
