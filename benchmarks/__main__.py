"""`make bench`: everything that is measured, interleaved and repeated; a table, and with BENCH_JSON a file.

BENCH_RECIPIENTS (default 100,000) is the size of the e-mail broadcast, BENCH_ROUNDS (3) how often each is measured,
BENCH_LEDGERS which ledgers (sqlite,postgresql), BENCH_POSTGRES a server's URL, BENCH_PLOTS a folder for pictures,
BENCH_ONLY, or `--only`, words of the parts to run, BENCH_LATENCY the vendor's bounds in seconds for the part `latency`.
"""

import argparse
import contextlib
import os
import platform
import sys
import tempfile
from pathlib import Path

import psutil

from benchmarks import events, files, ours, table
from benchmarks.field import Field
from benchmarks.postgres import database
from benchmarks.rivals import Naive
from dispatcher.ledger.engine import journal_mode, sqlite_module
from dispatcher.model.kinds import Channel

MAIL, TEXT = Channel.EMAIL, Channel.SMS
PARTS = ("mail", "text", "mixed", "events", "naive", "rest", "files", "workers", "sizes", "latency", "plots")
SIZES = (200, 1000)
"""Recipients of one request: the default, and what the vendor's ceiling allows."""
HOSTS = (1, 2, 3, 4)
"""Worker processes in the part `workers`: one ledger, on PostgreSQL as more hosts would share it."""
REQUESTS, WINDOWS = (50, 200, 500, 1000), (16, 64, 256)
"""Recipients of a request, and texts under way, in the part `sizes`."""


def _number(name, default):
    return int(os.environ.get(name, default))


def main():
    people, rounds = _number("BENCH_RECIPIENTS", 100_000), _number("BENCH_ROUNDS", 3)
    only = _asked()
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


def _asked():
    reader = argparse.ArgumentParser(prog="python -m benchmarks", description="Measure this program on this machine.")
    reader.add_argument("--only", default=os.environ.get("BENCH_ONLY", ""), help=f"some of {','.join(PARTS)}")
    only = {word for word in reader.parse_args().only.split(",") if word} or set(PARTS)
    if strange := only - set(PARTS):
        reader.error(f"there is no part {sorted(strange)[0]}; there are {', '.join(PARTS)}")
    return only


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
            _round(book, ledger, field, (many, people), (few, texts), only)
            if rival:
                _naive(book, ledger, rival, min(500, people))
        if "rest" in only:
            _rest(book, ledger, field, many, people)
        if "files" in only:
            _files(book, ledger, field, many, people)
        if "plots" in only:
            _plot(book, field, ledger, people)
    if "latency" in only:
        _latency(book, ledger, folder, url, people, texts)
    if "sizes" in only:
        _sizes(book, ledger, folder, url, people, texts)
    if "workers" in only:
        _workers(book, ledger, folder, url, people, texts)
    _ratios(book, ledger)


def _round(book, ledger, field, many, few, only):
    if "mail" in only or "events" in only:
        _mail(book, ledger, field, *many, only)
    if "text" in only:
        _text(book, ledger, field, *few)
    if "mixed" in only:
        _mixed(book, ledger, field, *few)


def _mail(book, ledger, field, version, people, only):
    book.note(ledger, "mail raw, 1,000 a request", ours.raw_rate(field, MAIL, people, 1000))
    for size in SIZES:
        broadcast, found = ours.dispatched(field, [MAIL], version, people, size)
        name = f"mail, {size:,} a request"
        book.note(ledger, name, found["rate"])
        book.note(ledger, f"{name}: bytes of ledger", found["ledger_bytes"], "B")
        book.note(ledger, f"{name}: release to first request", found["first_request"][MAIL] * 1000, "ms")
        book.note(ledger, f"plan {people:,}", found["plan_seconds"], "s")
        _memory(book, ledger, found, name)
    if "events" in only:
        taken = events.taken(field, broadcast, people)
        book.note(ledger, "events", taken["rate"])
        book.note(ledger, "events raw", taken["raw_rate"])
        book.note(ledger, "events stored", taken["stored_rate"])
        book.note(ledger, "events: post answered, p99", taken["p99_ms"], "ms")
        _memory(book, ledger, taken, "events")


def _text(book, ledger, field, version, people):
    book.note(ledger, "text raw", ours.raw_rate(field, TEXT, people, 1))
    _, found = ours.dispatched(field, [TEXT], version, people)
    book.note(ledger, "text", found["rate"])
    book.note(ledger, "text: bytes of ledger", found["ledger_bytes"], "B")
    book.note(ledger, "text: connections", found["connections"], "")
    book.note(ledger, "text: release to first request", found["first_request"][TEXT] * 1000, "ms")
    _memory(book, ledger, found, "text")


def _memory(book, ledger, found, of):
    for name, held in found["pss"].items():
        book.note(ledger, f"peak memory of {name}, {of}", held, "MiB")


def _mixed(book, ledger, field, version, people):
    for size in SIZES:
        _, found = ours.dispatched(field, [MAIL, TEXT], version, people, size)
        book.note(ledger, f"mixed, {size:,} a request: first text", found["first_request"][TEXT] * 1000, "ms")
        book.note(ledger, f"mixed, {size:,} a request: whole", found["seconds"], "s")


def _naive(book, ledger, rival, people):
    for kind in ("mail", "text", "event"):
        book.note(ledger, f"{kind} naive", rival.rate(kind, people))


def _rest(book, ledger, field, version, people):
    book.note(ledger, "an interpreter that does nothing", ours.bare_cpu() * 1000, "ms CPU")
    book.note(ledger, "--help", ours.command_cpu(field, "--help") * 1000, "ms CPU")
    small, _ = ours.dispatched(field, [MAIL], field.people(1000), 1000)
    large, _ = ours.dispatched(field, [MAIL], version, people)
    for broadcast, size in ((small, 1000), (large, people)):
        cpu = ours.command_cpu(field, "broadcast", "show", f"B-{broadcast}")
        book.note(ledger, f"broadcast show at {size:,}", cpu * 1000, "ms CPU")
    for channel, size in ((MAIL, 200), (MAIL, 1000), (TEXT, 1)):
        late, sent = ours.stopped(field, version, channel, size)
        book.note(ledger, f"stop to last request, {channel}, {size:,} a request", late * 1000, "ms")
        book.note(ledger, f"stop: handed over before, {channel}, {size:,} a request", sent, "")


def _files(book, ledger, field, version, people):
    """Import and export, the second once while nothing else runs and once beside a broadcast."""
    taken = files.imported(field, people)
    book.note(ledger, f"import {people:,}", people / taken.seconds, "rows/s")
    book.note(ledger, f"import {people:,}: peak memory", taken.peak, "MiB")
    done, found = ours.dispatched(field, [MAIL], version, people)
    spent, rows = files.exported(field, f"B-{done}")
    busy, again, rate = files.exported_meanwhile(field, f"B-{done}", version, people)
    if rows != people or again != people:
        raise RuntimeError(f"{rows} and {again} rows were exported of {people}")
    book.note(ledger, f"export {people:,}", rows / spent.seconds, "rows/s")
    book.note(ledger, f"export {people:,}: peak memory", spent.peak, "MiB")
    book.note(ledger, f"export {people:,} while dispatching", rows / busy.seconds, "rows/s")
    book.note(ledger, "mail while exporting: of mail alone", rate / found["rate"], "x")


def _workers(book, ledger, folder, url, people, texts):
    """One ledger, one broker and more and more worker processes."""
    for processes in HOSTS:
        options = {"database_url": url, "workers.processes": processes}
        with Field(folder / f"workers-{processes}", **options) as field:
            ours.dispatched(field, [MAIL, TEXT], field.people(400), 400)
            for size in SIZES:
                _, found = ours.dispatched(field, [MAIL], field.people(people), people, size)
                book.note(ledger, f"mail, {size:,} a request, {processes} workers", found["rate"])
            _memory(book, ledger, found, f"{processes} workers")
            _, found = ours.dispatched(field, [TEXT], field.people(texts), texts)
            book.note(ledger, f"text, {processes} workers", found["rate"])


def _sizes(book, ledger, folder, url, people, texts):
    """What two defaults are chosen by, at a vendor that answers at once and at one that takes its time."""
    for name, bounds in (("", (0.0, 0.0)), ("slow vendor: ", _bounds())):
        for window in WINDOWS:
            blocks = {"twilio": {"in_flight": window}}
            place = folder / f"window-{window}-{bounds[1]}"
            with Field(place, database_url=url, latency=bounds, providers=blocks) as field:
                ours.dispatched(field, [MAIL, TEXT], field.people(400), 400)
                _, found = ours.dispatched(field, [TEXT], field.people(texts), texts)
                book.note(ledger, f"{name}text, {window} under way", found["rate"])
                for size in REQUESTS if window == WINDOWS[0] else ():
                    _, found = ours.dispatched(field, [MAIL], field.people(people), people, size)
                    book.note(ledger, f"{name}mail, {size:,} in a request", found["rate"])


def _bounds():
    return tuple(float(v) for v in os.environ.get("BENCH_LATENCY", "0.05,0.2").split(","))


def _latency(book, ledger, folder, url, people, texts):
    """Everything again at a vendor that takes its time; the rate of text is also told as a part of the ideal."""
    bounds = _bounds()
    blocks = {"twilio": {"in_flight": 100}}
    with Field(folder / "slow", database_url=url, latency=bounds, providers=blocks) as field:
        ours.dispatched(field, [MAIL, TEXT], field.people(400), 400)
        few, many = field.people(max(400, texts)), field.people(people)
        _, found = ours.dispatched(field, [TEXT], few, max(400, texts))
        ideal = 2 * 100 / (sum(bounds) / 2)
        book.note(ledger, "slow vendor: text", found["rate"])
        book.note(ledger, "slow vendor: text, of in flight / latency", found["wire_rate"][TEXT] / ideal, "x")
        book.note(ledger, "slow vendor: text, release to first request", found["first_request"][TEXT] * 1000, "ms")
        for size in SIZES:
            _, found = ours.dispatched(field, [MAIL], many, people, size)
            book.note(ledger, f"slow vendor: mail, {size:,} a request", found["rate"])
        _, found = ours.dispatched(field, [MAIL, TEXT], few, max(400, texts))
        book.note(ledger, "slow vendor: mixed, first text", found["first_request"][TEXT] * 1000, "ms")
        book.note(ledger, "slow vendor: mixed, whole", found["seconds"], "s")
        for channel, size in ((MAIL, 200), (TEXT, 1)):
            late, _ = ours.stopped(field, many, channel, size)
            book.note(ledger, f"slow vendor: stop to last request, {channel}", late * 1000, "ms")


def _plot(book, field, ledger, people):
    """Cost against size, one picture for each size of a request."""
    folder = Path(os.environ.get("BENCH_PLOTS", "."))
    folder.mkdir(parents=True, exist_ok=True)
    for each in SIZES:
        points = []
        for size in (n for n in (1000, 3000, 10_000, 30_000, 100_000, 300_000, 1_000_000) if n <= people):
            _, found = ours.dispatched(field, [MAIL], field.people(size), size, each)
            points.append((size, found["seconds"]))
            book.note(ledger, f"cost of {size:,}, {each:,} a request", found["seconds"], "s")
        svg = table.cost(f"Seconds to the last ledger row by recipients, {each:,} a request", points)
        (folder / f"bench-{ledger}-{each}.svg").write_text(svg, encoding="utf-8")


def _ratios(book, ledger):
    for size in (f"{size:,}" for size in SIZES):
        book.ratio(ledger, f"mail, {size} a request", "mail raw, 1,000 a request", f"mail, {size} a request: of raw")
        book.ratio(ledger, f"mail, {size} a request", "mail naive", f"mail, {size} a request: of naive")
    book.ratio(ledger, "text", "text raw", "text: of raw")
    book.ratio(ledger, "text", "text naive", "text: of naive")
    book.ratio(ledger, "events", "events raw", "events: of raw")
    book.ratio(ledger, "events", "event naive", "events: of naive")


if __name__ == "__main__":
    main()
