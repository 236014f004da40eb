"""The one suite that every provider passes: sixteen checks of the contract in `dispatcher/provider.py`.

A provider's test file has `class TestContract(HttpContract)` (or this class with servers of its own) and supplies what
is marked below. Servers are real sockets on this machine; nothing of the adapter is replaced.
"""

import asyncio
import itertools
import logging
import sys
import threading
import time

import pytest
from pydantic import ValidationError

from dispatcher.errors import BadSignature
from dispatcher.model.event import EventType
from dispatcher.model.kinds import Channel
from dispatcher.model.outcome import (
    Accepted,
    Misconfigured,
    NotSent,
    Outcome,
    OutcomeUnknown,
    Rejected,
    Throttled,
)
from dispatcher.provider import AnswersQueries, ReportsEvents, load
from dispatcher.wire import Wire
from tests.contract.http_vendor import closed_port, in_thread
from tests.contract.material import NAMES, NOW, SOON, StillClock

_connects = []
sys.addaudithook(lambda event, args: _connects.append(args[1]) if event == "socket.connect" else None)


class ProviderContract:
    """What to supply: the attributes and the methods down to `arrived`."""

    kind: str
    credentials: dict  # settings that suffice beside base_url, secrets included
    secrets: tuple  # names among them that no log may show
    needed: tuple = ()  # names among them without which the account must not start; by default the secrets
    key_travels = True
    addresses_are_private = True
    suppressing: tuple = ()  # (reply that says so, suppression reason)
    scheme = "http"

    def rendition(self): ...
    def envelopes(self, count): ...
    def accepting(self):
        """A server that takes everything."""

    def answering_each(self, statuses):
        """A server that answers hand-overs with these statuses in turn, the recipient's address among its words."""

    def throttling(self, seconds):
        """A server that asks to come back after `seconds`."""

    def mute(self): ...
    def cutting(self):
        """A server that reads the whole hand-over, then drops the connection."""

    def babbling(self):
        """A server whose answer to a hand-over is no answer of this protocol."""

    def refusing_credentials(self): ...
    def expected(self, status):
        """The type of outcome that this status means."""

    def arrived(self, vendor):
        """A list of `Arrived`, in the order of the recipients."""

    # --- tools

    def answering(self, status):
        return self.answering_each(itertools.repeat(status))

    @property
    def cls(self):
        return load(self.kind)

    def make(self, url, wire, clock=None, **more):
        settings = self.cls.Settings(**{"base_url": url, "timeout": 5, **self.credentials, **more})
        return self.cls(settings, wire, clock or StillClock())

    def against(self, vendor, act, **settings):
        async def run():
            async with vendor as far, Wire() as wire:
                return await act(self.make(far.url, wire, **settings), far)

        return asyncio.run(run())

    def sending(self, vendor, count=1, *, envelopes=None, **settings):
        """The outcomes of one request."""
        people = envelopes or self.envelopes(count)

        async def act(provider, _far):
            return list(await provider.send(self.rendition(), people, expires_at=SOON))

        return self.against(vendor, act, **settings)

    # --- the checks

    def test_01_an_accepted_hand_over_names_the_message(self):
        (outcome,) = self.sending(self.accepting())
        assert isinstance(outcome, Accepted)
        assert outcome.provider_message_id

    def test_01_one_outcome_per_envelope_in_one_request(self):
        most = min(self.cls.recipients_per_request, 25)
        vendor = self.accepting()
        assert [type(outcome) for outcome in self.sending(vendor, most)] == [Accepted] * most
        assert [one.address for one in self.arrived(vendor)] == [e.address for e in self.envelopes(most)]

    def test_02_the_key_travels_or_the_provider_says_that_it_cannot(self):
        vendor = self.accepting()
        self.sending(vendor, min(self.cls.recipients_per_request, 3))
        keys = [one.key for one in self.arrived(vendor)]
        assert keys == ([e.key for e in self.envelopes(len(keys))] if self.key_travels else [None] * len(keys))

    @pytest.mark.parametrize("at", range(len(NAMES)))
    def test_02_everyone_gets_the_approved_words_and_nothing_else(self, at):
        rendition, envelope = self.rendition(), self.envelopes(len(NAMES))[at]
        vendor = self.accepting()
        (outcome,) = self.sending(vendor, envelopes=[envelope])
        assert isinstance(outcome, Accepted)
        (one,) = self.arrived(vendor)
        expected = rendition.parts.get("text") or rendition.posts[0]
        for slot in rendition.slots:
            expected = expected.replace(slot.tag, envelope.values.get(slot.name) or slot.default)
        assert one.texts["text"] == expected
        assert not [slot for slot in rendition.slots for text in one.texts.values() if slot.tag in text]

    def test_03_every_status_means_what_the_table_says(self):
        statuses = range(400, 600)

        async def act(provider, _far):
            return [(await provider.send(self.rendition(), self.envelopes(1), expires_at=SOON))[0] for _ in statuses]

        outcomes = self.against(self.answering_each(iter(statuses)), act)
        met = {status: type(outcome) for status, outcome in zip(statuses, outcomes, strict=True)}
        assert met == {status: self.expected(status) for status in statuses}

    def test_04_being_throttled_keeps_the_time_that_was_named(self):
        (outcome,) = self.sending(self.throttling(17))
        assert outcome == Throttled(17.0)

    def test_05_a_refused_connection_was_certainly_not_sent(self):
        async def run():
            async with Wire() as wire:
                provider = self.make(f"{self.scheme}://{closed_port()}", wire)
                return await provider.send(self.rendition(), self.envelopes(1), expires_at=SOON)

        assert [type(outcome) for outcome in asyncio.run(run())] == [NotSent]

    def test_06_a_mute_server_leaves_the_outcome_open_within_the_timeout(self):
        began = time.monotonic()
        outcomes = self.sending(self.mute(), timeout=0.3)
        assert [type(outcome) for outcome in outcomes] == [OutcomeUnknown]
        assert time.monotonic() - began < 10  # a deadline of 0.3 s; without one it would be for ever

    def test_06_a_connection_cut_after_the_hand_over_leaves_the_outcome_open(self):
        assert [type(outcome) for outcome in self.sending(self.cutting())] == [OutcomeUnknown]

    def test_07_nonsense_is_survived_and_never_resent(self):
        (outcome,) = self.sending(self.babbling())
        assert isinstance(outcome, OutcomeUnknown | Accepted)

    def test_08_what_says_never_again_suppresses(self):
        for vendor, suppresses in ((make(), reason) for make, reason in self.suppressing):
            (outcome,) = self.sending(vendor)
            assert isinstance(outcome, Rejected)
            assert (outcome.suppresses, outcome.isolate) == (suppresses, False)

    def test_09_refused_credentials_stop_the_account_and_cost_no_recipient(self):
        (outcome,) = self.sending(self.refusing_credentials())
        assert isinstance(outcome, Misconfigured)
        assert outcome.reason

    def test_10_no_secret_and_no_address_is_shown_anywhere(self, caplog):
        caplog.set_level(logging.DEBUG)
        shown = []

        async def act(provider, _far):
            outcomes = await provider.send(self.rendition(), self.envelopes(1), expires_at=SOON)
            shown.extend(
                (repr(outcomes), str(outcomes), repr(provider), repr(provider._settings), str(provider._settings))
            )

        for vendor in (self.accepting(), self.answering(400), self.answering(550), self.babbling(), self.cutting()):
            self.against(vendor, act)
        shown += [record.getMessage() + str(record.args) + str(record.exc_info) for record in caplog.records]
        words = [self.credentials[name] for name in self.secrets]
        words += [envelope.address.lstrip("+") for envelope in self.envelopes(1) if self.addresses_are_private]
        assert [word for word in words if any(word in text for text in shown)] == []

    def test_14_settings_without_what_is_needed_do_not_start(self):
        for name in self.needed or self.secrets:
            for value in ({}, {name: ""}, {name: "  "}, {name: "two\nlines"}, {name: "k\u00e9y"}):
                given = {k: v for k, v in self.credentials.items() if k != name} | value
                with pytest.raises(ValidationError) as caught:
                    self.cls.Settings(base_url=f"{self.scheme}://127.0.0.1:1", **given)
                assert not any(self.credentials[secret] in str(caught.value) for secret in self.secrets)

    def test_14_a_base_url_with_credentials_in_it_does_not_start(self):
        for wrong in ("", "example.com", f"{self.scheme}://me:pw@127.0.0.1", "ftp://127.0.0.1", "https://"):
            with pytest.raises(ValidationError):
                self.cls.Settings(**{**self.credentials, "base_url": wrong})

    def test_15_one_provider_serves_many_threads(self):
        wire, outcomes, server = Wire(), [], self.accepting()

        async def send(provider):
            for _ in range(3):
                outcomes.extend(await provider.send(self.rendition(), self.envelopes(1), expires_at=SOON))
            await wire.close()

        with in_thread(server) as vendor:
            provider = self.make(vendor.url, wire)
            threads = [threading.Thread(target=lambda: asyncio.run(send(provider))) for _ in range(6)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join(20)
        assert [type(outcome) for outcome in outcomes] == [Accepted] * 18

    def test_16_nothing_but_the_base_url_is_talked_to(self):
        _connects.clear()
        vendor = self.accepting()
        self.sending(vendor)
        own = int(vendor.url.rpartition(":")[2])
        assert {address[1] for address in _connects if isinstance(address, tuple)} == {own}

    def test_the_class_keeps_the_protocol(self):
        assert (self.cls.name, type(self.cls.channel)) == (self.kind, Channel)
        assert 1 <= self.cls.recipients_per_request <= 1000
        assert all(issubclass(self.expected(status), Outcome) for status in (400, 500))
        provider = self.make(f"{self.scheme}://127.0.0.1:9", Wire())
        assert isinstance(provider, ReportsEvents) == isinstance(self, EventContract)
        assert isinstance(provider, AnswersQueries) == isinstance(self, LookupContract)


class EventContract:
    """Added to the contract of a provider that reports events."""

    def signed(self, body=None, *, at=NOW, received_at=NOW, **more):
        """A webhook request as the vendor would sign it; the usual fixture when no body is given."""

    def fixtures(self):
        """Recorded payloads: (signed request, list of (type, key, suppresses)) by name."""

    def unknown_word(self):
        """A signed request whose event word nobody knows."""

    def reporting(self):
        return self.make(f"{self.scheme}://127.0.0.1:9", Wire())

    def test_11_what_the_vendor_signed_is_believed(self):
        for request, _ in self.fixtures().values():
            self.reporting().verify(request)

    def test_11_forged_and_unsigned_requests_are_refused(self):
        honest = self.signed()
        signatures = [name for name in honest.headers if "signature" in name]
        forgeries = [{"body": body} for body in (honest.body + b" ", b"", honest.body.replace(b"delivered", b"sent"))]
        for name in signatures:
            others = {k: v for k, v in honest.headers.items() if k != name}
            wrong = ("", "AAAA", "%%%", "é", honest.headers[name][:-4] + "AAA=")
            forgeries += [{"headers": others}, *({"headers": {**others, name: value}} for value in wrong)]
        for change in forgeries:
            with pytest.raises(BadSignature):
                self.reporting().verify(self.changed(honest, **change))

    @staticmethod
    def changed(request, **change):
        kept = {name: getattr(request, name) for name in ("method", "url", "headers", "body", "received_at")}
        return type(request)(**{**kept, **change})

    def test_12_each_fixture_parses_and_says_the_same_twice(self):
        for name, (request, expected) in self.fixtures().items():
            first, again = (self.reporting().parse(request) for _ in range(2))
            assert [(e.type, e.key, e.suppresses) for e in first] == expected, name
            assert first == again
            assert not any("@" in repr(e) for e in first), name

    def test_13_an_unknown_word_is_kept_as_unknown(self):
        (event,) = self.reporting().parse(self.unknown_word())
        assert event.type is EventType.UNKNOWN
        assert event.vendor_word


class LookupContract:
    """Added to the contract of a provider that can be asked afterwards."""

    def knowing(self, envelope):
        """A server that has the message."""

    def knowing_nothing(self): ...

    def looking(self, vendor, **settings):
        envelope = self.envelopes(1)[0]

        async def act(provider, _far):
            return await provider.lookup(self.rendition(), envelope, since=NOW)

        return self.against(vendor, act, **settings)

    def test_a_message_that_the_vendor_has_is_found(self):
        found = self.looking(self.knowing(self.envelopes(1)[0]))
        assert isinstance(found, Accepted)
        assert found.provider_message_id

    def test_no_trace_is_none(self):
        assert self.looking(self.knowing_nothing()) is None

    def test_a_question_without_an_answer_proves_nothing(self):
        vendors = [self.answering(status) for status in (401, 403, 404, 429, 500, 503)]
        for vendor in (*vendors, self.babbling(), self.cutting(), self.mute()):
            assert isinstance(self.looking(vendor, timeout=0.3), OutcomeUnknown)
