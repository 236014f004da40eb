"""The acts of a rehearsal, each by the service a person would use: from "something happened" to who got it."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from dispatcher.cli.progress import View
from dispatcher.errors import WaitTimedOut
from dispatcher.model.broadcast import Broadcast
from dispatcher.model.incident import Incident
from dispatcher.model.kinds import Channel, Mode, Severity
from dispatcher.model.person import Level, Person, Role
from dispatcher.rehearsal import population
from dispatcher.rehearsal.stage import Stage
from dispatcher.sandbox.config import Fault, Faults
from dispatcher.services import (
    accounting,
    approval,
    audiences,
    checking,
    drafting,
    facts,
    health,
    incidents,
    people,
    sending,
    suppressions,
)
from dispatcher.services.context import Context

TEMPLATE = "outage-update"
CHANNELS = (Channel.EMAIL, Channel.SMS, Channel.SOCIAL)
AUDIENCE = "customers"
LOST_ANSWERS = 3
TROUBLE = Faults(throttle=0.97, retry_after=1, latency=(0.005, 0.03))
TROUBLE_SECONDS = 3.0
LOOK_SECONDS = 0.2


@dataclass(frozen=True, slots=True)
class Cast:
    """Who plays: one drafts, another approves, a third sends."""

    author: Person
    approver: Person
    operator: Person


def hire(ctx: Context) -> Cast:
    """Four invented colleagues; nobody holds two roles."""
    people.add(ctx, None, "Ada", roles=[Role.ADMIN])
    return Cast(
        author=people.add(ctx, None, "Ana", roles=[Role.AUTHOR], email="ana@example.com"),
        approver=people.add(ctx, None, "Ben", roles=[Role.APPROVER], level=Level.DIRECTOR),
        operator=people.add(ctx, None, "Olu", roles=[Role.OPERATOR]),
    )


@dataclass(frozen=True, slots=True)
class Listed:
    """The audience as it was imported. `with_address` by channel is what the ledger must plan."""

    size: int
    suppressed: int
    with_address: dict[str, int]


def gather(ctx: Context, cast: Cast, folder: Path, count: int, seed: int) -> Listed:
    """Invent the people, import them, and then those who opted out."""
    population.write_list(folder / "people.csv", count, seed)
    opted_out = population.write_opt_outs(folder / "opted-out.csv", count, seed)
    with audiences.prepared(ctx, folder / "people.csv") as found:
        report = found.report
        made = audiences.store(ctx, cast.author, found, AUDIENCE, rows=count)
    if opted_out:
        suppressions.import_file(ctx, cast.author, folder / "opted-out.csv")
    return Listed(made.version.size, opted_out, {"email": report.with_email, "sms": report.with_phone})


def happen(ctx: Context, cast: Cast) -> Incident:
    """Something goes wrong; the author writes down what is known, and promises the next word."""
    opening = incidents.Opening(
        "Online orders stopped",
        severity=Severity.CRITICAL,
        mode=Mode.DRILL,
        next_update_at=ctx.clock.now() + timedelta(minutes=20),
    )
    incident = incidents.open_incident(ctx, cast.author, opening)
    known = facts.read_file(Path(ctx.catalogue.get(TEMPLATE).origin) / "example.toml")
    since = (ctx.clock.now() - timedelta(minutes=25)).replace(second=0, microsecond=0)
    if ("since", None) in known:
        known = {**known, ("since", None): since.isoformat()}
    facts.set_facts(ctx, cast.author, incident.ref, known)
    return incident


def write(ctx: Context, cast: Cast, incident: Incident) -> Broadcast:
    """The draft."""
    wanted = drafting.Draft(TEMPLATE, audience=AUDIENCE, channels=CHANNELS, incident=incident.ref, mode=Mode.DRILL)
    return drafting.draft(ctx, cast.author, wanted)


def agree(ctx: Context, cast: Cast, ref: str) -> Broadcast:
    """One person submits, another approves exactly that."""
    submitted = approval.submit(ctx, cast.author, ref)
    return approval.approve(ctx, cast.approver, ref, seen=submitted.digest or "")


def release(ctx: Context, cast: Cast, broadcast: Broadcast) -> Broadcast:
    """Send, with the size typed as a person would."""
    size = checking.check(ctx, broadcast.ref).audience_size
    return sending.send(ctx, cast.operator, broadcast.ref, confirm_audience=size, undo=0)


class Trouble:
    """Spoils the SMS vendor for a few seconds once a part of the texts is out: it throttles, and loses answers."""

    def __init__(
        self, stage: Stage, told: Callable[[str], None], *, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._control = stage.vendors.control
        self._told = told
        self._monotonic = monotonic
        self._until: float | None = None
        self._over = False

    def look(self, view: View) -> None:
        """Begin and end it, by how far the broadcast has come."""
        sms = view["channels"]["sms"]
        out = sms["accepted"] + sms["delivered"] + sms["failed"]
        if self._until is None and out * 5 >= sms["planned"]:
            self._begin()
        elif self._until is not None and not self._over and self._monotonic() >= self._until:
            self._end()

    def _begin(self) -> None:
        self._control.next("twilio", Fault.RESET_ACCEPTED, LOST_ANSWERS)
        self._control.faults("twilio", TROUBLE)
        self._until = self._monotonic() + TROUBLE_SECONDS
        self._told(
            f"The SMS vendor loses {LOST_ANSWERS} answers and turns requests away (429) for {TROUBLE_SECONDS:.0f} s"
        )

    def _end(self) -> None:
        self._control.faults("twilio")
        self._over = True
        self._told("The SMS vendor is well again")


def follow(stage: Stage, ref: str, trouble: Trouble, *, within: float) -> Iterator[View]:
    """Views until everything is settled and every event of the vendors is in; gives up after `within` seconds."""
    ctx = stage.ctx
    until = ctx.clock.monotonic() + within
    while True:
        view = accounting.show(ctx, ref, reasons=False)
        plain = view.as_dict()
        yield plain
        trouble.look(plain)
        if view.finished and not view.total["unknown"] and _quiet(stage):
            yield accounting.show(ctx, ref).as_dict()
            return
        if ctx.clock.monotonic() > until:
            raise WaitTimedOut(
                "The rehearsal did not come to its end in time.",
                why=f"Still open: {view.total}.",
                mend="Run it again with fewer people, or look at processes.log in its folder.",
            )
        time.sleep(LOOK_SECONDS)


def _quiet(stage: Stage) -> bool:
    """No vendor has anything left to tell, and all they told has been applied."""
    if stage.vendors.control.state()["events"]["open"]:
        return False
    waiting: int = health.snapshot(stage.ctx)["events"]["waiting"]
    return waiting == 0
