"""Every scenario with real processes: what befalls the run, and how large it is."""

import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from dispatcher.ledger import controls
from dispatcher.model.clock import to_ms
from dispatcher.model.kinds import Policy
from dispatcher.sandbox.record import lines
from tests.faults import storms
from tests.faults.arena import Arena, Sampler, Verdict, dice, settled, verdict_of

CALM = {name: {"latency": [0.02, 0.12]} for name in ("sendgrid", "twilio")}
CHAOS = {
    "latency": [0.01, 0.1], "throttle": 0.05, "error": 0.05, "error_accepted": 0.05, "reset": 0.03,
    "reset_accepted": 0.03, "stall": 0.02, "stall_accepted": 0.01, "stall_seconds": 3, "garbage": 0.02,
    "garbage_accepted": 0.02, "truncated": 0.02,
}  # fmt: skip
HIT = 0.8
"""Share of kills that must have caught an open intent or request for the run to count."""


@dataclass(frozen=True)
class Scenario:
    """One storm. `small` and `full` are (people, blows)."""

    name: str
    what: str
    blows: tuple = ()
    small: tuple = (400, 5)
    full: tuple = (2000, 20)
    backends: tuple = ("sqlite",)
    pause: tuple = (0.2, 1.0)
    faults: dict = None
    arena: dict = None
    broadcast: dict = None
    play: object = None
    kills: bool = False


def play(scenario, seed, url, *, quick):
    """Run it once: a verdict."""
    people, blows = scenario.small if quick else scenario.full
    began, luck, hits = time.monotonic(), dice(seed), Verdict()
    with tempfile.TemporaryDirectory(prefix="arena-") as folder:
        with Arena(
            Path(folder), seed, database_url=url, faults=scenario.faults or CALM, **(scenario.arena or {})
        ) as arena:
            arena.await_web()
            made = arena.broadcast(people, **(scenario.broadcast or {}))
            sampler = Sampler(arena, made)
            sampler.start()
            extra = scenario.play(arena, made, luck) if scenario.play else None
            weather = storms.Weather(arena, list(scenario.blows), luck, hits, times=blows, pause=scenario.pause)
            if scenario.blows:
                weather.start()
                weather.join()
            over = settled(arena, made, 240)
            time.sleep(1.5)
            sampler.done.set()
            found = verdict_of(arena, made, sampler, finished=over)
            log = Path(folder, "processes.log")
            found.note = extra(arena, made) if callable(extra) else ""
            found.log = "" if found.good and not found.note else log.read_text()[-3000:] if log.exists() else ""
    found.kills, found.kills_that_hit = hits.kills, hits.kills_that_hit
    found.seconds = time.monotonic() - began
    if scenario.kills and found.kills_that_hit < HIT * found.kills:
        found.note = f"only {found.kills_that_hit} of {found.kills} kills hit something"
    return found


def _spare_rings(arena, made, luck):
    """A thousand rings too many."""
    from celery import Celery

    from dispatcher.doorbell import DRAIN
    from dispatcher.embedded.urls import for_celery

    with Celery(broker=for_celery(arena.ctx.settings.redis_url), set_as_current=False) as app:
        for number in range(1000):
            app.send_task(DRAIN, args=(("email", "sms")[number % 2],), queue=("email", "sms")[number % 2])


def _fill_the_disk(arena, made, luck):
    """The ledger may grow no further for some seconds: nothing may be sent that was not written down."""
    from dispatcher.ledger.engine import sqlite_module

    time.sleep(0.5)
    return _told_without_attempt if sqlite_module() else None


def _told_without_attempt(arena, made):
    """Every key a vendor saw has its attempt in the ledger."""
    with arena.ctx.ledger.read() as tx:
        known = {
            seq
            for row in tx.all("SELECT first_seq, last_seq FROM attempt WHERE broadcast_id = :b", b=made)
            for seq in range(row.first_seq, row.last_seq + 1)
        }
    keys = {line.key for line in lines(arena.vendors.record) if line.kind == "accepted" and line.key}
    strange = [key for key in keys if int(key.split(".")[2]) not in known]
    return f"{len(strange)} told without an attempt" if strange else ""


def _starve_redis(arena, made, luck):
    """The broker may hold nothing more for some seconds."""
    import redis

    with redis.Redis.from_url(arena.ctx.settings.redis_url) as client:
        client.config_set("maxmemory", 1)
        time.sleep(5)
        client.config_set("maxmemory", 0)


def _more_beats(arena, made, luck):
    """Three metronomes instead of one."""
    from dispatcher.embedded.procfile import parse

    env = arena.ctx.settings.child_environment()
    for _ in range(2):
        arena._run(parse("beat: celery -A workers.app beat", env), env)


def _outage(arena, made, luck):
    """Both vendors are away until after the expiry."""
    from dispatcher.sandbox.config import DownHow

    for name in ("sendgrid", "twilio"):
        arena.vendors.control.down(name, 14, DownHow.UNAVAILABLE)
    time.sleep(15)
    return _nothing_late


def _nothing_late(arena, made):
    with arena.ctx.ledger.read() as tx:
        expires = min(row.expires_at for row in controls.of(tx, made).values()) / 1000
    late = [line for line in lines(arena.vendors.record) if line.began_at > expires + 1.5]
    return f"{len(late)} requests after the expiry" if late else ""


def _wrong_key(arena, made, luck):
    """The vendor refuses our credentials for a while: the account stops, and costs nobody."""
    time.sleep(0.6)
    control, account = arena.vendors.control, arena.ctx.accounts["twilio"]
    from dispatcher.sandbox.config import Faults

    control.faults("twilio", Faults(error=1.0, error_status=401))
    time.sleep(4)
    control.faults("twilio")
    from dispatcher.ledger import accounts

    with arena.ctx.ledger.write() as tx:
        accounts.reopen(tx, account.name, to_ms(arena.ctx.clock.now()))
    return _few_refused


def _few_refused(arena, made):
    refused = [line for line in lines(arena.vendors.record) if line.answer == "401"]
    return f"{len(refused)} requests with a refused key" if len(refused) > 40 else ""


def _brown_out(arena, made, luck):
    """Down, then a tenth of the capacity, then well."""
    from dispatcher.sandbox.config import Faults

    arena.vendors.control.down("twilio", 4)
    time.sleep(4)
    arena.vendors.control.faults("twilio", Faults(per_second=20, retry_after=1))
    time.sleep(8)
    arena.vendors.control.faults("twilio")


def _silence_callbacks(arena, made, luck):
    return lambda arena, made: ""


_KILLS = (storms.kill_child, storms.kill_child, storms.kill_child, storms.kill_worker, storms.kill_beat)
BOTH = ("sqlite", "postgresql")
LOST = {"latency": [0.02, 0.1], "error_accepted": 0.2, "reset_accepted": 0.1}

SCENARIOS = (
    Scenario("T1", "kills of children, workers, beats", _KILLS, (1500, 6), (4000, 40), BOTH, kills=True),
    Scenario(
        "T1b", "the same, sent at least once", _KILLS, (1000, 5), (2000, 20), broadcast={"policy": Policy.AT_LEAST_ONCE}
    ),
    Scenario("T2", "workers frozen past their lease", (storms.freeze_child,), (1500, 2), (3000, 10), BOTH, kills=True),
    Scenario("T3", "rolling restarts", (storms.roll_worker,), (400, 2), (3000, 8), pause=(0.5, 2)),
    Scenario("T4", "Redis flushed and restarted", (storms.flush_redis, storms.restart_redis), (400, 4), (3000, 20)),
    Scenario("T4b", "Redis absent from the start", small=(300, 0), full=(1000, 0), arena={"broker_after": 8.0}),
    Scenario(
        "T5",
        "a broken network to Redis",
        (storms.cut_wires, storms.silent_wires, storms.slow_wires),
        (400, 4),
        (2000, 30),
        arena={"proxied": True},
    ),
    Scenario("T6b", "Redis out of memory", small=(300, 0), full=(2000, 0), play=_starve_redis),
    Scenario("T7", "a thousand rings too many", small=(300, 0), full=(2000, 0), play=_spare_rings),
    Scenario("T9", "a crash between commit and ring", small=(300, 0), full=(1000, 0), broadcast={"ring": False}),
    Scenario("T10", "a stranger locks the SQLite file", (storms.lock_ledger,), (300, 1), (2000, 10)),
    Scenario(
        "T12", "PostgreSQL ends every connection", (storms.terminate_backends,), (400, 6), (3000, 100), ("postgresql",)
    ),
    Scenario("T15", "no beat lives, then three do", (storms.kill_beat,), (300, 4), (1500, 20), play=_more_beats),
    Scenario(
        "T17",
        "an outage longer than the expiry",
        small=(300, 0),
        full=(2000, 0),
        play=_outage,
        broadcast={"expires": 10},
    ),
    Scenario(
        "T18",
        "vendors wrong on 30 % of requests",
        (storms.kill_child,),
        (400, 2),
        (3000, 8),
        BOTH,
        faults={"sendgrid": CHAOS, "twilio": CHAOS},
    ),
    Scenario("T19", "a brown-out and a storm of 429", small=(300, 0), full=(1500, 0), play=_brown_out),
    Scenario("T19b", "credentials refused in the middle", small=(600, 0), full=(2000, 0), play=_wrong_key),
    Scenario(
        "T21",
        "lost answers, lost callbacks",
        small=(300, 0),
        full=(2000, 0),
        faults={"sendgrid": LOST, "twilio": LOST},
        arena={"events": {"drop": 0.2, "duplicate": 0.3, "reorder": 0.3}},
    ),
)
