"""A private PostgreSQL server for a run, with its safety on: the same binaries as the tests use, not their settings."""

import contextlib
import os

from tests import postgres as server

_HONEST = {"fsync": "on", "full_page_writes": "on", "shared_buffers": "512MB", "max_wal_size": "2GB"}


@contextlib.contextmanager
def database(ledger):
    """The URL of an empty database: "" for SQLite in the work folder, None where there is no server to be had."""
    if ledger == "sqlite":
        yield ""
        return
    found = server.Server(os.environ.get("BENCH_POSTGRES", ""))
    binaries = server.binaries()
    if not found.url and binaries is None:
        yield None
        return
    server._QUICK |= _HONEST
    try:
        if not found.url:
            found.start(binaries)
        url = found.fresh()
        yield url
        found.drop(url)
    finally:
        found.stop()
