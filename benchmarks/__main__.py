"""`make bench`: everything that is measured, interleaved and repeated; a table, and with BENCH_JSON a file.

BENCH_RECIPIENTS (default 100,000) is the size of the e-mail broadcast, BENCH_ROUNDS (3) how often each is measured,
BENCH_LEDGERS which ledgers (sqlite,postgresql), BENCH_POSTGRES a server's URL, BENCH_PLOTS a folder for pictures,
BENCH_ONLY words of the parts to run, BENCH_LATENCY the vendor's bounds in seconds for the part of that name.
"""

import contextlib
import os
import platform
import sys
import tempfile
from pathlib import Path

import psutil

from benchmarks import events, ours, table
from benchmarks.field import Field
from benchmarks.postgres import database
from benchmarks.rivals import Naive
from dispatcher.ledger.engine import journal_mode, sqlite_module
from dispatcher.model.kinds import Channel

MAIL, TEXT = Channel.EMAIL, Channel.SMS
PARTS = ("mail", "text", "mixed", "events", "rest", "naive", "latency", "plots")


def _number(name, default):
    return int(os.environ.get(name, default))


def main():
    people, rounds = _number("BENCH_RECIPIENTS", 100_000), _number("BENCH_ROUNDS", 3)
    only = set(os.environ.get("BENCH_ONLY", ",".join(PARTS)).split(","))
    book = table.Book(_conditions(people, rounds))
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        for ledger in os.environ.get("BENCH_LEDGERS", "sqlite,postgresql").split(","):
            with database(ledger) as url:
                if url is None:
                    print(f"{ledger} was not found and is left out", file=sys.stderr)
                    continue
                _on_one_ledger(book, ledger, Path(name) / ledger, url, people, rounds, only)
    print(book.printed())
    if target := os.environ.get("BENCH_JSON"):
        Path(target).write_text(book.written(), encoding="utf-8")


def _conditions(people, rounds):
    return {
        "recipients": people, "rounds": rounds, "cores": len(psutil.Process().cpu_affinity()),
        "memory_gib": round(psutil.virtual_memory().total / 2**30), "load": os.getloadavg()[0],
        "python": platform.python_version(), "system": platform.platform(),
        "sqlite": f"{sqlite_module().sqlite_version} {journal_mode()}",
    }  # fmt: skip


def _on_one_ledger(book, ledger, folder, url, people, rounds, only):
    texts = max(200, people // 10)
    with Field(folder, database_url=url) as field, contextlib.ExitStack() as ends:
        rival = ends.enter_context(Naive(folder, field.sink)) if "naive" in only and ledger == "sqlite" else None
        field.await_web()
        many, few = field.people(people), field.people(texts)
        ours.dispatched(field, [MAIL], field.people(2000), 2000)  # everything is loaded and connected once
        for _ in range(rounds):
            if "mail" in only:
                _mail(book, ledger, field, many, people, only)
            if "text" in only:
                _text(book, ledger, field, few, texts)
            if "mixed" in only:
                _mixed(book, ledger, field, few, texts)
            if rival:
                _naive(book, ledger, rival, min(500, people))
        if "rest" in only:
            _rest(book, ledger, field, many, people)
        if "plots" in only:
            _plot(field, ledger, people)
    if "latency" in only:
        _latency(book, ledger, folder, url, texts)
    _ratios(book, ledger)


def _mail(book, ledger, field, version, people, only):
    book.note(ledger, "mail raw, 1,000 a request", ours.raw_rate(field, MAIL, people, 1000))
    for size in (200, 1000):
        broadcast, found = ours.dispatched(field, [MAIL], version, people, size)
        book.note(ledger, f"mail, {size:,} a request", found["rate"])
        book.note(ledger, f"mail, {size:,} a request: bytes of ledger", found["ledger_bytes"], "B")
        book.note(ledger, "release to first request", found["first_request"][MAIL] * 1000, "ms")
        book.note(ledger, f"plan {people:,}", found["plan_seconds"], "s")
        for name, held in found["pss"].items():
            book.note(ledger, f"peak memory of {name}", held, "MiB")
    if "events" in only:
        taken = events.taken(field, broadcast, people)
        book.note(ledger, "events", taken["rate"])
        book.note(ledger, "events raw", taken["raw_rate"])
        book.note(ledger, "events stored", taken["stored_rate"])
        book.note(ledger, "events: post answered, p99", taken["p99_ms"], "ms")


def _text(book, ledger, field, version, people):
    book.note(ledger, "text raw", ours.raw_rate(field, TEXT, people, 1))
    _, found = ours.dispatched(field, [TEXT], version, people)
    book.note(ledger, "text", found["rate"])
    book.note(ledger, "text: bytes of ledger", found["ledger_bytes"], "B")
    book.note(ledger, "text: connections", found["connections"], "")
    for name, held in found["pss"].items():
        book.note(ledger, f"peak memory of {name}, text", held, "MiB")


def _mixed(book, ledger, field, version, people):
    _, found = ours.dispatched(field, [MAIL, TEXT], version, people)
    book.note(ledger, "mixed: first text", found["first_request"][TEXT] * 1000, "ms")
    book.note(ledger, "mixed: whole", found["seconds"], "s")


def _naive(book, ledger, rival, people):
    for kind in ("mail", "text", "event"):
        book.note(ledger, f"{kind} naive", rival.rate(kind, people))


def _rest(book, ledger, field, version, people):
    small, _ = ours.dispatched(field, [MAIL], field.people(1000), 1000)
    large, _ = ours.dispatched(field, [MAIL], version, people)
    for broadcast, size in ((small, 1000), (large, people)):
        cpu = ours.command_cpu(field, "broadcast", "show", f"B-{broadcast}")
        book.note(ledger, f"broadcast show at {size:,}", cpu * 1000, "ms CPU")
    book.note(ledger, "export", ours.exported(field, large), "rows/s")
    book.note(ledger, "import", people / ours.imported(field, people), "rows/s")
    for channel in (MAIL, TEXT):
        late, sent = ours.stopped(field, version, channel)
        book.note(ledger, f"stop to last request, {channel}", late * 1000, "ms")
        book.note(ledger, f"stop: handed over before, {channel}", sent, "")


def _latency(book, ledger, folder, url, people):
    bounds = tuple(float(v) for v in os.environ.get("BENCH_LATENCY", "0.05,0.2").split(","))
    blocks = {"twilio": {"in_flight": 100}}
    with Field(folder / "slow", database_url=url, latency=bounds, providers=blocks) as field:
        ours.dispatched(field, [TEXT], field.people(400), 400)
        few = max(400, min(people, 10_000))
        _, found = ours.dispatched(field, [TEXT], field.people(few), few)
        ideal = 2 * 100 / (sum(bounds) / 2)
        book.note(ledger, "text, slow vendor: of in flight / latency", found["wire_rate"][TEXT] / ideal, "x")
        _, found = ours.dispatched(field, [MAIL], field.people(people), people)
        book.note(ledger, "mail, slow vendor", found["rate"])


def _plot(field, ledger, people):
    sizes = [n for n in (1000, 10_000, 100_000, 1_000_000) if n <= people]
    points = []
    for size in sizes:
        _, found = ours.dispatched(field, [MAIL], field.people(size), size)
        points.append((size, found["seconds"]))
    folder = Path(os.environ.get("BENCH_PLOTS", "."))
    folder.mkdir(parents=True, exist_ok=True)
    svg = table.cost("Seconds from release to the last ledger row, by recipients", points)
    (folder / f"bench-{ledger}.svg").write_text(svg, encoding="utf-8")
    print(f"{ledger}: " + ", ".join(f"{n:,} in {s:.2f} s" for n, s in points))


def _ratios(book, ledger):
    for size in ("200", "1,000"):
        book.ratio(ledger, f"mail, {size} a request", "mail raw, 1,000 a request", f"mail, {size} a request: of raw")
        book.ratio(ledger, f"mail, {size} a request", "mail naive", f"mail, {size} a request: of naive")
    book.ratio(ledger, "text", "text raw", "text: of raw")
    book.ratio(ledger, "text", "text naive", "text: of naive")
    book.ratio(ledger, "events", "events raw", "events: of raw")
    book.ratio(ledger, "events", "event naive", "events: of naive")


if __name__ == "__main__":
    main()
