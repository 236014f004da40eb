"""Joins the parts of the house: settings in, Context out. The only place that knows them all.

A drill context holds only accounts on this machine; any other is refused here, before anything could call it.
"""

import socket
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dispatcher import resources
from dispatcher.errors import ConfigurationError
from dispatcher.ledger import meta
from dispatcher.ledger.migrate import open_ledger
from dispatcher.model.clock import Clock, SystemClock
from dispatcher.model.kinds import Mode
from dispatcher.services.context import Account, Context, is_loopback

if TYPE_CHECKING:
    from dispatcher.ledger.engine import Ledger
    from dispatcher.settings import Settings
    from dispatcher.settings.outline import Outline
    from dispatcher.wire import Wire


def build(settings: "Settings", *, clock: Clock | None = None) -> Context:
    """Everything that verbs need. Call it after a fork, once per process."""
    return _joined(settings, _opened(settings.work_dir, settings.ledger_url), clock)


def look(outline: "Outline", settings: "Callable[[], Settings]") -> Context:
    """For a command that only looks: the ledger is open, and the rest is joined if it is asked for.

    Pydantic, the tables of settings, the catalogue and the vendors' adapters cost more than most looks at a ledger.
    """
    ledger = _opened(outline.work_dir, outline.ledger_url)
    return Context.looking(ledger, SystemClock(), outline.addresses, lambda opened: _joined(settings(), opened, None))


def _opened(work_dir: Path, url: str) -> "Ledger":
    work_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    return open_ledger(url)


def _joined(settings: "Settings", ledger: "Ledger", clock: Clock | None) -> Context:
    from dispatcher.compose.catalogue import Catalogue
    from dispatcher.doorbell import Doorbell
    from dispatcher.embedded.sizing import worker_processes
    from dispatcher.policy.concurrency import Concurrency
    from dispatcher.policy.limits import Limits
    from dispatcher.wire import Wire

    with ledger.read() as tx:
        ledger_id = meta.get(tx, "ledger_id") or ""
    time = clock or SystemClock()
    wire = Wire()
    usable, unusable = accounts(settings, wire, time)
    processes = worker_processes(settings.workers.processes)
    return Context(
        settings=settings,
        ledger=ledger,
        ledger_id=ledger_id,
        clock=time,
        accounts=usable,
        catalogue=Catalogue(resources.folders("templates", settings.templates_dir)),
        doorbell=Doorbell(settings.redis_url, slots=processes),
        limits=Limits(settings.redis_url, time, prefix=f"dispatcher:{ledger_id}", share=processes),
        concurrency=Concurrency(),
        wire=wire,
        host=socket.gethostname(),
        unusable=unusable,
    )


def accounts(
    settings: "Settings", wire: "Wire", clock: Clock | None = None
) -> tuple[dict[str, Account], dict[str, str]]:
    """The accounts that can be used, and by name why the others cannot."""
    usable: dict[str, Account] = {}
    unusable: dict[str, str] = {}
    for name, block in settings.providers.items():
        try:
            account = _account(settings, name, block, wire, clock or SystemClock())
        except ConfigurationError as error:
            unusable[name] = f"{error.what} {error.why}".strip()
            continue
        if account.settings.enabled:
            usable[name] = account
    return usable, unusable


def _account(settings: "Settings", name: str, block: dict[str, object], wire: "Wire", clock: Clock) -> Account:
    from pydantic import ValidationError

    from dispatcher.provider import load

    kind = str(block.get("kind") or name)
    provider = load(kind)
    public = settings.public_url.rstrip("/")
    filled = {"events_url": f"{public}/webhooks/{name}" if public else ""} | block | {"kind": kind}
    try:
        own = provider.Settings.model_validate(filled)
    except ValidationError as error:
        wrong = "; ".join(map(_wrong, error.errors(include_input=False)))
        raise ConfigurationError(
            f"The account {name} is not set up.", why=wrong, mend="dispatcher doctor shows what is missing."
        ) from None
    if settings.mode is Mode.DRILL and not is_loopback(own.base_url):
        raise ConfigurationError(
            f"The account {name} leads off this machine.", why="This is a drill.", mend="Point base_url at the sandbox."
        )
    return Account(name, kind, provider.channel, provider(own, wire, clock), own)


def _wrong(problem: Mapping[str, Any]) -> str:
    words = str(problem["msg"]).removeprefix("Value error, ")
    return ": ".join([*map(str, problem["loc"]), words])
