"""SMTP: the contract, the message as a parser reads it, and what a relay's words mean at each stage."""

import asyncio
import base64
import contextlib
import dataclasses
import email
import email.policy
import socket
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dispatcher.errors import Refused
from dispatcher.model.kinds import Channel
from dispatcher.model.outcome import Accepted, Misconfigured, NotSent, OutcomeUnknown, Rejected, Throttled
from dispatcher.model.rendition import Envelope, Rendition, Slot, SlotForm
from dispatcher.providers import smtp
from dispatcher.wire import Wire, begin_before
from tests.contract.http_vendor import Fault
from tests.contract.material import (
    SOON,
    UNSAFE_NAMES,
    Arrived,
    StillClock,
    email_rendition,
    mail_envelopes,
    pictured,
)
from tests.contract.provider_contract import ProviderContract
from tests.contract.smtp_vendor import SmtpVendor

LOGIN = {"EHLO": "250-relay.example.com\r\n250 AUTH PLAIN LOGIN"}


def parsed(raw):
    return email.message_from_bytes(raw, policy=email.policy.default)


def body_of(message, kind):
    return message.get_body((kind,)).get_content().replace("\r\n", "\n").removesuffix("\n")


class TestContract(ProviderContract):
    kind = "smtp"
    scheme = "smtp"
    credentials = {  # noqa: RUF012
        "sender": "care@example.com",
        "sender_name": "Käre, Example Shop",
        "username": "relay-user",
        "password": "kept-secret-0e12",
    }
    secrets = ("password",)
    needed = ("sender", "password")
    suppressing = tuple(
        (lambda code=code: SmtpVendor(LOGIN | {"RCPT": f"550 {code} <person0@example.org> unknown"}), "hard_bounce")
        for code in ("5.1.1", "5.1.2", "5.1.3", "5.1.6", "5.1.10")
    )

    def rendition(self):
        return email_rendition()

    def envelopes(self, count):
        return mail_envelopes(count)

    def accepting(self):
        return SmtpVendor(LOGIN)

    def answering_each(self, statuses):
        return SmtpVendor(LOGIN | {"RCPT": lambda _line: f"{next(statuses)} <person0@example.org> and so on"})

    def throttling(self, seconds):
        return SmtpVendor(LOGIN | {"RCPT": "451 4.7.1 too many messages, slow down"})

    def mute(self):
        return SmtpVendor(LOGIN | {"END": Fault.MUTE})

    def cutting(self):
        return SmtpVendor(LOGIN | {"END": Fault.RESET})

    def babbling(self):
        return SmtpVendor(LOGIN | {"END": Fault.GARBAGE})

    def refusing_credentials(self):
        return SmtpVendor(LOGIN | {"AUTH": "535 5.7.8 authentication failed"})

    def expected(self, status):
        if status >= 500:
            return Misconfigured if status in (500, 502, 503, 530, 534, 535, 538) else Rejected
        return Throttled if status == 421 else NotSent

    def arrived(self, vendor):
        return [self.one(mail) for mail in vendor.mails]

    def one(self, mail):
        message = parsed(mail.raw)
        assert mail.recipients == [message["to"]]
        texts = {"subject": message["subject"], "text": body_of(message, "plain"), "html": body_of(message, "html")}
        return Arrived(mail.recipients[0], message["message-id"].strip("<>").removesuffix("@example.com"), texts)

    def test_04_being_throttled_keeps_the_time_that_was_named(self):
        """SMTP names no time; being asked to slow down is told from a refusal all the same."""
        assert self.sending(self.throttling(17)) == [Throttled(None)]
        assert self.sending(SmtpVendor(LOGIN | {"RCPT": "421 4.3.2 closing"})) == [Throttled(None)]

    # --- the message

    def message_for(self, envelope=None, rendition=None, **more):
        provider = self.make("smtp://127.0.0.1:9", Wire(), **more)
        return parsed(provider.letter(rendition or self.rendition(), envelope or self.envelopes(1)[0]).raw)

    def test_the_headers_are_these_and_no_others(self):
        url = "https://example.com/u/3fL.12.0"
        envelope = self.envelopes(1)[0]._replace(unsubscribe_url=url)
        message = self.message_for(envelope, reply_to="help@example.com")
        assert dict(message.items()) | {"Content-Type": "…"} == {
            "To": "person0@example.org",
            "Subject": "An update for Ana Example: online orders — paused",
            "Date": "Sun, 22 Nov 2026 12:00:00 +0000",
            "Message-ID": "<3fL.12.0@example.com>",
            "List-Unsubscribe": f"<{url}>",
            "List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
            "From": '"Käre, Example Shop" <care@example.com>',
            "Reply-To": "help@example.com",
            "Auto-Submitted": "auto-generated",
            "MIME-Version": "1.0",
            "Content-Type": "…",
        }
        assert not message.defects
        assert [part.get_content_type() for part in message.iter_parts()] == ["text/plain", "text/html"]
        assert not [part.defects for part in message.walk() if part.defects]

    def test_the_html_part_escapes_and_the_text_does_not(self):
        message = self.message_for(self.envelopes(4)[3])
        assert "Dear O'Neil & Söhne <Ltd>," in body_of(message, "plain")
        assert "Dear O&#x27;Neil &amp; Söhne &lt;Ltd&gt;,</p>" in body_of(message, "html")

    @pytest.mark.parametrize("kept", ["text", "html"])
    def test_one_part_alone_is_a_message_too(self, kept):
        parts = {name: text for name, text in email_rendition(slots=False).parts.items() if name in ("subject", kept)}
        message = self.message_for(rendition=Rendition(Channel.EMAIL, "en", "", parts))
        assert message.get_content_type() == ("text/plain" if kept == "text" else "text/html")
        assert message.get_content().replace("\r\n", "\n") == parts[kept] + "\n"

    @pytest.mark.parametrize("kept", [("text", "html"), ("html",)])
    def test_a_picture_stands_beside_the_html_that_shows_it(self, kept):
        whole = pictured(email_rendition())
        parts = {name: text for name, text in whole.parts.items() if name in ("subject", *kept)}
        message = self.message_for(rendition=dataclasses.replace(whole, parts=parts))
        kinds = [part.get_content_type() for part in message.walk()]
        together = ["multipart/related", "text/html", "image/png"]
        assert kinds == (together if kept == ("html",) else ["multipart/alternative", "text/plain", *together])
        picture = list(message.walk())[-1]
        assert picture["Content-ID"] == f"<{whole.picture.cid}>"
        assert (picture.get_content_disposition(), picture.get_filename()) == ("inline", "signatory.png")
        assert base64.b64encode(picture.get_content()).decode() == whole.picture.data
        assert f"cid:{whole.picture.cid}" in body_of(message, "html")
        assert not [part.defects for part in message.walk() if part.defects]

    def test_a_text_alone_carries_no_picture(self):
        whole = pictured(email_rendition())
        parts = {name: whole.parts[name] for name in ("subject", "text")}
        assert self.message_for(rendition=dataclasses.replace(whole, parts=parts)).get_content_type() == "text/plain"

    def test_lines_end_as_mail_has_them(self):
        parts = {"subject": "x", "text": "a\nb\r\nc\rd"}
        message = self.message_for(rendition=Rendition(Channel.EMAIL, "en", "", parts))
        assert message.get_payload(decode=True) == b"a\r\nb\r\nc\r\nd\r\n"

    def test_a_subject_of_two_lines_is_refused(self):
        parts = {"subject": "two\nlines", "text": "x"}
        with pytest.raises(Refused):
            self.message_for(rendition=Rendition(Channel.EMAIL, "en", "", parts))

    def test_a_message_without_any_part_is_refused(self):
        with pytest.raises(Refused):
            self.message_for(rendition=Rendition(Channel.EMAIL, "en", "", {"subject": "x"}))

    @pytest.mark.parametrize("name", UNSAFE_NAMES)
    def test_a_value_that_cannot_stand_in_the_subject_is_rejected(self, name):
        vendor = self.accepting()
        assert self.sending(vendor, envelopes=mail_envelopes(1, (name,))) == [Rejected("unsafe value")]
        assert vendor.opened == 0

    @pytest.mark.parametrize(
        "change",
        [{"key": "a>\r\nBcc: x@example.net"}, {"key": "a> b"},
         {"unsubscribe_url": "https://example.com/>\r\nBcc: x@example.net"},
         {"address": "a@example.org\r\nBcc: x@example.net"}, {"address": "a@example.org>,<b@example.org"}]
    )  # fmt: skip
    def test_nothing_of_an_envelope_becomes_a_header(self, change):
        vendor = self.accepting()
        (outcome,) = self.sending(vendor, envelopes=[self.envelopes(1)[0]._replace(**change)])
        assert isinstance(outcome, Rejected)
        assert vendor.mails == []

    def test_a_subject_that_was_approved_with_an_encoded_word_is_caught_by_the_guard(self):
        """The text of a template is ours, but Python's folding can still turn it into a header of its own."""
        parts = {"subject": "Alert for =?utf-8?q?a=0ABcc:_x@example.net?=", "text": "x"}
        try:
            message = self.message_for(rendition=Rendition(Channel.EMAIL, "en", "", parts))
        except Refused:
            return
        assert "bcc" not in {name.lower() for name in message}

    def test_the_guard_sees_a_header_too_many_and_one_too_few(self):
        raw = b"To: a@example.org\r\nSubject: x\r\nBcc: b@example.org\r\n\r\nbody"
        smtp.guard(raw, ("To", "Subject", "Bcc"))
        for intended in (("To", "Subject"), ("To", "Subject", "Bcc", "Date"), ("To", "To", "Subject")):
            with pytest.raises(Refused):
                smtp.guard(raw, intended)

    @settings(max_examples=40)
    @given(name=st.text(max_size=80), text=st.text(st.characters(exclude_categories=["Cs"]), max_size=200))
    def test_whatever_people_are_called_the_message_has_its_own_headers(self, name, text):
        slots = tuple(Slot(f"[[{form}]]", "name", form) for form in SlotForm)
        parts = {"subject": "Dear [[header]]", "text": f"{text}\n[[text]]", "html": "<p>[[html]]</p>"}
        rendition = Rendition(Channel.EMAIL, "en", "", parts, slots)
        envelope = Envelope("3fL.12.0", "a@example.org", {"name": name})
        try:
            message = self.message_for(envelope, rendition)
        except Refused:
            return
        names = "Auto-Submitted Content-Type Date From MIME-Version Message-ID Subject To"
        assert sorted(message.keys()) == names.split()
        assert "<p>" in body_of(message, "html")
        assert "<" not in body_of(message, "html").removeprefix("<p>").removesuffix("</p>")

    # --- stages

    def at(self, verb, answer):
        (outcome,) = self.sending(SmtpVendor(LOGIN | {verb: answer}))
        return outcome

    @pytest.mark.parametrize("verb", ["GREET", "EHLO", "AUTH", "MAIL", "RCPT"])
    @pytest.mark.parametrize("answer", [Fault.RESET, Fault.GARBAGE, Fault.CLOSE, "xyz what"])
    def test_a_loss_before_data_is_certain(self, verb, answer):
        assert isinstance(self.at(verb, answer), NotSent | Misconfigured)

    @pytest.mark.parametrize("verb", ["GREET", "MAIL", "RCPT"])
    def test_silence_before_data_is_certain_and_ends(self, verb):
        began = time.monotonic()
        assert [type(o) for o in self.sending(SmtpVendor(LOGIN | {verb: Fault.MUTE}), timeout=0.2)] == [NotSent]
        assert time.monotonic() - began < 10  # a deadline of 0.2 s; without one it would be for ever

    @pytest.mark.parametrize("answer", [Fault.RESET, Fault.GARBAGE, Fault.ENDLESS, Fault.CLOSE, "299 what", "xyz"])
    @pytest.mark.parametrize("verb", ["DATA", "END"])
    def test_a_loss_after_data_is_open(self, verb, answer):
        assert isinstance(self.at(verb, answer), OutcomeUnknown)

    @pytest.mark.parametrize(
        ("verb", "answer", "kind"),
        [("GREET", "554 5.7.1 go away", Misconfigured), ("GREET", "421 4.3.2 busy", Throttled),
         ("GREET", "450 4.3.2 later", NotSent), ("EHLO", "550 no", Misconfigured),
         ("AUTH", "454 4.7.0 later", Throttled),
         ("MAIL", "550 5.7.1 sender refused", Misconfigured), ("MAIL", "451 4.3.0 later", NotSent),
         ("RCPT", "550 5.7.1 Relaying denied", Misconfigured), ("RCPT", "554 5.7.1 Relay access denied", Misconfigured),
         ("RCPT", "550 5.7.1 rejected by policy", Rejected), ("RCPT", "450 4.2.0 greylisted", NotSent),
         ("RCPT", "452 4.5.3 too many recipients", Throttled), ("RCPT", "552 5.2.2 mailbox full", Rejected),
         ("DATA", "451 4.3.0 later", NotSent), ("DATA", "554 5.5.1 no valid recipients", Rejected),
         ("END", "452 4.3.1 disk full", NotSent), ("END", "554 5.7.1 looks like spam", Rejected),
         ("END", "421 4.3.2 closing", Throttled), ("END", "552 5.3.4 too big", Rejected)]
    )  # fmt: skip
    def test_what_a_reply_means_where_it_is_given(self, verb, answer, kind):
        outcome = self.at(verb, answer)
        assert isinstance(outcome, kind)
        assert getattr(outcome, "suppresses", None) is None

    # --- connections

    def several(self, vendor, count, between=lambda _n, _far: None, **more):
        clock = StillClock()

        async def run():
            async with vendor as far, Wire() as wire:
                provider, outcomes = self.make(far.url, wire, clock, **more), []
                for n in range(count):
                    outcomes += await provider.send(self.rendition(), self.envelopes(n + 1)[n:], expires_at=SOON)
                    await asyncio.sleep(0)
                    between(clock, far)
                await wire.close()
                await far.until_idle()
                return outcomes

        return asyncio.run(run())

    def test_a_connection_carries_many_messages_and_takes_its_leave(self):
        vendor = self.accepting()
        assert [type(o) for o in self.several(vendor, 5)] == [Accepted] * 5
        assert (vendor.opened, len(vendor.mails), vendor.commands[-1]) == (1, 5, "QUIT")

    def test_a_refused_recipient_does_not_cost_the_connection(self):
        refuse = lambda line: "550 5.1.1 unknown" if "person1@" in line else "250 ok"  # noqa: E731
        vendor = SmtpVendor(LOGIN | {"RCPT": refuse})
        assert [type(o) for o in self.several(vendor, 3)] == [Accepted, Rejected, Accepted]
        assert (vendor.opened, vendor.commands.count("RSET")) == (1, 1)

    def test_an_idle_connection_is_not_used_again(self):
        vendor = self.accepting()
        self.several(vendor, 3, lambda clock, _far: clock.pass_by(smtp.IDLE_SECONDS + 1))
        assert (vendor.opened, len(vendor.mails)) == (3, 3)

    def test_a_connection_that_died_while_idle_is_replaced(self):
        vendor = self.accepting()
        outcomes = self.several(vendor, 3, lambda _clock, far: [w.close() for w in far.writers])
        assert [type(o) for o in outcomes] == [Accepted] * 3
        assert vendor.opened == 3

    def test_a_relay_that_ends_the_session_between_messages_costs_nothing(self):
        mails = iter(["250 ok", "421 4.4.2 idle too long", *["250 ok"] * 5])
        vendor = SmtpVendor(LOGIN | {"MAIL": lambda _line: next(mails)})
        assert [type(o) for o in self.several(vendor, 2)] == [Accepted] * 2

    def test_a_connection_is_given_up_after_its_share(self, monkeypatch):
        monkeypatch.setattr(smtp, "MESSAGES_PER_CONNECTION", 2)
        vendor = self.accepting()
        self.several(vendor, 5)
        assert (vendor.opened, len(vendor.mails)) == (3, 5)

    def test_a_cancelled_send_leaves_no_connection(self):
        async def act(provider, far):
            task = asyncio.create_task(provider.send(self.rendition(), self.envelopes(1), expires_at=SOON))
            while "DATA" not in far.commands:
                await asyncio.sleep(0.005)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            await far.until_idle()

        self.against(self.mute(), act)

    def test_a_connection_that_came_too_late_carries_the_next_message_but_not_this_one(self):
        async def act(provider, far):
            begin_before(asyncio.get_running_loop().time() - 1)
            late = await provider.send(self.rendition(), self.envelopes(1), expires_at=SOON)
            assert "MAIL" not in far.commands
            begin_before(asyncio.get_running_loop().time() + 60)
            return late + await provider.send(self.rendition(), self.envelopes(1), expires_at=SOON)

        vendor = self.accepting()
        assert [type(o) for o in self.against(vendor, act)] == [NotSent, Accepted]
        assert vendor.opened == 1

    def test_a_message_that_was_cut_off_is_not_finished_behind_our_back(self):
        long = dataclasses.replace(self.rendition(), parts={"subject": "Long", "text": "x" * 6_000_000})

        async def run():
            begun, go_on, ended = asyncio.Event(), asyncio.Event(), asyncio.get_running_loop().create_future()
            server = await _thick_headed(begun, go_on, ended)
            async with server, Wire() as wire, asyncio.timeout(100):
                provider = self.make("smtp://{}:{}".format(*server.sockets[0].getsockname()), wire, timeout=100)
                task = asyncio.create_task(provider.send(long, self.envelopes(1), expires_at=SOON))
                await begun.wait()
                task.cancel()  # as the deadline does
                await asyncio.wait([task])
                go_on.set()
                return await ended

        assert asyncio.run(run())[-5:] not in (b"", b"\r\n.\r\n")


async def _thick_headed(begun, go_on, ended):
    """A relay that takes the first bytes of a message and no more until `go_on`; `ended` gets the last it received."""

    async def session(reader, writer):
        writer.write(b"220 hello\r\n")
        while not (line := await reader.readline()).startswith(b"DATA"):
            several = b"250-relay.example.com\r\n250 AUTH PLAIN LOGIN\r\n"
            writer.write(b"235 ok\r\n" if line.startswith(b"AUTH") else several)
        writer.write(b"354 go on\r\n")
        tail = (await reader.read(64))[-16:]
        begun.set()
        await go_on.wait()
        with contextlib.suppress(ConnectionError):
            while more := await reader.read(65_536):
                tail = (tail + more)[-16:]
        ended.set_result(tail)
        writer.close()

    sock = socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    sock.bind(("127.0.0.1", 0))
    return await asyncio.start_server(session, sock=sock)
