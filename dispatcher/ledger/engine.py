"""The door to the database: `Ledger` opens transactions, `Tx` runs statements in one.

SQLite is opened so that every write begins IMMEDIATE (a read that turns into a write cannot be queued and fails at
once) and every commit reaches the disk. WAL is used only where the linked library is free of the WAL-reset race
(fixed in 3.51.3, 3.50.7 and 3.44.6), else a rollback journal.
"""

import hashlib
import json
import re
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import lru_cache
from types import ModuleType
from typing import Any, TypeVar

from sqlalchemy import Connection, Engine, Row, TextClause, create_engine, event, text
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import OperationalError

from dispatcher.errors import ConfigurationError

T = TypeVar("T")

BUSY_MS = 30_000


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


_ARRAYS = {"int": "bigint[]", "text": "text[]"}


@lru_cache(maxsize=256)
def _for_each(sql: str) -> str:
    return re.sub(r"\br\.(\w+)", r":\1", sql.replace("{r}", ""))


@lru_cache(maxsize=1024)
def _clause(sql: str) -> TextClause:
    return text(sql)


class Tx:
    """One transaction. Statements take `:name` parameters; rows come back as named tuples."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self.dialect = connection.dialect.name

    @property
    def is_sqlite(self) -> bool:
        """Whether this is SQLite; the alternative is PostgreSQL."""
        return self.dialect == "sqlite"

    def all(self, sql: str, **values: Any) -> Sequence[Row[Any]]:
        """Every row."""
        return self.connection.execute(_clause(sql), values).all()

    def one(self, sql: str, **values: Any) -> Row[Any] | None:
        """The first row, or None."""
        return self.connection.execute(_clause(sql), values).first()

    def scalar(self, sql: str, **values: Any) -> Any:
        """The first column of the first row, or None."""
        return self.connection.execute(_clause(sql), values).scalar()

    def change(self, sql: str, **values: Any) -> int:
        """Run a statement that changes rows; how many it changed."""
        return self.connection.execute(_clause(sql), values).rowcount

    def insert(self, table: str, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
        """Many new rows by the fastest way of the driver: executemany on SQLite, COPY on PostgreSQL."""
        names = ", ".join(columns)
        if self.is_sqlite:
            marks = ", ".join("?" * len(columns))
            sql = f"INSERT INTO {table} ({names}) VALUES ({marks})"
            self._driver().executemany(sql, rows)
            return
        with self._driver().copy(f"COPY {table} ({names}) FROM STDIN") as copy:
            for row in rows:
                copy.write_row(row)

    def insert_new(self, table: str, columns: Mapping[str, str], rows: Sequence[Sequence[Any]]) -> None:
        """Many rows, leaving out those whose key is there already. `columns` is name to PostgreSQL type."""
        if not rows:
            return
        names = ", ".join(columns)
        if self.is_sqlite:
            marks = ", ".join(["?"] * len(columns))
            self._driver().executemany(f"INSERT INTO {table} ({names}) VALUES ({marks}) ON CONFLICT DO NOTHING", rows)
            return
        arrays = ", ".join(f"%s::{kind}[]" for kind in columns.values())
        sql = f"INSERT INTO {table} ({names}) SELECT * FROM unnest({arrays}) ON CONFLICT DO NOTHING"
        self._driver().execute(sql, [list(column) for column in zip(*rows, strict=True)])

    def change_by(self, sql: str, columns: Mapping[str, str], rows: Sequence[Sequence[Any]], **shared: Any) -> int:
        """One UPDATE for many rows; how many it changed. `sql` speaks of `r.<column>` and has `{r}` where FROM goes.

        PostgreSQL joins the rows as arrays; SQLite runs the prepared statement once a row, which is its faster way.
        """
        if not rows:
            return 0
        if self.is_sqlite:
            cursor = self._driver()
            names = tuple(columns)
            cursor.executemany(_for_each(sql), [dict(zip(names, row, strict=True)) | shared for row in rows])
            return int(cursor.rowcount)
        marks = ", ".join(f"CAST(:{name} AS {_ARRAYS[kind]})" for name, kind in columns.items())
        joined = sql.replace("{r}", f"FROM unnest({marks}) AS r({', '.join(columns)})")
        arrays = dict(zip(columns, map(list, zip(*rows, strict=True)), strict=True))
        return self.change(joined, **arrays, **shared)

    def rows_of(self, columns: Mapping[str, str]) -> str:
        """A FROM item that reads `:rows` (see `pack`) as a table with these columns and types (`int` or `text`)."""
        if self.is_sqlite:
            picks = (f"json_extract(value, '$[{i}]') AS {name}" for i, name in enumerate(columns))
            return f"(SELECT {', '.join(picks)} FROM json_each(:rows))"
        kinds = {"int": "bigint", "text": "text"}
        picks = (f"(value->>{i})::{kinds[kind]} AS {name}" for i, (name, kind) in enumerate(columns.items()))
        return f"(SELECT {', '.join(picks)} FROM jsonb_array_elements(CAST(:rows AS jsonb)))"

    @staticmethod
    def pack(rows: Iterable[Sequence[Any]]) -> str:
        """Rows for `rows_of`, as the one parameter `rows`."""
        return json.dumps([list(row) for row in rows], ensure_ascii=False, separators=(",", ":"))

    def stream(self, sql: str, **values: Any) -> Iterator[Sequence[Row[Any]]]:
        """Pages of 1,000 rows of one large result without holding it; only inside a short-lived transaction."""
        result = self.connection.execute(_clause(sql), values, execution_options={"yield_per": 1000})
        yield from result.partitions()

    @contextmanager
    def meanwhile(self, read: Callable[["Tx"], T]) -> Iterator[Callable[[], T]]:
        """Read rows that never change while the block works; call what you get to have the result.

        PostgreSQL reads on a connection of its own, which sees only what is committed; SQLite reads when it is asked.
        """
        if self.is_sqlite:
            yield lambda: read(self)
            return
        with ThreadPoolExecutor(1, thread_name_prefix="meanwhile") as thread:
            yield thread.submit(self._apart, read).result

    def _apart(self, read: Callable[["Tx"], T]) -> T:
        with self.connection.engine.connect() as connection, connection.begin():
            return read(Tx(connection))

    def _driver(self) -> Any:
        driver = self.connection.connection.driver_connection
        if driver is None:
            raise ConfigurationError("The database connection was lost.", mend="Run the command again.")
        return driver.cursor()


class Ledger:
    """One database, one pool. Build it after a fork; never share it across one."""

    def __init__(self, url: str) -> None:
        self.url = _normalised(url)
        self.engine = _sqlite_engine(self.url) if self.is_sqlite else _postgresql_engine(self.url)
        self._writer = self.engine.execution_options(dispatcher_write=True)
        self._reader = self.engine.execution_options(**self._reading())

    @property
    def is_sqlite(self) -> bool:
        """Whether this is SQLite; the alternative is PostgreSQL."""
        return self.url.get_backend_name() == "sqlite"

    def _reading(self) -> dict[str, Any]:
        return {} if self.is_sqlite else {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True}

    @contextmanager
    def write(self) -> Iterator[Tx]:
        """A transaction that commits at the end of the block, or leaves no trace."""
        with self._told_alike(), self._writer.begin() as connection:
            yield Tx(connection)

    @contextmanager
    def read(self) -> Iterator[Tx]:
        """One consistent snapshot. Keep it under 100 ms: on a rollback journal readers hold up writers."""
        with self._told_alike(), self._reader.connect() as connection, connection.begin():
            yield Tx(connection)

    @contextmanager
    def _told_alike(self) -> Iterator[None]:
        """What the driver itself says in a bulk statement (full, away, locked), said as SQLAlchemy says it."""
        driver: Any = self.engine.dialect.dbapi
        try:
            yield
        except driver.OperationalError as error:
            raise OperationalError(None, None, error) from error

    def close(self) -> None:
        """Give every connection back."""
        self.engine.dispose()


def _normalised(url: str) -> URL:
    parsed = make_url(url)
    if parsed.drivername in ("postgresql", "postgres"):
        return parsed.set(drivername="postgresql+psycopg")
    if parsed.get_backend_name() not in ("sqlite", "postgresql"):
        raise ConfigurationError(
            f"The ledger cannot live in {parsed.get_backend_name()}.",
            mend="Set database_url to a sqlite:/// or postgresql:// address, or leave it empty.",
        )
    return parsed


def _postgresql_engine(url: URL) -> Engine:
    return create_engine(
        url,
        pool_size=4,
        max_overflow=4,
        pool_pre_ping=True,
        pool_recycle=1800,
        hide_parameters=True,
        connect_args={
            "connect_timeout": 5,
            "keepalives_idle": 10,
            "keepalives_interval": 5,
            "keepalives_count": 3,
            "tcp_user_timeout": 30_000,
            "application_name": "dispatcher",
        },
    )


def _sqlite_engine(url: URL) -> Engine:
    engine = create_engine(
        url,
        module=sqlite_module(),
        hide_parameters=True,
        pool_size=4,
        max_overflow=4,
        connect_args={"check_same_thread": False, "timeout": BUSY_MS / 1000},
    )
    event.listen(engine, "connect", _prepare_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def _prepare_sqlite(connection: Any, _record: Any) -> None:
    connection.isolation_level = None
    cursor = connection.cursor()
    cursor.execute(f"PRAGMA busy_timeout = {BUSY_MS}")
    cursor.execute(f"PRAGMA journal_mode = {journal_mode()}")
    for pragma in ("synchronous = FULL", "foreign_keys = ON", "temp_store = MEMORY", "cache_size = -65536"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()
    connection.create_function("sha256_hex", 1, _sha256_hex, deterministic=True)


def _sha256_hex(value: str) -> str:
    return hashlib.sha256(value.encode()).hexdigest()


def _begin_sqlite(connection: Connection) -> None:
    write = connection.get_execution_options().get("dispatcher_write", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if write else "BEGIN")


def is_transient(error: Exception) -> bool:
    """Whether the database was busy or away, so that the same work may be tried again from its beginning."""
    return isinstance(error, OperationalError) or bool(getattr(error, "connection_invalidated", False))
