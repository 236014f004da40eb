"""Vendors inside the deterministic simulation: what they take on is taken on, whether or not the caller lives."""

import asyncio
import json
from collections import Counter

from dispatcher.model.event import Event, EventType
from dispatcher.model.outcome import Accepted, NotSent, OutcomeUnknown, Rejected, Throttled
from dispatcher.provider import ProviderSettings

TIMEOUT = 3.0
LONGEST_WAY = 6.0
LONGEST_LAG = 3.0
LONGEST_EVENT = 10.0
SETTLE = 10
"""Longer than the longest way of a request and the lag of the vendor's list together."""

FATES = {"good": 70, "lost after": 8, "lost before": 6, "never": 6, "throttled": 6, "slow": 4}


class Vendor:
    """Takes requests with delays, loses answers, tells events late, twice and in disorder."""

    name = "simulated"
    Settings = ProviderSettings
    recipients_per_request = 1000

    def __init__(self, machine, channel, post):
        self.machine, self.channel, self._post = machine, channel, post
        self.told = Counter()
        self.copies = {}
        self.seen_at = {}
        self.began = []
        self.answered = {}
        self.final = {}
        self._events = 0

    async def send(self, rendition, envelopes, *, expires_at):
        dice, now = self.machine.dice, self.machine.now
        self.began += [(now, e.key) for e in envelopes]
        for envelope in envelopes:
            self.copies.setdefault(envelope.key, []).append(envelope.copy)
        fate = dice.choices(list(FATES), list(FATES.values()))[0]
        way = dice.uniform(TIMEOUT, LONGEST_WAY) if fate == "slow" else dice.uniform(0.01, 0.4)
        if fate in ("good", "lost after", "slow"):
            self.machine.at(now + way, lambda: self._take(envelopes))
        await asyncio.sleep(min(TIMEOUT, way + dice.uniform(0.01, 0.3)))
        return self._answers(fate, envelopes)

    def _take(self, envelopes):
        for envelope in envelopes:
            if not _refused(envelope):
                self.told[envelope.key] += 1
                listed = self.machine.now + self.machine.dice.uniform(0, LONGEST_LAG)
                self.seen_at.setdefault((envelope.key, envelope.copy), listed)
                self._plan_events(envelope.key, envelope.copy)

    def _answers(self, fate, envelopes):
        match fate:
            case "good":
                self.answered |= {e.key: self.machine.now for e in envelopes if not _refused(e)}
                return [Rejected("no such person") if _refused(e) else Accepted(f"m{e.key}") for e in envelopes]
            case "throttled":
                return [Throttled(self.machine.dice.uniform(0.2, 2))] * len(envelopes)
            case "never":
                return [NotSent("refused")] * len(envelopes)
        return [OutcomeUnknown("no answer")] * len(envelopes)

    def _plan_events(self, key, copy):
        dice = self.machine.dice
        if dice.random() < 0.5:
            return
        words = ["processed", "delivered"] + (["bounced"] if dice.random() < 0.1 else [])
        self.final.setdefault(key, {})[copy] = words[-1]
        for word in words + ([dice.choice(words)] if dice.random() < 0.3 else []):
            self._events += 1
            event = {"key": key, "copy": copy, "word": word}
            self.machine.at(
                self.machine.now + dice.uniform(0.1, LONGEST_EVENT), lambda event=event: self._post(self, [event])
            )

    def verify(self, request):
        pass

    def parse(self, request):
        return [Event(EventType(e["word"]), e["key"], copy=e["copy"]) for e in json.loads(request.body)]


class Lister(Vendor):
    """A vendor that can be asked, with a list that lags; it tells copies apart (others do by the time they began)."""

    async def lookup(self, rendition, envelope, *, since):
        await asyncio.sleep(0.05)
        found = self.seen_at.get((envelope.key, envelope.copy))
        return Accepted(f"m{envelope.key}") if found is not None and found <= self.machine.now else None


def _refused(envelope):
    return envelope.address.endswith("7")
