"""Stages faults and reads counters of a running sandbox, from a test, a rehearsal or another process."""

import http.client
import time
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

import orjson
from pydantic import BaseModel

from dispatcher.sandbox.admin import ROOT
from dispatcher.sandbox.config import DownHow, EventPlan, Fates, Fault, Faults
from dispatcher.sandbox.loopback import require_url


class Unstaged(RuntimeError):
    """The sandbox would not do it; the text is its reason."""


class Control:
    """A plain client of the admin API; every call is one short request."""

    def __init__(self, base_url: str) -> None:
        self.base_url = require_url(base_url)
        self._netloc = urlsplit(base_url).netloc

    def state(self) -> dict[str, Any]:
        """Ports, public key, counters by account, and the events' counters."""
        return self._call("GET", "state")

    def counters(self, account: str) -> dict[str, int]:
        """What one account has seen: `requests`, `accepted`, `refused.<answer>`, `fault.<fault>`."""
        found: dict[str, int] = self.state()["accounts"][account]["counters"]
        return found

    def faults(self, account: str, faults: Faults | None = None) -> None:
        """Behave so from now on; None: as at the start."""
        path = f"faults/{quote(account)}"
        if faults is None:
            self._call("DELETE", path)
        else:
            self._call("PUT", path, faults)

    def next(self, account: str, fault: Fault, times: int = 1) -> None:
        """The next requests meet this fault."""
        self._call("POST", "next", {"account": account, "fault": fault, "times": times})

    def down(self, account: str, seconds: float, how: DownHow = DownHow.UNAVAILABLE) -> None:
        """An outage from now on."""
        self._call("POST", "down", {"account": account, "seconds": seconds, "how": how})

    def up(self, account: str) -> None:
        """The end of an outage."""
        self._call("DELETE", f"down/{quote(account)}")

    def events(self, plan: EventPlan) -> None:
        """Tell events like this from now on."""
        self._call("PUT", "events", plan)

    def fates(self, fates: Fates) -> None:
        """What becomes of messages from now on."""
        self._call("PUT", "fates", fates)

    def opt_out(self, account: str, addresses: Sequence[str]) -> None:
        """These people have said stop to this account."""
        self._call("POST", "optouts", {"account": account, "addresses": list(addresses)})

    def messages(self, **query: str) -> list[dict[str, Any]]:
        """The last messages, oldest first, by `account`, `key` and `limit`."""
        found: list[dict[str, Any]] = self._call("GET", f"messages?{urlencode(query)}")["messages"]
        return found

    def reset(self) -> None:
        """Forget what came and every change; the record stays."""
        self._call("POST", "reset")

    def drained(self, seconds: float = 30) -> bool:
        """Wait until every planned event was told or given up; False if that took too long."""
        ends = time.monotonic() + seconds
        while self.state()["events"]["open"]:
            if time.monotonic() > ends:
                return False
            time.sleep(0.02)
        return True

    def _call(self, method: str, path: str, body: BaseModel | Mapping[str, Any] | None = None) -> dict[str, Any]:
        data = body.model_dump_json().encode() if isinstance(body, BaseModel) else orjson.dumps(body or {})
        connection = http.client.HTTPConnection(self._netloc, timeout=10)
        try:
            connection.request(method, f"{ROOT}/{path}", body=data if body is not None else None)
            answer = connection.getresponse()
            found: dict[str, Any] = orjson.loads(answer.read())
        finally:
            connection.close()
        if answer.status != 200:
            raise Unstaged(str(found.get("error")))
        return found
