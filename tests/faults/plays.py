"""What a scenario stages besides its storm. Each returns a function of arena and broadcast that looks at the end and
says (what was measured, what is wrong)."""

import os
import resource
import signal
import threading
import time
from collections import Counter

import psutil
import redis

from dispatcher.ledger import accounts, controls, counts
from dispatcher.model.broadcast import broadcast_ref
from dispatcher.model.clock import to_ms
from dispatcher.model.states import DeliveryState
from dispatcher.sandbox.config import DownHow, Faults
from dispatcher.sandbox.fate import NUMBER_SUFFIXES, Fate
from dispatcher.sandbox.record import lines
from dispatcher.services import accounting

BACK_SECONDS = 10.0
"""After Redis is back, requests go out again within this time."""
STORM_RATIO = 1.2
"""Requests that a throttling vendor sees, by those it allows."""
USED_RATIO = 0.5
"""And it is not left idle either."""
OUTAGE_MOST = 90
"""Texts that an outage may leave unknown where two children begin with half of their window of 64: those in flight when
it began, a group of each of their two lanes, and one for each probe."""
FEW_REFUSED = 2 * 64
"""What two children may have in flight when the vendor begins to refuse our key."""
EARLY_SECONDS = 0.05
"""Two clocks of one machine may differ by so much."""
FLUSHED_AT = (1 / 3, 2 / 3)
"""Shares of the work."""
COUNTERS_SECONDS = 1.0
"""In which 95 of 100 looks at the sums of a broadcast are answered, whatever its size."""
ASK_SECONDS = 240.0
"""For asking after everybody whose callbacks were lost, on a slow machine."""


def spare_rings(arena, made, dice):
    """A thousand rings too many."""
    from celery import Celery

    from dispatcher.doorbell import DRAIN
    from dispatcher.embedded.urls import for_celery

    with Celery(broker=for_celery(arena.ctx.settings.redis_url), set_as_current=False) as app:
        for number in range(1000):
            channel = ("email", "sms")[number % 2]
            app.send_task(DRAIN, args=(channel,), queue=channel)


def all_events_arrive(arena, made, dice):
    """Every event that the vendors could tell was taken in, whoever was being restarted. A callback about a text is
    tried a few times at once and given up where nobody listens, as Twilio does it: what it would have said is asked
    for."""

    def look(arena, made):
        left = _texts_without_a_last_word(arena, made)
        told = arena.vendors.control.state()["events"]
        lost = {name: n for name, n in told.items() if n and name in ("open", "refused")}
        wrong = f"events not taken in: {lost}" if lost else "" if told.get("events") else "there were no events"
        return f"{told.get('events', 0)} events, {told.get('given_up', 0)} given up", wrong or left

    return look


def _texts_without_a_last_word(arena, made):
    """What is wrong once the vendor had its time to be asked, or nothing."""
    until = time.monotonic() + ASK_SECONDS
    while (left := _open_texts(arena, made)) > _silent_texts(arena, made) and time.monotonic() < until:
        time.sleep(0.5)
    return f"{left} texts without a last word" if left > _silent_texts(arena, made) else ""


def asked_after(arena, made, dice):
    """What lost callbacks would have said is asked for; open stay only those of whom the vendor knows no more."""

    def look(arena, made):
        wrong = _texts_without_a_last_word(arena, made)
        dropped = arena.vendors.control.state()["events"].get("dropped", 0)
        wrong = wrong or ("" if dropped else "no callback was lost")
        return f"{dropped} callbacks lost, {_open_texts(arena, made)} texts open", wrong

    return look


def _open_texts(arena, made):
    with arena.ctx.ledger.read() as tx:
        return int(counts.by_channel(tx, made)["sms"].accepted)


def _silent_texts(arena, made):
    silent = tuple(end for end, fate in NUMBER_SUFFIXES.items() if fate is Fate.SILENT)
    with arena.ctx.ledger.read() as tx:
        rows = tx.all(
            "SELECT r.phone FROM broadcast b JOIN recipient r ON r.version_id = b.audience_version_id WHERE b.id = :b",
            b=made,
        )
    return sum(row.phone.endswith(silent) for row in rows)


def minute_without_redis(arena, made, dice):
    """The broker is gone for a minute; then the work goes on soon."""
    time.sleep(3)
    os.kill(arena.broker.pid, signal.SIGKILL)
    time.sleep(60)
    arena.broker.ensure()
    back = time.monotonic()

    def look(arena, made):
        later = [line.began for line in lines(arena.vendors.record) if line.began > back]
        after = min(later, default=back + 999) - back
        return f"first request {after:.1f} s after its return", "too late" if after > BACK_SECONDS else ""

    return look


def nothing_early(arena, made):
    """No request began before the release."""
    with arena.ctx.ledger.read() as tx:
        due = max(row.release_at for row in controls.of(tx, made).values()) / 1000
    early = [line for line in lines(arena.vendors.record) if line.began_at < due - EARLY_SECONDS]
    return "", f"{len(early)} requests before the release" if early else ""


def sound_file(arena, made, dice):
    """Somebody to ask and act meanwhile; at the end the file is whole and nobody was told that it is locked."""
    from tests.faults import terminal

    terminal.staff(arena)

    def look(arena, made):
        with arena.ctx.ledger.read() as tx:
            found = tx.scalar("PRAGMA integrity_check")
        log = (arena.folder / "processes.log").read_text()
        return f"integrity {found}", "" if found == "ok" and "database is locked" not in log else "locked, or not ok"

    return look


def impatient_locks(arena, made, dice):
    """Nobody waits for a lock longer than a second."""
    import psycopg

    url = arena.overrides["database_url"]
    with psycopg.connect(url, autocommit=True) as admin:
        name = admin.info.dbname
        admin.execute(f"ALTER DATABASE \"{name}\" SET lock_timeout = '1s'")


def outage(arena, made, dice):
    """Both vendors are away until after the expiry."""
    for name in ("sendgrid", "twilio"):
        arena.vendors.control.down(name, 14, DownHow.UNAVAILABLE)
    time.sleep(15)
    return _nothing_late


def _nothing_late(arena, made):
    with arena.ctx.ledger.read() as tx:
        expires = min(row.expires_at for row in controls.of(tx, made).values()) / 1000
        left = sum(row.waiting for row in counts.by_channel(tx, made).values())
    late = [line for line in lines(arena.vendors.record) if line.began_at > expires + 1.5]
    wrong = f"{len(late)} requests after the expiry" if late else "" if left else "nobody was left to expire"
    return f"{left} expired", wrong


def wrong_key(arena, made, dice):
    """The vendor refuses our credentials for a while: the account stops, and costs nobody."""
    time.sleep(0.6)
    control, account = arena.vendors.control, arena.ctx.accounts["twilio"]
    control.faults("twilio", Faults(error=1.0, error_status=401))
    time.sleep(4)
    control.faults("twilio")
    with arena.ctx.ledger.write() as tx:
        accounts.reopen(tx, account.name, to_ms(arena.ctx.clock.now()))
    return _few_refused


def _few_refused(arena, made):
    refused = sum(line.answer == "401" for line in lines(arena.vendors.record))
    wrong = "too many" if refused > FEW_REFUSED else "" if refused else "nothing was refused"
    return f"{refused} requests with a refused key", wrong


def brown_out(arena, made, dice):
    """Down for 20 s, then a tenth of the capacity for 40 s, then well. The breaker keeps an outage from costing more
    than a few unknown deliveries."""
    allowed, down, brown = 25, 20, 40
    arena.vendors.control.down("twilio", down)
    time.sleep(down)
    arena.vendors.control.faults("twilio", Faults(per_second=allowed, retry_after=1))
    began = time.monotonic()
    time.sleep(brown)
    arena.vendors.control.faults("twilio")
    ended = time.monotonic()

    def look(arena, made):
        seen = {line.request for line in lines(arena.vendors.record)
                if line.account == "twilio" and began <= line.began < ended}  # fmt: skip
        ratio = len(seen) / (allowed * (ended - began))
        with arena.ctx.ledger.read() as tx:
            unknown = counts.by_channel(tx, made)["sms"].unknown
        wrong = ["a storm"] if ratio > STORM_RATIO else []
        wrong += [] if ratio > USED_RATIO else ["the capacity was not used"]
        wrong += [f"{unknown} unknown by an outage"] if unknown > OUTAGE_MOST else []
        return f"{ratio:.2f} of the allowed rate, {unknown} unknown texts", ", ".join(wrong)

    return look


def posts_too(arena, made, dice):
    """Ten public posts besides, each with words of its own: the timeline says which of them were taken on."""
    posts = [made, *(arena.broadcast(1, channels=("social",)) for _ in range(10))]

    def look(arena, made):
        until = time.monotonic() + ASK_SECONDS
        while (wrong := _wrong_posts(arena, posts)) and time.monotonic() < until:
            time.sleep(0.5)
        return f"{len(posts)} posts", ", ".join(wrong)

    return look


def _wrong_posts(arena, posts):
    shown = Counter(line.text for line in lines(arena.vendors.record) if line.kind == "accepted" and line.vendor == "x")
    with arena.ctx.ledger.read() as tx:
        rows = tx.all(
            "SELECT o.id, o.code, d.state FROM broadcast o JOIN delivery d ON d.broadcast_id = o.id"
            " JOIN batch b ON b.broadcast_id = d.broadcast_id AND b.no = d.seq / 1000 WHERE b.channel = 'social'"
        )
    told = {row.id: (shown[f"drill {row.code}"], DeliveryState(row.state)) for row in rows}
    fits = {(1, DeliveryState.ACCEPTED), (1, DeliveryState.DELIVERED), (0, DeliveryState.UNKNOWN)}
    return [f"B-{one}: {told[one][0]} posts, {told[one][1].name}" for one in posts if told[one] not in fits]


def flushed_twice(arena, made, dice):
    """Redis forgets everything when a third and when two thirds are done, while somebody watches the sums as
    `broadcast watch` does."""
    seen = _Watched()
    watcher = threading.Thread(target=seen.watch, args=(arena, made), daemon=True)
    watcher.start()

    def look(arena, made):
        watcher.join(60)
        slowest, most = max(seen.took, default=0.0), _most(seen.took)
        wrong = [str(seen.failure)] if seen.failure else []
        wrong += [f"Redis was flushed {seen.flushes} times"] if seen.flushes != len(FLUSHED_AT) else []
        wrong += ["counters are slow"] if not seen.took or most > COUNTERS_SECONDS else []
        told = f"{seen.flushes} flushes, counters {most:.2f} s (95 %), slowest {slowest:.2f} s, {_memory(arena)}"
        return told, ", ".join(wrong)

    return look


def _memory(arena):
    judge = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    vendors = psutil.Process(arena.pids()["vendors"]).memory_info().rss / 1_048_576
    return f"judge {judge:.0f} MB at most, vendors {vendors:.0f} MB"


def _most(took):
    """What 95 of 100 stay below."""
    return sorted(took)[int(0.95 * len(took))] if took else 0.0


class _Watched:
    """How long each look at the sums took, in seconds, and how often Redis was flushed."""

    def __init__(self):
        self.took, self.flushes, self.failure = [], 0, None

    def watch(self, arena, made):
        try:
            while arena.at_work(made) is not False:
                began = time.monotonic()
                accounting.show(arena.ctx, broadcast_ref(made), reasons=False)
                self.took.append(time.monotonic() - began)
                if self.flushes < len(FLUSHED_AT) and arena.share_done(made) >= FLUSHED_AT[self.flushes]:
                    with redis.Redis.from_url(arena.broker.redis_url, socket_timeout=5) as client:
                        client.flushall()
                    self.flushes += 1
                time.sleep(0.5)
        except Exception as error:
            self.failure = error


def redis_settings(arena, **values):
    """Set something in the broker."""
    with redis.Redis.from_url(arena.ctx.settings.redis_url) as client:
        for name, value in values.items():
            client.config_set(name, value)
