"""Every scenario with real processes: what befalls the run, how large it is and how long it may take."""

import random
import tempfile
import time
from dataclasses import dataclass, field, replace
from pathlib import Path

from dispatcher.model.kinds import Policy
from tests.faults import occurrences, plays, storms, wires
from tests.faults.arena import Arena, settled
from tests.faults.sampler import LEAST, Sampler
from tests.faults.verdicts import Hits, verdict_of

PATIENCE = 300.0
"""Seconds for what is left when the storm is over: generous, since the machine may be slow."""
CALM_UNKNOWN = 0.02
"""The share that may be unknown where no blow and no vendor loses an answer: a machine may be slow."""
SLOWEST = 50
"""People a second that even a slow machine gets through, for runs so large that patience goes by their size."""
SLOW = {name: {"latency": [0.2, 0.6]} for name in ("sendgrid", "twilio")}
CALM = {name: {"latency": [0.02, 0.12]} for name in ("sendgrid", "twilio")}
CHAOS = {
    "latency": [0.01, 0.1], "throttle": 0.05, "error": 0.05, "error_accepted": 0.05, "reset": 0.03,
    "reset_accepted": 0.03, "stall": 0.02, "stall_accepted": 0.01, "stall_seconds": 3, "garbage": 0.02,
    "garbage_accepted": 0.02, "truncated": 0.02,
}  # fmt: skip
HONEST = {name: share for name, share in CHAOS.items() if name != "error_accepted"} | {"error": 0.1}
"""What goes wrong with a relay: one that says 451 and takes the mail all the same breaks the protocol on which every
mail server on its way relies."""
LOST = {"latency": [0.02, 0.1], "error_accepted": 0.2, "reset_accepted": 0.1}
SQLITE, POSTGRES, PRIVATE = ("sqlite",), ("postgresql",), ("private",)
BOTH = SQLITE + POSTGRES
"""Which ledger. `private` is a PostgreSQL of the run's own, which may be hurt."""


@dataclass(frozen=True)
class Scenario:
    """One storm. `small` and `full` are (people, blows); `pace` is deliveries a second and account, so that the
    work lasts as long as the storm, or the storm is `spread` over the work; `budget` is the seconds planned for one run
    on two quiet cores. One that runs `alone` is left out unless it is named. `loses`: the vendors lose answers, so that
    nobody can say beforehand how many stay unknown."""

    name: str
    what: str
    blows: tuple = ()
    small: tuple = (400, 5)
    full: tuple = (2000, 20)
    backends: tuple = SQLITE
    budget: int = 40
    pace: float = 0.0
    pause: tuple = (0.2, 1.0)
    faults: dict = field(default_factory=lambda: CALM)
    arena: dict = field(default_factory=dict)
    broadcast: dict = field(default_factory=dict)
    play: object = None
    kills: bool = False
    settles: tuple = ()
    loses: bool = False
    spread: bool = False
    alone: bool = False

    def of_size(self, people):
        """The same with so many people, and with the time that they take."""
        return replace(self, full=(people, self.full[1]), budget=max(120, self.budget * people // self.full[0]))


def play(scenario, seed, url, *, quick=False, server=None):
    """Run it once: a verdict."""
    people, blows = scenario.small if quick else scenario.full
    began, hits = time.monotonic(), Hits(asked=blows if scenario.kills else 0)
    paces = dict.fromkeys(("sendgrid", "twilio", "relay"), scenario.pace) if scenario.pace else None
    more = {"faults": scenario.faults, "paces": paces, "server": server} | scenario.arena
    with (
        tempfile.TemporaryDirectory(prefix="arena-") as folder,
        Arena(Path(folder), seed, database_url=url, **more) as arena,
    ):
        arena.await_web()
        found = _through(scenario, arena, random.Random(seed), hits, people, blows)
        if not quick and found.per_second < LEAST:
            found.note += f" only {found.per_second:.1f} samples a second"
        if not quick and not hits.asked and hits.storms < blows:
            found.note += f" only {hits.storms} of {blows} blows before the work was done"
        log = Path(folder, "processes.log")
        found.log = "" if found.good or not log.exists() else log.read_text()[-6000:]
    found.seconds = time.monotonic() - began
    return found


def _through(scenario, arena, dice, hits, people, blows):
    made = arena.broadcast(people, **scenario.broadcast)
    sampler = Sampler(arena.ledger_url, made, 2 * people)
    last = scenario.play(arena, made, dice) if scenario.play else None
    how = {"times": blows, "pause": scenario.pause, "spread": scenario.spread}
    weather = storms.Weather(arena, made, list(scenario.blows), dice, hits, **how)
    if scenario.blows:
        weather.start()
    arena.opt_out(dice.sample(range(1, people + 1), people // 50))
    if scenario.blows:
        weather.join()
    over = settled(arena, made, max(PATIENCE, people / SLOWEST), unknown=scenario.settles)
    arena.vendors.control.drained(30)
    time.sleep(1.5)
    seen = sampler.end()
    found = verdict_of(arena, made, seen, finished=over, asked=scenario.settles)
    _tell(scenario, found, hits, weather)
    found.told, wrong = last(arena, made) if last else ("", "")
    found.note = f"{found.note} {wrong}".strip()
    return found


def _tell(scenario, found, hits, weather):
    found.kills, found.kills_that_hit, found.processes_killed = hits.kills, hits.hit, hits.processes
    found.storms = hits.storms
    found.note = " ".join([hits.enough(), *hits.complaints, str(weather.failure or "")]).strip()
    most = hits.open + hits.processes * scenario.broadcast.get("size", 20) + int(CALM_UNKNOWN * found.planned)
    if not scenario.loses and found.unknown > most:
        found.note += f" {found.unknown} unknown, at most {most} can be"


_KILLS = (*[storms.kill_child] * 5, storms.kill_worker, storms.kill_others)
_WIRES = (wires.cut_wires, wires.silent_wires, wires.slow_wires, wires.short_wires, wires.shut_wires)
_HURTS = (*[wires.terminate_backends] * 24, wires.restart_server, wires.lock_tables)
_EVENTS = {"drop": 0.2, "duplicate": 0.3, "reorder": 0.3}

SCENARIOS = (
    # The whole of T1 (20,000 people, 200 kills, 20 runs) is hours; here are 40 kills on each ledger, in T1b 20 more.
    Scenario(
        "T1", "kills of children, workers, beats, web", _KILLS, (800, 6), (4000, 40), BOTH, 120,
        pace=45, faults=SLOW, kills=True,
    ),
    Scenario(
        "T1b", "the same, sent at least once", _KILLS, (800, 5), (2000, 20), budget=75, pace=40, faults=SLOW,
        kills=True, broadcast={"policy": Policy.AT_LEAST_ONCE},
    ),
    Scenario(
        "T2", "frozen for 2 to 4 leases, then woken", (storms.freeze_child,), (600, 3), (3500, 20), BOTH, 100,
        pace=40, faults=SLOW, kills=True, pause=(0.1, 0.5),
        arena={"processes": 4, "overrides": {"dispatch.lease_seconds": 3}},
    ),
    Scenario(
        "T3", "rolling restarts of everything", (storms.roll,), (400, 2), (4000, 10), budget=95, pace=50,
        faults=SLOW, play=plays.all_events_arrive,
    ),
    Scenario(
        "T4", "Redis flushed 20 times, restarted 20 times", (storms.flush_redis, storms.restart_redis), (400, 4),
        (4000, 40), budget=80, pace=60,
    ),
    Scenario("T4b", "Redis absent from the start", small=(300, 0), full=(1000, 0), arena={"broker_after": 8.0}),
    Scenario(
        "T4c", "Redis away for a minute", small=(400, 0), full=(4000, 0), budget=125, pace=40,
        play=plays.minute_without_redis,
    ),
    Scenario(
        "T5", "a broken network to Redis", _WIRES, (400, 6), (3000, 100), budget=125, pace=30, pause=(0.1, 0.4),
        arena={"wired": "broker"},
    ),
    Scenario(
        "T5b", "a broken network to PostgreSQL", _WIRES, (400, 6), (3000, 100), PRIVATE, 125, pace=30,
        pause=(0.1, 0.4), arena={"wired": "database"},
    ),
    Scenario(
        "T6", "a full disk", (storms.fill_disk,), (400, 2), (3000, 10), budget=60, pace=60, pause=(0.5, 1.5),
    ),
    Scenario(
        "T6b", "Redis full, Redis that cannot save", (storms.full_redis, storms.unsaved_redis), (400, 3), (3000, 20),
        budget=90, pace=40,
    ),
    Scenario("T7", "a thousand rings too many", small=(300, 0), full=(2000, 0), budget=30, play=plays.spare_rings),
    Scenario(
        "T10", "a stranger locks the SQLite file, 8 workers", (storms.lock_ledger,), (300, 1), (2500, 20), budget=290,
        pace=22, pause=(0.2, 0.6), arena={"processes": 8}, play=plays.sound_file,
    ),
    Scenario(
        "T12", "connections ended, crashes of the server, locks", _HURTS, (400, 12), (4000, 520), PRIVATE, 170,
        pace=35, pause=(0.02, 0.3), play=plays.impatient_locks,
    ),
    # Each at its time and once; that one which an outage made late waits for a person is in the tests of dispatch.
    Scenario(
        "T15", "1,000 releases; three beats; Redis away when due", (storms.kill_others, storms.restart_redis), (150, 4),
        (1500, 20), budget=130, pace=40, play=occurrences.come_due, broadcast={"release_in": 3600.0, "ring": False},
    ),
    Scenario(
        "T17", "an outage longer than the expiry", small=(2000, 0), full=(3000, 0), budget=40, play=plays.outage,
        broadcast={"expires": 10}, loses=True,
    ),
    # Smaller than wished: 4,000 people instead of 20,000, as a kill keeps a batch for a lease and five failures in a
    # row give one back. By SMTP 500, since a relay takes one mail at a time and is left alone for a while after five
    # failures. All four kinds of channel are there: a key that events carry (SendGrid), a list to look in (Twilio), a
    # timeline (X), and nobody to ask (SMTP).
    Scenario(
        "T18", "vendors wrong on 30 % of requests, kills", (storms.kill_child,), (400, 2), (4000, 10), BOTH, 150,
        pace=80, faults={"sendgrid": CHAOS, "twilio": CHAOS | {"retry_after": 0}}, settles=("sms",), loses=True,
        arena={"overrides": {"dispatch.retry.first_seconds": 0.1, "dispatch.retry.longest_seconds": 0.3}},
    ),
    Scenario(
        "T18b", "the same by SMTP and in public", (storms.kill_child,), (150, 2), (500, 10), budget=130, pace=40,
        faults={"relay": HONEST, "twilio": CHAOS, "x": CHAOS}, settles=("sms",), loses=True, play=plays.posts_too,
        arena={"relay": True}, broadcast={"channels": ("email", "sms", "social")},
    ),
    Scenario(
        "T19", "an outage, then a storm of 429", small=(1500, 0), full=(3000, 0), budget=140, play=plays.brown_out,
        arena={"overrides": {"dispatch.breaker.failures": 5, "dispatch.breaker.open_seconds": 2}}, loses=True,
    ),
    Scenario(
        "T19b", "credentials refused in the middle", small=(600, 0), full=(2000, 0), budget=40, play=plays.wrong_key,
    ),
    Scenario(
        "T21", "lost answers; callbacks lost, doubled, mixed", small=(300, 0), full=(2000, 0), budget=45,
        faults={"sendgrid": LOST, "twilio": LOST}, arena={"events": _EVENTS}, settles=("sms",), loses=True,
        play=plays.asked_after,
    ),
    Scenario(
        "T36", "a million people, kills, two FLUSHALL", _KILLS, (3000, 3), (1_000_000, 20), POSTGRES, 5400,
        kills=True, spread=True, alone=True, play=plays.flushed_twice, broadcast={"size": 100, "phone_every": 10},
    ),
)  # fmt: skip
