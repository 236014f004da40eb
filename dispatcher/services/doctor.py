"""The doctor's round: what stands between this site and a sent message, each finding with its mend.

It looks and changes nothing: a ledger that is not there is not made, an old schema stays old. It goes on after a
failure, so that one call shows everything.
"""

import asyncio
import os
import platform
import shutil
import sqlite3
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from email.utils import parsedate_to_datetime
from enum import StrEnum
from pathlib import Path
from urllib.parse import urlsplit

from dispatcher import resources
from dispatcher.compose.catalogue import Catalogue
from dispatcher.embedded import broker, urls
from dispatcher.errors import DispatcherError
from dispatcher.ledger import accounts, approvals, engine, events, meta, migrate, people
from dispatcher.ledger.engine import Ledger
from dispatcher.log import redact
from dispatcher.model.broadcast import broadcast_ref
from dispatcher.model.clock import Clock, SystemClock
from dispatcher.model.kinds import Channel
from dispatcher.model.person import Person
from dispatcher.provider import ReportsEvents
from dispatcher.services import preparedness
from dispatcher.services.context import Account, is_loopback
from dispatcher.settings import Settings, variable
from dispatcher.wire import Wire, WireError

CLOCK_WARN, CLOCK_FAIL = 2.0, 30.0
"""Seconds between our clock and another one: vendors refuse signatures that are minutes off."""
REACH_SECONDS = 5.0
LITTLE_SPACE = 1 << 30
_PORTS = {"http": 80, "https": 443, "smtp": 587, "smtps": 465}
_FAULTS = (DispatcherError, engine.LedgerFault, OSError)

Join = Callable[[Settings, Wire], tuple[dict[str, Account], dict[str, str]]]


class Health(StrEnum):
    """How a finding stands."""

    OK = "ok"
    OFF = "off"  # not set up, and that may be meant
    WARN = "warn"
    FAIL = "fail"


@dataclass(frozen=True, slots=True)
class Finding:
    """What was looked at, how it stands, in words, and what mends it."""

    about: str
    health: Health
    said: str
    mend: str = ""

    def as_dict(self) -> dict[str, str]:
        """For --json."""
        return asdict(self)


@dataclass
class _Round:
    """What one round carries along: other clocks, as seconds ahead of ours; accounts that the ledger knows as ill."""

    settings: Settings
    clock: Clock
    wire: Wire = field(default_factory=Wire)
    ahead: dict[str, float] = field(default_factory=dict)
    troubled: dict[str, str] = field(default_factory=dict)
    people: list[Person] | None = None
    channels: set[Channel] = field(default_factory=set)

    def saw_clock(self, whose: str, epoch: float) -> None:
        self.ahead[whose] = epoch - self.clock.now().timestamp()


def examine(settings: Settings, join: Join, *, clock: Clock | None = None) -> list[Finding]:
    """Every finding. `join` makes accounts of the settings (`bootstrap.accounts`)."""
    this = _Round(settings, clock or SystemClock())
    findings = [_python(), _site(settings), _work_folder(settings), _anchor_folder(settings)]
    findings += [*_ledger(this), *_redis(this), *_templates(settings), *_accounts(this, join)]
    return [*findings, _clocks(this), *_prepared(this)]


def _prepared(this: _Round) -> list[Finding]:
    """What this organisation has not filled in, and would miss on a bad day."""
    catalogue = Catalogue(resources.folders("templates", this.settings.templates_dir))
    gaps = preparedness.gaps(this.settings, catalogue, this.people, this.channels)
    return [Finding(gap.about, Health.OFF if gap.is_hint else Health.WARN, gap.said, gap.mend) for gap in gaps]


def is_well(findings: list[Finding]) -> bool:
    """Whether nothing failed; a warning is no failure."""
    return not any(finding.health is Health.FAIL for finding in findings)


def _ok(about: str, said: str) -> Finding:
    return Finding(about, Health.OK, said)


def _skipped(about: str, said: str) -> Finding:
    return Finding(about, Health.OFF, said)


def _failed(about: str, error: BaseException, mend: str) -> Finding:
    """The first line of what went wrong, without secrets."""
    if isinstance(error, DispatcherError):
        return Finding(about, Health.FAIL, f"{error.what} {error.why}".strip(), "; ".join(error.mend) or mend)
    origin = getattr(error, "orig", None) or error
    words = str(origin).strip().splitlines() or [type(error).__name__]
    return Finding(about, Health.FAIL, redact(words[0]), mend)


def _python() -> Finding:
    return _ok("python", platform.python_version())


def _site(settings: Settings) -> Finding:
    if path := settings.site_file:
        return _ok("settings", f"{path}, {len(settings.accounts)} accounts, mode {settings.mode}")
    return Finding("settings", Health.WARN, "No site file: the defaults speak for Example Ltd.", "dispatcher init")


def _work_folder(settings: Settings) -> Finding:
    folder = settings.work_dir
    standing = _standing(folder)
    if not _writable(standing):
        return Finding(
            "work folder", Health.FAIL, f"{standing} cannot be written.", f"chown it, or set work_dir: {folder}"
        )
    free = shutil.disk_usage(standing).free
    if free < LITTLE_SPACE:
        return Finding("work folder", Health.WARN, f"{folder}: only {free >> 20} MiB free.", "Make room on that disk.")
    return _ok("work folder", f"{folder}, {free >> 30} GiB free")


def _standing(folder: Path) -> Path:
    """The folder itself, or the nearest one above it that is there."""
    return next(path for path in (folder, *folder.parents) if path.exists())


def _writable(folder: Path) -> bool:
    return folder.is_dir() and os.access(folder, os.W_OK | os.X_OK)


def _anchor_folder(settings: Settings) -> Finding:
    path = settings.anchor.path
    if settings.work_dir in path.parents:
        return Finding(
            "anchor",
            Health.WARN,
            "It lies in the work folder: a restored copy would not be noticed.",
            "Set anchor.path.",
        )
    standing = _standing(path.parent)
    if not _writable(standing):
        return Finding("anchor", Health.FAIL, f"{standing} cannot be written.", "chown it, or set anchor.path.")
    return _ok("anchor", str(path))


def _ledger(this: _Round) -> Iterator[Finding]:
    """Database, journal, schema and hold."""
    mend = "Start the database, or correct database_url: dispatcher config where database_url"
    try:
        ledger = Ledger(this.settings.ledger_url)
        try:
            yield from _sqlite(ledger) if ledger.is_sqlite else _postgresql(this, ledger)
            if not _is_missing(ledger):
                yield from _schema(this, ledger)
        finally:
            ledger.close()
    except _FAULTS as error:
        yield _failed("database", error, mend)


def _is_missing(ledger: Ledger) -> bool:
    return ledger.is_sqlite and not Path(ledger.driver.place).exists()


def _sqlite(ledger: Ledger) -> Iterator[Finding]:
    library = engine.sqlite_module()
    version, mode = library.sqlite_version, engine.journal_mode()
    origin = "Python's own" if library is sqlite3 else "of the package pysqlite3"
    said = f"SQLite {version} ({origin}), journal {mode}"
    if _is_missing(ledger):
        yield _ok("database", f"{said}; {ledger.driver.place} is made when it is first needed")
    elif engine.wal_is_safe(library.sqlite_version_info):
        yield _ok("database", said)
    else:
        yield Finding(
            "database", Health.WARN, f"{said}: safe, but slow, since WAL needs 3.51.3.", "pip install pysqlite3"
        )


def _postgresql(this: _Round, ledger: Ledger) -> Iterator[Finding]:
    with ledger.read() as tx:
        version = str(tx.scalar("SHOW server_version")).split()[0]
        began = time.monotonic()
        this.saw_clock("the database", float(tx.scalar("SELECT extract(epoch FROM clock_timestamp())")))
        took = (time.monotonic() - began) * 1000
        lasting = tx.scalar("SHOW synchronous_commit") != "off"
    said = f"PostgreSQL {version} on {ledger.driver.place or 'a socket'}, answers in {took:.0f} ms"
    if not lasting:
        yield Finding(
            "database",
            Health.FAIL,
            f"{said}; synchronous_commit is off.",
            "ALTER DATABASE … SET synchronous_commit = on",
        )
    else:
        yield _ok("database", said)


def _schema(this: _Round, ledger: Ledger) -> Iterator[Finding]:
    found = migrate.revision(ledger)
    if found is None:
        yield _ok("schema", "empty; made when it is first needed")
    elif found > migrate.HEAD:
        said = f"{found} is newer than this program, which knows {migrate.HEAD}."
        yield Finding("schema", Health.FAIL, said, "Run the newer program here too.")
    elif found < migrate.HEAD:
        yield _ok("schema", f"{found}; upgraded at the next start")
    else:
        yield _ok("schema", f"{found} (current)")
        yield from _inside(this, ledger)


def _inside(this: _Round, ledger: Ledger) -> Iterator[Finding]:
    """What the ledger remembers: a hold, and accounts that were stopped or are broken."""
    with ledger.read() as tx:
        why, epoch, states = meta.get(tx, "hold"), meta.get(tx, "epoch"), accounts.states(tx)
        this.people = people.active(tx)
        unreviewed = [broadcast_ref(row.broadcast_id) for row in approvals.reviews(tx)]
        parked = events.parked_by_account(tx)
    if why:
        yield Finding("hold", Health.FAIL, f"The ledger sends nothing. {why}", 'dispatcher hold release --reason "…"')
    else:
        yield _ok("hold", f"none, epoch {epoch}")
    for ref in unreviewed:
        mend = f"Another approver: dispatcher broadcast review {ref} --reason TEXT"
        yield Finding("review", Health.WARN, f"{ref} was released by break-glass and not looked at since.", mend)
    for account, posts in parked.items():
        mend = f"dispatcher event list says why; then: dispatcher event retry {account}"
        yield Finding("events", Health.WARN, f"{posts} posts of {account} could not be read; they are kept.", mend)
    this.troubled = {n: f"{row.state}: {redact(row.reason)}" for n, row in states.items() if row.state != accounts.OPEN}


def _redis(this: _Round) -> Iterator[Finding]:
    url = this.settings.redis_url
    if not url:
        yield _private_broker()
        return
    from redis import Redis
    from redis.exceptions import RedisError

    try:
        with Redis.from_url(urls.for_redis(url), socket_timeout=2, socket_connect_timeout=2) as server:
            seconds, micros = server.time()
            this.saw_clock("Redis", seconds + micros / 1e6)
            version = server.info("server").get("redis_version", "?")
            yield _ok("redis", f"{version} on {urlsplit(url).hostname or urlsplit(url).path}")
            yield from _eviction(server)
    except (RedisError, OSError, ValueError) as error:
        yield _failed(
            "redis", error, "Start it (systemctl start redis-server), correct redis_url, or: dispatcher up --embedded"
        )


def _eviction(server: object) -> Iterator[Finding]:
    from redis.exceptions import RedisError

    with suppress(RedisError):  # managed servers forbid CONFIG; the tick finds lost rings anyway
        policy = server.config_get("maxmemory-policy").get("maxmemory-policy")  # type: ignore[attr-defined]
        if policy != "noeviction":
            yield Finding(
                "redis", Health.WARN, f"It may throw rings away (maxmemory-policy {policy}).",
                "CONFIG SET maxmemory-policy noeviction",
            )  # fmt: skip


def _private_broker() -> Finding:
    try:
        return _ok("redis", f"none set; a private one is started when needed ({broker.server_binary().name})")
    except DispatcherError as error:
        return _failed("redis", error, "")


def _templates(settings: Settings) -> Iterator[Finding]:
    catalogue = Catalogue(resources.folders("templates", settings.templates_dir))
    broken = []
    for template_id in catalogue.ids():
        try:
            catalogue.get(template_id)
        except DispatcherError as error:
            broken.append(_failed("templates", error, f"dispatcher template lint {template_id}"))
    yield from broken
    if settings.templates_dir and not settings.templates_dir.is_dir():
        yield Finding("templates", Health.FAIL, f"{settings.templates_dir} is no folder.", "Correct templates_dir.")
    count = len(catalogue.ids())
    yield (
        _ok("templates", f"{count - len(broken)} of {count} can be read")
        if count
        else Finding("templates", Health.FAIL, "There are none.", "Install the program again.")
    )


def _accounts(this: _Round, join: Join) -> Iterator[Finding]:
    usable, unusable = join(this.settings, this.wire)
    for name, why in unusable.items():
        mend = f"[providers.{name}] in the site file, or variables {variable(f'providers.{name}')}__…"
        yield Finding(f"account {name}", Health.FAIL, why, mend)
    if not usable and not unusable:
        yield Finding("accounts", Health.WARN, "None is set up: nothing can be sent.", "dispatcher init --help")
    this.channels = {account.channel for account in usable.values()}
    reached = asyncio.run(_reach(this.wire, usable))
    for name, account in usable.items():
        yield _account(this, account, reached[name])


def _account(this: _Round, account: Account, reached: str | float | None) -> Finding:
    about, own = f"account {account.name}", account.settings
    where = f"{account.kind} ({account.channel}) at {urlsplit(own.base_url).netloc}"
    where += " TEST ENDPOINT" if account.is_loopback else ""
    if isinstance(reached, str):
        return Finding(about, Health.FAIL, f"{where} cannot be reached: {reached}.", "Check the network and base_url.")
    if reached is not None:
        this.saw_clock(account.name, reached)
    if trouble := this.troubled.get(account.name):
        mend = f"Mend it, then: dispatcher channel probe {account.name}"
        return Finding(about, Health.WARN, f"{where} is {trouble}", mend)
    if isinstance(account.provider, ReportsEvents) and not own.events_url:
        said = f"{where}; without its events a delivery ends at accepted."
        return Finding(about, Health.WARN, said, "Set public_url.")
    if own.events_url and is_loopback(own.events_url) and not account.is_loopback:
        return Finding(about, Health.FAIL, f"{where} cannot reach {own.events_url}.", "Set public_url.")
    return _ok(about, where)


async def _reach(wire: Wire, usable: Mapping[str, Account]) -> dict[str, str | float | None]:
    """By account: why it cannot be reached, or the far end's clock if it told it."""
    try:
        answers = await asyncio.gather(*(_knock(wire, account.settings.base_url) for account in usable.values()))
    finally:
        await wire.close()
    return dict(zip(usable, answers, strict=True))


async def _knock(wire: Wire, url: str) -> str | float | None:
    """One request for the front page, without credentials; for other protocols just a connection."""
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https"):
        return await _connect(parts.hostname or "", parts.port or _PORTS.get(parts.scheme, 0))
    try:
        answer = await wire.request("GET", f"{url}/", headers={}, timeout=REACH_SECONDS)
        return parsedate_to_datetime(answer.headers["date"]).timestamp() if "date" in answer.headers else None
    except WireError as error:
        return redact(str(error))
    except ValueError:  # a date that is none
        return None


async def _connect(host: str, port: int) -> str | None:
    try:
        async with asyncio.timeout(REACH_SECONDS):
            _, writer = await asyncio.open_connection(host, port)
    except TimeoutError:
        return f"no connection within {REACH_SECONDS:g} s"
    except OSError as error:
        return redact(error.strerror or type(error).__name__)
    writer.close()
    return None


def _clocks(this: _Round) -> Finding:
    """Ours against every clock that was seen; a Date header has whole seconds."""
    if not this.ahead:
        return _skipped("clock", "No other clock was seen to compare with.")
    whose, ahead = max(this.ahead.items(), key=lambda item: abs(item[1]))
    said = f"{abs(ahead):.1f} s {'behind' if ahead > 0 else 'ahead of'} {whose}"
    if abs(ahead) < CLOCK_WARN:
        return _ok("clock", f"within {max(abs(ahead), 0.1):.1f} s of {', '.join(this.ahead)}")
    health = Health.FAIL if abs(ahead) >= CLOCK_FAIL else Health.WARN
    return Finding("clock", health, said, "Set the clock by NTP: timedatectl set-ntp true")
