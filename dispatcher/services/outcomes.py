"""Writes what calls came to, in one transaction: deliveries, attempts, counters, suppressions, the account's health."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

from dispatcher.ledger import accounts, attempts, suppressions
from dispatcher.ledger.attempts import Closing, Finding, Request
from dispatcher.ledger.claims import Claim
from dispatcher.ledger.engine import Line, Tx
from dispatcher.model.clock import to_ms
from dispatcher.model.outcome import Accepted, Misconfigured, NotSent, Outcome, OutcomeUnknown, Rejected, Throttled
from dispatcher.model.states import DeliveryState
from dispatcher.services.context import Account, Context


@dataclass(frozen=True, slots=True)
class Finished:
    """A call that has come back: one outcome per delivery in `seqs`. `at` is monotonic; `stale`: never begun."""

    request: Request
    seqs: Sequence[int]
    outcomes: Sequence[Outcome]
    at: float
    next_part: bool = False
    stale: bool = False

    def kinds(self) -> Collection[Outcome]:
        """The outcomes, each once: a whole request mostly has one."""
        return {id(outcome): outcome for outcome in self.outcomes}.values()


def write(ctx: Context, claim: Claim, account: Account, finished: Sequence[Finished]) -> None:
    """Everything that these calls prove, at once, in a transaction of its own."""
    now = to_ms(ctx.clock.now())
    with ctx.ledger.write() as tx:
        record(ctx, tx, claim, account, finished, now)


def record(ctx: Context, tx: Tx, claim: Claim, account: Account, finished: Sequence[Finished], now: int) -> None:
    """The same within a transaction; `now` in ms."""
    if finished:
        findings, closings = told(account, finished)
        along = judging(ctx, account, finished, now)
        attempts.record(tx, claim.broadcast_id, claim.no, findings, closings, now, along)
        suppress(tx, claim, finished, now)


def told(account: Account, finished: Sequence[Finished]) -> tuple[list[Finding], list[Closing]]:
    """What the calls came to, as the ledger writes it down."""
    findings = [finding for one in finished for finding in _findings(one)]
    return findings, [_closing(account.name, one) for one in finished]


def state_after(outcome: Outcome, *, more_parts: bool = False) -> DeliveryState:
    """The delivery state that one outcome leads to."""
    match outcome:
        case Accepted():
            return DeliveryState.WAITING if more_parts else DeliveryState.ACCEPTED
        case Rejected(isolate=True):
            return DeliveryState.WAITING
        case Rejected():
            return DeliveryState.FAILED
        case OutcomeUnknown():
            return DeliveryState.UNKNOWN
        case _:
            return DeliveryState.WAITING


def _reason(outcome: Outcome) -> str | None:
    if isinstance(outcome, (Accepted, Throttled)):
        return None
    text = str(getattr(outcome, "reason", "")) or outcome.word
    return text[:200]


def _findings(one: Finished) -> Iterator[Finding]:
    """Runs of neighbours with the same result. A run is bounded by its own rows, so it touches no other's."""
    for (state, reason), runs in groupby(_runs(one), key=lambda run: run[:2]):
        seqs = [seq for _, _, alike in runs for seq in alike]
        whole = len(seqs) == len(one.seqs)
        yield Finding(one.request.attempt_id, seqs[0], seqs[-1], state, len(seqs), reason, whole)


def _runs(one: Finished) -> Iterator[tuple[DeliveryState, str | None, list[int]]]:
    """Neighbours that share one answer are judged once."""
    if len(one.kinds()) == 1:
        yield state_after(one.outcomes[0], more_parts=one.next_part), _reason(one.outcomes[0]), list(one.seqs)
        return
    for _, run in groupby(zip(one.seqs, one.outcomes, strict=True), key=lambda pair: id(pair[1])):
        pairs = list(run)
        outcome = pairs[0][1]
        yield state_after(outcome, more_parts=one.next_part), _reason(outcome), [seq for seq, _ in pairs]


def _closing(account: str, one: Finished) -> Closing:
    accepted = next((o for o in one.kinds() if isinstance(o, Accepted)), None)
    if accepted is None:
        worst = one.outcomes[0]
        return Closing(one.request, account, worst.word, 0, None, _reason(worst))
    many = sum(isinstance(o, Accepted) for o in one.outcomes)
    return Closing(one.request, account, accepted.word, many, accepted.provider_message_id, None)


def suppress(tx: Tx, claim: Claim, finished: Sequence[Finished], now: int) -> None:
    """Addresses that the vendor says are to be left alone."""
    proved = [
        (claim.broadcast_id, seq, outcome.suppresses, now)
        for one in finished
        if any(isinstance(kind, Rejected) and kind.suppresses for kind in one.kinds())
        for seq, outcome in zip(one.seqs, one.outcomes, strict=True)
        if isinstance(outcome, Rejected) and outcome.suppresses
    ]
    if proved:
        suppressions.suppress_addresses(tx, proved, "provider answer", now)


def judging(ctx: Context, account: Account, finished: Sequence[Finished], now: int) -> attempts.Along:
    """The account's health by its last answers: any verdict about a recipient shows that the vendor works."""
    breaker = ctx.settings.dispatch.breaker
    samples = [one.outcomes[0] for one in finished if not one.stale]
    wrong = next((one for one in samples if isinstance(one, Misconfigured)), None)
    bad = [one for one in samples if isinstance(one, (NotSent, OutcomeUnknown))]

    def write_down(line: Line) -> None:
        if wrong:
            accounts.pause(line, account.name, wrong.reason or "the vendor refuses our credentials", now)
        elif len(bad) < len(samples):
            accounts.succeeded(line, account.name, now)
        else:
            open_ms = int(breaker.open_seconds * 1000)
            for one in bad[: breaker.failures]:
                accounts.failed(line, account.name, str(getattr(one, "reason", "")), breaker.failures, open_ms, now)

    return write_down
