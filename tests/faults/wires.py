"""Storms on the way to Redis or PostgreSQL, and on PostgreSQL itself."""

import contextlib
import time

import psycopg


def cut_wires(arena, dice, hits):
    """Every connection is reset."""
    arena.proxy.reset_all()


def silent_wires(arena, dice, hits):
    """Connections stay open and carry nothing, then go on or are reset."""
    arena.proxy.mode = "half_open"
    time.sleep(dice.uniform(0.3, 2))
    arena.proxy.mode = "pass"
    if dice.random() < 0.5:
        arena.proxy.reset_all()


def slow_wires(arena, dice, hits):
    """Two seconds of delay, or small pieces."""
    arena.proxy.delay, arena.proxy.slice = dice.choice([(0.02, 7), (2.0, 65_536)])
    time.sleep(dice.uniform(0.3, 2))
    arena.proxy.delay, arena.proxy.slice = 0.0, 65_536


def short_wires(arena, dice, hits):
    """Each connection is cut after some bytes, in the middle of whatever it carries."""
    arena.proxy.most = dice.randrange(100, 3000)
    time.sleep(dice.uniform(0.2, 1))
    arena.proxy.most = None


def shut_wires(arena, dice, hits):
    """Those that are open are cut, new ones are refused."""
    arena.proxy.mode = "refuse"
    arena.proxy.reset_all()
    time.sleep(dice.uniform(0.2, 1))
    arena.proxy.mode = "pass"


def terminate_backends(arena, dice, hits):
    """PostgreSQL ends every connection but the one that says so."""
    with contextlib.suppress(psycopg.Error), _admin(arena) as admin:
        admin.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid()"
            " AND datname = current_database()"
        )


def restart_server(arena, dice, hits):
    """The server is stopped at once, as by a crash, and comes back after a while."""
    arena.server.crash()
    time.sleep(dice.uniform(0.1, 2))
    arena.server.again()


def lock_tables(arena, dice, hits):
    """A stranger locks the batches; whoever waits longer than the lock time-out is told so."""
    with contextlib.suppress(psycopg.Error), _admin(arena, autocommit=False) as admin:
        admin.execute("SET lock_timeout = '10s'")
        admin.execute("LOCK TABLE batch IN ACCESS EXCLUSIVE MODE")
        time.sleep(dice.uniform(0.5, 2))
        admin.rollback()


def _admin(arena, *, autocommit=True):
    return psycopg.connect(arena.overrides["database_url"], autocommit=autocommit, connect_timeout=5)
