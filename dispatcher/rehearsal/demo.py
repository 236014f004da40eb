"""The demo: the whole main job on one machine with invented people, pretend vendors and real processes.

It asks nothing and ends by itself. It succeeds only if the ledger's sums hold, recounted from their rows, and agree
with the record that the vendors kept for themselves.
"""

import fcntl
import shutil
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any

from dispatcher.cli.progress import View, sum_line
from dispatcher.cli.screen import badge, number
from dispatcher.cli.session import Session
from dispatcher.errors import ConfigurationError, DispatcherError, UsageError
from dispatcher.model.clock import SystemClock
from dispatcher.rehearsal import judge, script
from dispatcher.rehearsal.narrator import Narrator
from dispatcher.rehearsal.stage import Stage
from dispatcher.reporting.story import Proof
from dispatcher.services import checking, exporting, previewing, recounting
from dispatcher.services.report import write_report

FOLDER = Path("dispatcher-demo")
"""Where the report and the run's own files are left, below the current folder."""

_MARK = ".dispatcher-demo"


@dataclass(frozen=True, slots=True)
class Played:
    """What came of it."""

    view: View
    proofs: tuple[Proof, ...]
    wrong_counters: int
    report: Path
    seconds: float

    @property
    def reconciles(self) -> bool:
        """Every sum holds, and both records say the same."""
        return bool(self.view["reconciles"]) and not self.wrong_counters and all(proof.holds for proof in self.proofs)

    def as_dict(self) -> dict[str, Any]:
        """`demo --json`."""
        return {
            **self.view,
            "reconciles": self.reconciles,
            "proofs": [{"claim": p.claim, "ledger": p.ledger, "other": p.other, "holds": p.holds} for p in self.proofs],
            "report": str(self.report),
            "seconds": round(self.seconds, 1),
        }


def play(session: Session, recipients: int, seed: int, folder: Path) -> Played:
    """Everything from the empty machine to the report."""
    narrator = Narrator(session, SystemClock().now)
    narrator.head(
        f"{badge('drill')} · {number(recipients)} invented people · 3 pretend vendors, one of which will fail"
    )
    with _signals() as asked, _own_folder(folder) as run, Stage(run, seed) as stage:
        narrator.step("Start", "broker, vendors, web, worker and beat are on their way; all on 127.0.0.1")
        return _play(stage, narrator, recipients, seed, folder, asked)


def _play(stage: Stage, narrator: Narrator, recipients: int, seed: int, folder: Path, asked: threading.Event) -> Played:
    ctx = stage.ctx
    cast = script.hire(ctx)
    listed = script.gather(ctx, cast, stage.folder, recipients, seed)
    addresses = ", ".join(f"{channel} {number(count)}" for channel, count in listed.with_address.items())
    narrator.step(
        "Import", f"{number(listed.size)} people: {addresses}; {number(listed.suppressed)} addresses opted out"
    )
    incident = script.happen(ctx, cast)
    narrator.step("Incident", f"{incident.ref} “{incident.title}”, {incident.severity}; next word promised in 20 min")
    broadcast = script.write(ctx, cast, incident)
    narrator.step("Draft", f"{broadcast.ref} from {broadcast.template_id}, by {cast.author.name}")
    _tell_check(narrator, checking.check(ctx, broadcast.ref))
    _tell_previews(narrator, previewing.preview(ctx, broadcast.ref))
    agreed = script.agree(ctx, cast, broadcast.ref)
    narrator.step("Approve", f"{cast.approver.name} said yes to digest {(agreed.digest or '')[:12]}")
    stage.await_web()
    script.release(ctx, cast, agreed)
    narrator.step("Send", f"by {cast.operator.name}, size {number(agreed.audience_size)} typed; Ctrl-C ends the demo")
    view = _watch(stage, narrator, broadcast.ref, recipients, asked)
    return _reckon(stage, narrator, cast, view, listed, folder)


def _tell_check(narrator: Narrator, found: checking.CheckResult) -> None:
    sms = found.channels["sms"]
    levels = [finding.level for finding in found.findings]
    told = ", ".join(f"{levels.count(level)} × {level}" for level in ("error", "warning", "info") if level in levels)
    texts = f"{number(sms.segments)} SMS segments, longest {sms.most_segments}"
    narrator.step("Check", f"{told or 'nothing to mend'}; audience_size {number(found.audience_size)}; {texts}")


def _tell_previews(narrator: Narrator, found: list[previewing.Preview]) -> None:
    text = next(one for one in found if one.channel == "sms")
    narrator.step("Preview", f"{len(found)} of them; SMS {text.locale}, {text.why}: {text.parts['text'][:44]}…")


def _watch(stage: Stage, narrator: Narrator, ref: str, recipients: int, asked: threading.Event) -> View:
    trouble = script.Trouble(stage, lambda words: narrator.step("Trouble", words))
    views = script.follow(stage, ref, trouble, within=120 + recipients / 20)
    view = narrator.watch(_unless(asked, views))
    if view is None:
        raise DispatcherError("The rehearsal showed nothing.", mend="Run it again with --trace.")
    return view


def _unless(asked: threading.Event, views: Iterator[View]) -> Iterator[View]:
    """The views until somebody asks for the end. An interrupt that strikes in a destructor is lost; its mark is not."""
    for view in views:
        if asked.is_set():
            raise KeyboardInterrupt
        yield view


def _reckon(
    stage: Stage, narrator: Narrator, cast: script.Cast, view: View, listed: script.Listed, folder: Path
) -> Played:
    ctx = stage.ctx
    record = judge.read(stage.vendors.record)
    proofs = tuple(judge.judge(exporting.rows(ctx, cast.operator, view["ref"]), record, listed.with_address))
    wrong = len(recounting.recount(ctx).differences)
    report = write_report(ctx, view["ref"], folder, proofs=proofs)
    played = Played(view, proofs, wrong, report, narrator.seconds)
    for proof in proofs:
        if not proof.holds:
            narrator.step("Differs", f"{proof.claim}: ledger {number(proof.ledger)}, vendors {number(proof.other)}")
    agree = sum(proof.holds for proof in proofs)
    narrator.step("Sums", sum_line(view["total"]))
    narrator.step(
        "Proof", f"{agree} of {len(proofs)} claims agree with the vendors' own record; {wrong} counters wrong"
    )
    narrator.step("Report", str(report))
    narrator.step("Next", "dispatcher init")
    return played


@contextmanager
def _own_folder(folder: Path) -> Iterator[Path]:
    """A folder for the ledger and logs of this run, emptied of the last one. One demo at a time uses it."""
    run = folder / "run"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = (folder / _MARK).open("w")
    except OSError as error:
        raise ConfigurationError(
            f"{folder} cannot be written to.", why=error.strerror or "", mend="Run it in a folder of yours."
        ) from None
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise UsageError(f"Another demo is running in {folder}.", mend="Wait for it, or use --work-dir.") from None
        shutil.rmtree(run, ignore_errors=True)
        run.mkdir(mode=0o700)
        yield run


@contextmanager
def _signals() -> Iterator[threading.Event]:
    """A polite kill ends it as Ctrl-C does: by way of every `finally`. The event is set once somebody asked."""
    asked = threading.Event()

    def stop(_number: int, _frame: FrameType | None) -> None:
        asked.set()
        raise KeyboardInterrupt

    former = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    try:
        yield asked
    finally:
        for number, old in former.items():
            signal.signal(number, old)
