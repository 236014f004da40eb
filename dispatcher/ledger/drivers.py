"""What differs between the two databases' drivers: opening a connection, beginning a transaction, a statement's form.

SQLite is opened so that every write begins IMMEDIATE (a read that turns into a write cannot be queued and fails at
once) and every commit reaches the disk. WAL is used only where the linked library is free of the WAL-reset race
(fixed in 3.51.3, 3.50.7 and 3.44.6), else a rollback journal. A driver is loaded when its database is first used.
"""

import hashlib
import re
import sqlite3
import sys
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import cached_property, lru_cache
from types import ModuleType
from typing import Any, Protocol
from urllib.parse import urlsplit

from dispatcher.errors import ConfigurationError

BUSY_MS = 30_000
_PRAGMAS = (
    "synchronous = FULL",
    "foreign_keys = ON",
    "temp_store = MEMORY",
    "cache_size = -65536",
    "wal_autocheckpoint = 2000",  # pages, 8 MB: what many commits change is carried over once, and soon
)
_NAP_SECONDS = 0.0005
"""Between two looks whether SQLite's one writer is done. SQLite itself naps up to 100 ms, while nobody writes."""
_BUSY = 5
"""SQLITE_BUSY; extended codes keep it in their low byte."""
_BEGIN = {
    True: "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE",
    False: "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY",
}
"""PostgreSQL's, by whether the transaction writes."""
_STATEMENTS = 512
"""Prepared statements that a SQLite connection keeps; there are some 300 in the whole program."""


class Driver(Protocol):
    """One database and the way to it."""

    dialect: str
    place: str
    """For people: the file, or the host. Empty where there is none to name."""

    @property
    def module(self) -> Any:
        """The driver: a module as PEP 249 has it, for its errors."""

    def connect(self) -> Any:
        """A new connection."""

    def begin(self, connection: Any, *, writing: bool) -> str:
        """Begin a transaction; one that only reads sees one snapshot. What comes back is still to be run first."""

    def in_one_go(self, connection: Any) -> AbstractContextManager[None]:
        """The statements of the block go to the server together, and their answers are there at its end."""

    def commit(self, connection: Any) -> None:
        """Keep what the transaction did, or raise."""

    def is_lost(self, connection: Any) -> bool:
        """Whether the connection can no longer be used."""

    def is_clear(self, connection: Any) -> bool:
        """Whether it is outside any transaction and nothing runs on it."""

    def answers(self, connection: Any) -> bool:
        """Ask the other side; worth it only for a connection that has lain about."""

    def form(self, sql: str) -> str:
        """A statement with `:name` parameters as this driver wants it."""


def driver_of(url: str) -> Driver:
    """The driver for a `sqlite:///` or `postgresql://` address."""
    scheme, _, rest = url.partition("://")
    kind = scheme.partition("+")[0]
    if kind == "sqlite":
        return SQLite(rest.removeprefix("/"))
    if kind in ("postgresql", "postgres"):
        return PostgreSQL(f"postgresql://{rest}")
    raise ConfigurationError(
        f"The ledger cannot live in {kind}.",
        mend="Set database_url to a sqlite:/// or postgresql:// address, or leave it empty.",
    )


class SQLite:
    """A file on this machine; an empty path is a database in memory."""

    dialect = "sqlite"

    def __init__(self, path: str) -> None:
        self.place = path

    @cached_property
    def module(self) -> ModuleType:
        """The wheel that brings a current SQLite where it is installed, else the one Python was built with."""
        return sqlite_module()

    def connect(self) -> Any:
        """Connections may move between threads; the pool lends each to one at a time."""
        connection = self.module.connect(
            self.place or ":memory:",
            timeout=BUSY_MS / 1000,
            isolation_level=None,
            check_same_thread=False,
            cached_statements=_STATEMENTS,
        )
        connection.execute(f"PRAGMA busy_timeout = {BUSY_MS}")
        connection.execute(f"PRAGMA journal_mode = {journal_mode()}")
        for pragma in _PRAGMAS:
            connection.execute(f"PRAGMA {pragma}")
        connection.create_function("sha256_hex", 1, _sha256_hex, deterministic=True)
        return connection

    def begin(self, connection: Any, *, writing: bool) -> str:
        """A writer takes its turn now, not at its first change."""
        if not writing:
            connection.execute("BEGIN")
            return ""
        connection.execute("PRAGMA busy_timeout = 0")
        try:
            self._take_turn(connection)
        finally:
            connection.execute(f"PRAGMA busy_timeout = {BUSY_MS}")
        return ""

    def _take_turn(self, connection: Any) -> None:
        until = time.monotonic() + BUSY_MS / 1000
        while True:
            try:
                connection.execute("BEGIN IMMEDIATE")
            except self.module.OperationalError as error:
                if error.sqlite_errorcode & 0xFF != _BUSY or time.monotonic() >= until:
                    raise
                time.sleep(_NAP_SECONDS)
            else:
                return

    def in_one_go(self, connection: Any) -> AbstractContextManager[None]:
        """There is no way to save."""
        return nullcontext()

    def commit(self, connection: Any) -> None:
        """A statement that failed undid itself alone; where the disk was full or broken, perhaps the whole."""
        if not connection.in_transaction:
            raise self.module.InternalError("the transaction was undone before its end")
        connection.commit()

    def is_lost(self, connection: Any) -> bool:
        """A file does not hang up."""
        return False

    def is_clear(self, connection: Any) -> bool:
        """Not where even the rollback failed."""
        return not connection.in_transaction

    def answers(self, connection: Any) -> bool:
        """Nor does it fall silent."""
        return True

    def form(self, sql: str) -> str:
        """SQLite knows `:name` itself."""
        return sql


class PostgreSQL:
    """A server, by libpq's own address."""

    dialect = "postgresql"

    def __init__(self, url: str) -> None:
        self._url = url
        try:
            self.place = urlsplit(url).hostname or ""
        except ValueError:
            raise _unreadable() from None

    @cached_property
    def module(self) -> Any:
        """psycopg. What it does not raise it logs, with the values that the server quotes."""
        import logging

        import psycopg

        logging.getLogger("psycopg").setLevel(logging.ERROR)
        return psycopg

    def connect(self) -> Any:
        """A server that falls silent is noticed within half a minute. Our statements are too short to be compiled."""
        connection = self._open()
        connection.execute("SET jit = off")
        return connection

    def _open(self) -> Any:
        try:
            return self.module.connect(
                self._url,
                autocommit=True,  # or psycopg would send a BEGIN of its own, and wait for it
                connect_timeout=5,
                keepalives_idle=10,
                keepalives_interval=5,
                keepalives_count=3,
                tcp_user_timeout=30_000,
                application_name="dispatcher",
            )
        except self.module.ProgrammingError:  # its words quote the address, with the password in it
            raise _unreadable() from None

    def begin(self, connection: Any, *, writing: bool) -> str:
        """It goes to the server along with the first statement: a way there and back costs more than most of them."""
        return _BEGIN[writing]

    @contextmanager
    def in_one_go(self, connection: Any) -> Iterator[None]:
        """libpq's pipeline. What breaks in, a signal perhaps, neither waits for the server (psycopg gives Ctrl-C some
        seconds to cancel) nor is hidden by psycopg's word that it cannot leave the pipeline now; a statement's own
        error is not hidden by that of those skipped after it."""
        module, handled = self.module, sys.exception()
        try:
            with connection.pipeline(), self._closed_by_others(connection):
                yield
        except module.Error as error:
            before = error.__context__
            if before is None or before is handled or error.__cause__ is not None:
                raise
            if isinstance(before, module.Error):
                raise (before if isinstance(error, module.errors.PipelineAborted) else error) from None
            if not connection.closed and connection.info.pipeline_status != module.pq.PipelineStatus.OFF:
                raise before from None
            raise

    @contextmanager
    def _closed_by_others(self, connection: Any) -> Iterator[None]:
        """An exception that is not the driver's leaves no connection behind whose answers somebody would wait for."""
        try:
            yield
        except self.module.Error:
            raise
        except BaseException:
            connection.close()
            raise

    def commit(self, connection: Any) -> None:
        """A failed statement has undone the whole; whoever swallowed its error must not take that for a commit."""
        if connection.info.transaction_status == self.module.pq.TransactionStatus.INERROR:
            raise self.module.errors.InFailedSqlTransaction
        connection.commit()

    def is_lost(self, connection: Any) -> bool:
        """Whether the server, or the way to it, went away; not where we hung up ourselves."""
        return bool(connection.broken)

    def is_clear(self, connection: Any) -> bool:
        """Not where a signal broke in while the server worked: its statement still runs, and no rollback gets past."""
        pq = self.module.pq
        idle = not connection.closed and connection.info.transaction_status == pq.TransactionStatus.IDLE
        return bool(idle and connection.info.pipeline_status == pq.PipelineStatus.OFF)

    def answers(self, connection: Any) -> bool:
        """One round trip."""
        try:
            connection.execute("SELECT 1")
        except self.module.Error:
            return False
        return True

    def form(self, sql: str) -> str:
        """`%(name)s` for `:name`."""
        return _percent(sql)


def _unreadable() -> ConfigurationError:
    return ConfigurationError(
        "database_url cannot be read as an address.",
        mend="Write special characters of its password in percent form: %20 for a space, %2F for a slash.",
    )


def sqlite_module() -> ModuleType:
    """The wheel that brings a current SQLite where it is installed, else the one Python was built with."""
    try:
        import pysqlite3.dbapi2 as newer
    except ImportError:
        return sqlite3
    return newer  # type: ignore[no-any-return]


def wal_is_safe(version: tuple[int, ...]) -> bool:
    """Whether this SQLite has the fix for the WAL-reset race (sqlite.org, releases 3.51.3, 3.50.7, 3.44.6)."""
    fixed = {(3, 50): 7, (3, 44): 6}
    return version >= (3, 51, 3) or version[2] >= fixed.get((version[0], version[1]), 1_000)


def journal_mode() -> str:
    """The journal this process uses for a SQLite ledger."""
    return "WAL" if wal_is_safe(sqlite_module().sqlite_version_info) else "TRUNCATE"


@lru_cache(maxsize=1024)
def _percent(sql: str) -> str:
    return re.sub(r"(?<![:\w]):(\w+)", r"%(\1)s", sql.replace("%", "%%"))


def _sha256_hex(value: str) -> str:
    return hashlib.sha256(value.encode()).hexdigest()
