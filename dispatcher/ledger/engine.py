"""The door to the database: `Ledger` opens transactions, `Tx` runs statements in one.

There is no toolkit between a statement and its driver: two drivers with one shape of call are little code, while
loading a toolkit costs a command more than everything else it does (docs/decisions/0009).
"""

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from functools import cache, lru_cache
from typing import Any, TypeVar

from dispatcher.ledger import arrays
from dispatcher.ledger.drivers import Driver, driver_of, journal_mode, sqlite_module, wal_is_safe
from dispatcher.ledger.pool import LedgerFault, Pool
from dispatcher.ledger.rows import Row, row_type

__all__ = ["Ledger", "LedgerFault", "Row", "Tx", "journal_mode", "sqlite_module", "wal_is_safe"]

T = TypeVar("T")

_PAGE = 1000


@lru_cache(maxsize=1024)
def _for_each(sql: str, columns: tuple[str, ...], shared: tuple[str, ...]) -> str:
    """An UPDATE for many rows as SQLite's statement for one of them, its values by place."""
    places = {f"r.{name}": i for i, name in enumerate(columns, 1)}
    places |= {f":{name}": i for i, name in enumerate(shared, len(columns) + 1)}
    return re.sub(r"\br\.\w+|(?<![:\w]):\w+", lambda found: f"?{places[found[0]]}", sql.replace("{r}", ""))


class Tx:
    """One transaction. Statements take `:name` parameters; rows come back as named tuples."""

    def __init__(self, ledger: "Ledger", connection: Any, begin: str = "") -> None:
        self._ledger = ledger
        self._connection = connection
        self._begin = begin
        self._driver = ledger.driver
        self._form = self._driver.form
        self.dialect = self._driver.dialect

    @property
    def is_sqlite(self) -> bool:
        """Whether this is SQLite; the alternative is PostgreSQL."""
        return self.dialect == "sqlite"

    def _run(self, sql: str, values: Mapping[str, Any]) -> Any:
        if not self._begin:
            return self._connection.execute(self._form(sql), values)
        with self._driver.in_one_go(self._connection):
            self._open()
            return self._connection.execute(self._form(sql), values)

    def _open(self) -> None:
        """Send what begins the transaction, where that is still to be done."""
        if self._begin:
            self._connection.execute(self._begin)
            self._begin = ""

    @contextmanager
    def together(self) -> Iterator["Line"]:
        """Statements that go to the server in one way there and back; ask for their answers after the block.

        They run one after the other, each seeing what those before it did. When one fails the block raises, at its end
        at the latest, and none of the later ones was run. SQLite is asked one by one.
        """
        with self._driver.in_one_go(self._connection):
            self._open()
            yield Line(self)

    def all(self, sql: str, **values: Any) -> Sequence[Row[Any]]:
        """Every row."""
        return _every(self._run(sql, values))

    def one(self, sql: str, **values: Any) -> Row[Any] | None:
        """The first row, or None."""
        return _first(self._run(sql, values))

    def scalar(self, sql: str, **values: Any) -> Any:
        """The first column of the first row, or None."""
        cursor = self._run(sql, values)
        found = cursor.fetchone()
        cursor.close()
        return None if found is None else found[0]

    def change(self, sql: str, **values: Any) -> int:
        """Run a statement that changes rows; how many it changed."""
        return _changed(self._run(sql, values))

    def insert(self, table: str, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
        """Many new rows by the fastest way of the driver: executemany on SQLite, COPY on PostgreSQL."""
        names = ", ".join(columns)
        if self.is_sqlite:
            marks = ", ".join("?" * len(columns))
            self._connection.executemany(f"INSERT INTO {table} ({names}) VALUES ({marks})", rows)
            return
        self._open()
        with self._connection.cursor().copy(f"COPY {table} ({names}) FROM STDIN") as copy:
            for row in rows:
                copy.write_row(row)

    def insert_few(
        self, table: str, columns: Mapping[str, str], rows: Sequence[Sequence[Any]], otherwise: str = ""
    ) -> None:
        """A few new rows in one round trip. `columns` is name to `int` or `text`; `otherwise`: an ON CONFLICT."""
        if not rows:
            return
        names = ", ".join(columns)
        if self.is_sqlite:
            marks = ", ".join("?" * len(columns))
            self._connection.executemany(f"INSERT INTO {table} ({names}) VALUES ({marks}) {otherwise}", rows)
            return
        sql = f"INSERT INTO {table} ({names}) SELECT * FROM {arrays.unnest(columns)} {otherwise}"
        self._run(sql, arrays.literals(columns, rows))

    def change_by(self, sql: str, columns: Mapping[str, str], rows: Sequence[Sequence[Any]], **shared: Any) -> int:
        """One UPDATE for many rows; how many it changed. `sql` speaks of `r.<column>` and has `{r}` where FROM goes.

        PostgreSQL joins the rows as arrays; SQLite runs the prepared statement once a row, which is its faster way.
        """
        return _changed(self._by(sql, columns, rows, shared)) if rows else 0

    def _by(self, sql: str, columns: Mapping[str, str], rows: Sequence[Sequence[Any]], shared: dict[str, Any]) -> Any:
        if self.is_sqlite:
            always = tuple(shared.values())
            statement = _for_each(sql, tuple(columns), tuple(shared))
            return self._connection.executemany(statement, [(*row, *always) for row in rows])
        joined = sql.replace("{r}", f"FROM {arrays.unnest(columns)}")
        return self._run(joined, arrays.literals(columns, rows) | shared)

    def rows_of(self, columns: Mapping[str, str]) -> str:
        """A FROM item that reads `:rows` (see `pack`) as a table with these columns and types (`int` or `text`)."""
        if self.is_sqlite:
            picks = (f"json_extract(value, '$[{i}]') AS {name}" for i, name in enumerate(columns))
            return f"(SELECT {', '.join(picks)} FROM json_each(:rows))"
        kinds = {"int": "bigint", "text": "text"}
        picks = (f"(value->>{i})::{kinds[kind]} AS {name}" for i, (name, kind) in enumerate(columns.items()))
        return f"(SELECT {', '.join(picks)} FROM jsonb_array_elements(CAST(:rows AS jsonb)))"

    @property
    def words(self) -> str:
        """A FROM item `x` that reads `:words` (see `pack_words`) as a table with the column `word`."""
        if self.is_sqlite:
            return "(SELECT value AS word FROM json_each(:words)) x"
        return "unnest(CAST(:words AS text[])) AS x(word)"

    def pack_words(self, words: Sequence[str | None]) -> str:
        """Words as the one parameter `words`."""
        return json.dumps(words, ensure_ascii=False) if self.is_sqlite else arrays.literal("text", words)

    @property
    def among_numbers(self) -> str:
        """A condition on what stands before it: one of `:numbers` (see `pack_numbers`)."""
        return "IN (SELECT value FROM json_each(:numbers))" if self.is_sqlite else "= ANY(CAST(:numbers AS bigint[]))"

    def pack_numbers(self, numbers: Sequence[int]) -> str:
        """Numbers as the one parameter `numbers`."""
        return json.dumps(numbers) if self.is_sqlite else arrays.literal("int", numbers)

    def looked_up(self, columns: Mapping[str, str], table: str, key: str) -> str:
        """A FROM item: each row of `:rows` as `x` with its row of a large table as `d`, which `key` names."""
        return f"{self.rows_of(columns)} x {self.beside(table, 'd', key)}"

    def beside(self, table: str, alias: str, key: str, *, left: bool = False, single: bool = False) -> str:
        """A join that looks into a large table once for each row before it, by `key`; `left`: an outer one; `single`:
        one row at most has this key.

        PostgreSQL looks up one by one. Left to itself it believes a table that was filled since its last ANALYZE to be
        all but empty, and reads everything a broadcast has there, once for each of the rows if it comes to the worst.
        """
        if self.is_sqlite:
            return f"{'LEFT' if left else 'CROSS'} JOIN {table} {alias} ON {key}"
        kind, always = ("LEFT", " ON true") if left else ("CROSS", "")
        fence = "LIMIT 1" if single else "OFFSET 0"
        return f"{kind} JOIN LATERAL (SELECT * FROM {table} {alias} WHERE {key} {fence}) {alias}{always}"

    @staticmethod
    def pack(rows: Iterable[Sequence[Any]]) -> str:
        """Rows for `rows_of`, as the one parameter `rows`."""
        return json.dumps([list(row) for row in rows], ensure_ascii=False, separators=(",", ":"))

    def stream(self, sql: str, **values: Any) -> Iterator[Sequence[Row[Any]]]:
        """Pages of 1,000 rows of one large result without holding it; only inside a short-lived transaction."""
        self._open()
        cursor = self._connection.cursor() if self.is_sqlite else self._connection.cursor("pages")
        cursor.execute(self._form(sql), values)
        make = _row_type(cursor)
        while page := cursor.fetchmany(_PAGE):
            yield [make(row) for row in page]
        cursor.close()

    @contextmanager
    def meanwhile(self, read: Callable[["Tx"], T]) -> Iterator[Callable[[], T]]:
        """Read rows that never change while the block works; call what you get to have the result.

        PostgreSQL reads on a connection of its own, which sees only what is committed; SQLite reads when it is asked.
        """
        if self.is_sqlite:
            yield lambda: read(self)
            return
        from concurrent.futures import ThreadPoolExecutor

        with ThreadPoolExecutor(1, thread_name_prefix="meanwhile") as thread:
            yield thread.submit(self._apart, read).result

    def _apart(self, read: Callable[["Tx"], T]) -> T:
        with self._ledger.read() as tx:
            return read(tx)


class Line:
    """The statements of one `Tx.together`: each gives back what to call, after the block, for what came of it."""

    def __init__(self, tx: Tx) -> None:
        self.tx = tx
        self.is_sqlite = tx.is_sqlite

    def all(self, sql: str, **values: Any) -> Callable[[], Sequence[Row[Any]]]:
        """Every row."""
        return self._later(_every, self.tx._run(sql, values))

    def one(self, sql: str, **values: Any) -> Callable[[], Row[Any] | None]:
        """The first row, or None."""
        return self._later(_first, self.tx._run(sql, values))

    def change(self, sql: str, **values: Any) -> Callable[[], int]:
        """How many rows were changed."""
        return self._later(_changed, self.tx._run(sql, values))

    def change_by(
        self, sql: str, columns: Mapping[str, str], rows: Sequence[Sequence[Any]], **shared: Any
    ) -> Callable[[], int]:
        """`Tx.change_by`: how many rows were changed."""
        return self._later(_changed, self.tx._by(sql, columns, rows, shared)) if rows else _none

    def insert_few(
        self, table: str, columns: Mapping[str, str], rows: Sequence[Sequence[Any]], otherwise: str = ""
    ) -> None:
        """`Tx.insert_few`."""
        self.tx.insert_few(table, columns, rows, otherwise)

    def _later(self, read: Callable[[Any], T], cursor: Any) -> Callable[[], T]:
        """SQLite's cursor is read now: the next statement may change what it walks through."""
        if self.is_sqlite:
            found = read(cursor)
            return lambda: found

        def answer() -> T:
            if cursor.pgresult is None:
                raise RuntimeError("what goes together has no answers before the block is over")
            return read(cursor)

        return cache(answer)


def _none() -> int:
    return 0


def _every(cursor: Any) -> Sequence[Row[Any]]:
    make = _row_type(cursor)
    return [make(row) for row in cursor.fetchall()]


def _first(cursor: Any) -> Row[Any] | None:
    found = cursor.fetchone()
    row = None if found is None else _row_type(cursor)(found)
    cursor.close()
    return row


def _changed(cursor: Any) -> int:
    return int(cursor.rowcount)


def _row_type(cursor: Any) -> Callable[[tuple[Any, ...]], Row[Any]]:
    return row_type(tuple([column[0] for column in cursor.description]))


class Ledger:
    """One database, one pool. Build it after a fork; never share it across one."""

    def __init__(self, url: str) -> None:
        self.driver: Driver = driver_of(url)
        self.pool = Pool(self.driver)

    @property
    def is_sqlite(self) -> bool:
        """Whether this is SQLite; the alternative is PostgreSQL."""
        return self.driver.dialect == "sqlite"

    @contextmanager
    def write(self) -> Iterator[Tx]:
        """A transaction that commits at the end of the block, or leaves no trace."""
        with self.told_alike(), self.pool.lent() as connection, self._transaction(connection, writing=True) as tx:
            yield tx

    @contextmanager
    def read(self) -> Iterator[Tx]:
        """One consistent snapshot. Keep it under 100 ms: on a rollback journal readers hold up writers."""
        with self.told_alike(), self.pool.lent() as connection, self._transaction(connection, writing=False) as tx:
            yield tx

    @contextmanager
    def _transaction(self, connection: Any, *, writing: bool) -> Iterator[Tx]:
        begin = self.driver.begin(connection, writing=writing)
        try:
            yield Tx(self, connection, begin)
            self.driver.commit(connection)
        except BaseException:
            with suppress(self.driver.module.Error):  # it failed already, and a lost connection has nothing to undo
                connection.rollback()
            raise

    @contextmanager
    def told_alike(self) -> Iterator[None]:
        """What a driver says (full, away, locked), said as a fault of the ledger."""
        module = self.driver.module
        try:
            yield
        except module.Error as error:
            transient = isinstance(error, (module.OperationalError, module.InterfaceError))
            fault = LedgerFault(error, transient=transient)
            raise fault.with_traceback(error.__traceback__) from None  # a traceback would print the driver's words

    def close(self) -> None:
        """Give every connection back."""
        self.pool.close()
