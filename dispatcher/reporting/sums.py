"""Arithmetic of accounting: totals, the sum that must hold, shares and percentiles. Pure functions."""

from collections.abc import Iterable, Mapping, Sequence

from dispatcher.model.states import TERMS
from dispatcher.reporting.story import Moment, Spread, Sums

REACHED = ("accepted", "delivered")
UNFINISHED = ("held", "pending", "sending")
PERCENTS = (50, 90, 95, 99)


def total(channels: Iterable[Sums]) -> Sums:
    """Every channel added up, reasons too."""
    terms: dict[str, int] = dict.fromkeys(("planned", *TERMS), 0)
    reasons: dict[str, dict[str, int]] = {}
    for sums in channels:
        for term in terms:
            terms[term] += sums[term]
        for term, causes in sums.reasons.items():
            for cause, count in causes.items():
                reasons.setdefault(term, {})[cause] = reasons.get(term, {}).get(cause, 0) + count
    return Sums("total", terms, reasons)


def gap(sums: Sums) -> int:
    """Planned minus the sum of its terms: anything but 0 is an error of ours."""
    return sums["planned"] - sum(sums[term] for term in TERMS)


def reconciles(channels: Sequence[Sums]) -> bool:
    """The sum holds in every channel and in all of them together."""
    return all(gap(sums) == 0 for sums in (*channels, total(channels)))


def reached(sums: Sums) -> int:
    """Deliveries a vendor took or delivered."""
    return sum(sums[term] for term in REACHED)


def unfinished(sums: Sums) -> int:
    """Deliveries for which something is still to be done by us."""
    return sum(sums[term] for term in UNFINISHED)


def share(part: int, whole: int) -> str:
    """A percentage with one decimal that never rounds up to 100 or down to 0."""
    if whole == 0:
        return "–"
    tenths = part * 1000 // whole if part < whole else 1000
    return f"{max(tenths, 1 if part else 0) / 10:.1f} %"


def percentile(waits: Mapping[int, int], percent: float) -> float:
    """Nearest-rank percentile in seconds of a histogram of milliseconds."""
    rank = max(1, -(-sum(waits.values()) * percent // 100))
    seen = 0
    for wait in sorted(waits):
        seen += waits[wait]
        if seen >= rank:
            return wait / 1000
    return 0.0


def percentiles(spread: Spread) -> dict[str, float]:
    """p50 to p99 and the slowest, in seconds."""
    named = {f"p{percent}": percentile(spread.waits, percent) for percent in PERCENTS}
    return {**named, "max": max(spread.waits, default=0) / 1000}


def causes(channels: Iterable[Sums], terms: Sequence[str] = ("failed", "unknown", "expired")) -> dict[str, int]:
    """Why people were not reached: cause to count, the commonest first; a term without a reason stands for itself."""
    found: dict[str, int] = {}
    for sums in channels:
        for term in terms:
            named = sums.reasons.get(term, {})
            for cause, count in named.items():
                label = cause or term
                found[label] = found.get(label, 0) + count
            rest = sums[term] - sum(named.values())
            if rest > 0:
                found[term] = found.get(term, 0) + rest
    return dict(sorted(found.items(), key=lambda item: (-item[1], item[0])))


def thin(curve: Sequence[Moment], most: int = 60) -> list[Moment]:
    """At most `most` points of a curve, the first and the last among them: a plot has only so many pixels."""
    if len(curve) <= most:
        return list(curve)
    step = (len(curve) - 1) / (most - 1)
    return [curve[round(i * step)] for i in range(most)]


def cumulate(accepted: Mapping[int, int], delivered: Mapping[int, int]) -> list[Moment]:
    """Two histograms by milliseconds since the release, as one rising curve that starts at nothing."""
    curve, sums = [Moment(0.0, 0, 0)], [0, 0]
    for at in sorted({*accepted, *delivered}):
        sums = [sums[0] + accepted.get(at, 0), sums[1] + delivered.get(at, 0)]
        curve.append(Moment(max(0.0, at / 1000), *sums))
    return curve


def when_reached(
    curve: Sequence[Moment], shares: Sequence[int] = (10, 50, 90, 99, 100)
) -> list[tuple[int, int, float]]:
    """(percent, deliveries, seconds): when each share of all accepted deliveries had been accepted."""
    whole = curve[-1].accepted if curve else 0
    found = []
    for percent in shares if whole else ():
        wanted = -(-whole * percent // 100)
        found.append((percent, wanted, next(m.seconds for m in curve if m.accepted >= wanted)))
    return found
