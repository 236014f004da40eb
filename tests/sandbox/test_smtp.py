"""The pretend relay, driven by aiosmtplib and, where that is too polite, by bare lines."""

import asyncio
import socket
from email.message import EmailMessage
from email.policy import SMTP

import aiosmtplib
import pytest
from pydantic import SecretStr

from dispatcher.sandbox.config import DownHow, Fates, Fault, Faults
from tests.sandbox.conftest import accounts, until


@pytest.fixture
def relay(stage):
    """Starts a sandbox with a relay."""

    def start(**settings):
        return stage(smtp_port=0, **settings)

    return start


def a_message(key="L.B.1", to="ann@example.com", text="Hello, Zoë.\n.\n..\nGoodbye.\n"):
    message = EmailMessage(policy=SMTP)
    message["From"], message["To"], message["Subject"] = "news@example.org", to, "An update"
    message["Date"], message["Message-ID"] = "Sun, 22 Nov 2026 10:00:00 +0000", f"<{key}@example.org>"
    message["X-Dispatcher-Key"] = key
    message.set_content(text)
    message.add_alternative(f"<p>{text}</p>", subtype="html")
    return message


def send(caller, message=None, *, timeout=5, **login):
    async def run():
        return await aiosmtplib.send(
            message or a_message(), hostname="127.0.0.1", port=caller.sandbox.smtp_port, start_tls=False,
            timeout=timeout, **login,
        )  # fmt: skip

    return asyncio.run(run())


def connected(caller):
    return aiosmtplib.SMTP(hostname="127.0.0.1", port=caller.sandbox.smtp_port, start_tls=False, timeout=5)


class Lines:
    """A conversation line by line."""

    def __init__(self, caller):
        self._socket = socket.create_connection(("127.0.0.1", caller.sandbox.smtp_port), timeout=5)
        self._file = self._socket.makefile("rb")
        self.greeting = self.answer()

    def answer(self):
        while True:
            line = self._file.readline().decode()
            if line[3:4] != "-":
                return line.strip()

    def say(self, line):
        self._socket.sendall(line.encode("latin-1") + b"\r\n")
        return self.answer()

    def close(self):
        self._file.close()
        self._socket.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


GOOD = "From: news@example.org\r\nDate: Sun, 22 Nov 2026 10:00:00 +0000\r\nMessage-ID: <k1@example.org>"


def give(caller, data, options=""):
    """The answer after DATA."""
    with Lines(caller) as lines:
        lines.say("EHLO here")
        lines.say(f"MAIL FROM:<news@example.org>{options}")
        lines.say("RCPT TO:<ann@example.com>")
        assert lines.say("DATA").startswith("354")
        return lines.say(data + "\r\n.")


def test_a_mail_arrives_as_it_was_given(relay):
    caller = relay()
    message = a_message()
    message.set_boundary("a boundary of its own")
    refused, answer = send(caller, message)
    assert (refused, answer[:3]) == ({}, "2.0")
    (line,) = caller.lines()
    assert (line.key, line.message, line.answer, line.vendor) == ("L.B.1", "<L.B.1@example.org>", "250", "smtp")
    shown = caller.sandbox.messages()[0]
    assert shown["data"] == message.as_bytes(policy=SMTP).decode()
    assert ["x-dispatcher-key", "L.B.1"] in shown["headers"]


def test_a_password_is_asked_for_where_there_is_one(relay):
    secret = {"secret": SecretStr("open"), "user": "news"}
    caller = relay(accounts=accounts(smtp=secret))
    with pytest.raises(aiosmtplib.SMTPException, match="log in first"):
        send(caller)
    for method in ("plain", "login"):
        assert asyncio.run(authenticated(caller, "news", "open", method)) == {}
    with pytest.raises(aiosmtplib.SMTPAuthenticationError):
        send(caller, username="news", password="shut")
    assert caller.tally().messages == 2
    with Lines(caller) as lines:
        assert lines.say("AUTH GSSAPI x").startswith("504")
        assert lines.say("AUTH PLAIN !!").startswith("535")


async def authenticated(caller, user, password, method):
    async with connected(caller) as client:
        await getattr(client, f"auth_{method}")(user, password)
        refused, _ = await client.send_message(a_message())
        return refused


@pytest.mark.parametrize(("word", "code"), [("bounce", 550), ("drop", 550), ("block", 550), ("defer", 450)])
def test_some_addresses_are_refused(relay, word, code):
    caller = relay()
    with pytest.raises(aiosmtplib.SMTPRecipientsRefused) as refused:
        send(caller, a_message(to=f"{word}.1@example.com"))
    assert refused.value.recipients[0].code == code
    assert caller.tally().refused == {str(code): 1}


def test_a_deferred_address_is_taken_at_the_second_try(relay):
    caller = relay()
    with pytest.raises(aiosmtplib.SMTPRecipientsRefused):
        send(caller, a_message(to="defer.1@example.com"))
    send(caller, a_message(to="defer.1@example.com"))
    assert caller.tally().counts == {"L.B.1": 1}


def test_fates_can_be_shares(relay):
    caller = relay(fates=Fates(shares={"bounced": 1.0}))
    with pytest.raises(aiosmtplib.SMTPRecipientsRefused):
        send(caller)


@pytest.mark.parametrize(
    ("data", "answer"),
    [
        (GOOD + "\r\n\r\nHello", "250"),
        (GOOD + "\r\n\r\n" + "x" * 998, "250"),
        (GOOD + "\r\n\r\n" + "x" * 999, "554 5.6.0 a line"),
        (GOOD + "\r\n\r\nbare\nline", "554 5.6.0 bare"),
        (GOOD + "\r\n\r\nbare\rline", "554 5.6.0 bare"),
        (GOOD + "\r\nSubject: a\r\nSubject: b\r\n\r\nx", "554 5.6.0 the header subject stands"),
        (GOOD + "\r\nFROM: x@example.org\r\n\r\nx", "554 5.6.0 the header from stands"),
        (GOOD + "\r\nBcc: x@example.org\r\n\r\nx", "554 5.6.0 a bcc"),
        (GOOD.replace("Date", "X-Date") + "\r\n\r\nx", "554 5.6.0 the header date is missing"),
        (GOOD.replace("Message-ID", "X-ID") + "\r\n\r\nx", "554 5.6.0 the header message-id is missing"),
        (GOOD + "\r\nSubject: Zo\xc3\xab\r\n\r\nx", "554 5.6.7"),
        (GOOD + "\r\n\r\nZo\xc3\xab", "554 5.6.3"),
        (GOOD + "\r\nSubject: a folded\r\n one\r\n\r\nx", "250"),
    ],
)
def test_a_strict_relay_judges_the_bytes(relay, data, answer):
    caller = relay()
    assert give(caller, data).startswith(answer)
    assert caller.tally().messages == (answer == "250")


@pytest.mark.parametrize("option", [" BODY=8BITMIME", " SMTPUTF8", " SIZE=500 BODY=8BITMIME SMTPUTF8"])
def test_what_is_announced_is_taken(relay, option):
    caller = relay()
    assert give(caller, GOOD + "\r\n\r\nZo\xc3\xab", option).startswith("250")


def test_the_key_can_come_in_its_own_header(relay):
    caller = relay()
    give(caller, GOOD.replace("<k1@example.org>", "k1") + "\r\nX-Dispatcher-Key: L.B.9\r\n\r\nx")
    assert caller.tally().counts == {"L.B.9": 1}


def test_an_empty_mail_and_lone_dots(relay):
    caller = relay()
    with Lines(caller) as lines:
        lines.say("EHLO here")
        lines.say("MAIL FROM:<news@example.org>")
        lines.say("RCPT TO:<ann@example.com>")
        lines.say("DATA")
        assert lines.say(".").startswith("554")
    assert give(caller, GOOD + "\r\n\r\n..\r\n...\r\nend.\r\n..x").startswith("250")
    assert caller.sandbox.messages()[0]["data"].endswith("\r\n.\r\n..\r\nend.\r\n.x\r\n")


def test_the_order_of_commands_is_kept(relay):
    with Lines(relay()) as lines:
        assert lines.greeting.startswith("220")
        assert lines.say("DATA").startswith("503")
        assert lines.say("RCPT TO:<ann@example.com>").startswith("503")
        assert lines.say("MAIL FROM:news").startswith("501")
        assert lines.say("HELO here").startswith("250")
        assert lines.say("MAIL FROM:<>").startswith("250")
        assert lines.say("MAIL FROM:<>").startswith("503")
        assert lines.say("RCPT TO:<ann>").startswith("501")
        assert lines.say("DATA").startswith("503")
        assert lines.say("RSET").startswith("250")
        assert lines.say("NOOP").startswith("250")
        assert lines.say("VRFY ann").startswith("252")
        assert lines.say("STARTTLS").startswith("500")
        assert lines.say("__class__").startswith("500")
        assert lines.say("QUIT").startswith("221")


def test_many_mails_over_one_connection(relay):
    caller = relay()

    async def run():
        async with connected(caller) as client:
            for number in range(50):
                await client.send_message(a_message(f"k{number}"))

    asyncio.run(run())
    assert caller.tally().counts == {f"k{number}": 1 for number in range(50)}


REFUSED = {
    Fault.THROTTLE: (aiosmtplib.SMTPResponseException, "450"),
    Fault.ERROR: (aiosmtplib.SMTPDataError, "451"),
    Fault.RESET: (aiosmtplib.SMTPServerDisconnected, ""),
    Fault.GARBAGE: (aiosmtplib.SMTPException, ""),
}
ACCEPTED = {
    Fault.ERROR_ACCEPTED: (aiosmtplib.SMTPDataError, "451"),
    Fault.RESET_ACCEPTED: (aiosmtplib.SMTPServerDisconnected, ""),
    Fault.GARBAGE_ACCEPTED: (aiosmtplib.SMTPException, ""),
    Fault.TRUNCATED: (aiosmtplib.SMTPServerDisconnected, ""),
    Fault.STALL_ACCEPTED: (aiosmtplib.SMTPReadTimeoutError, ""),
}


@pytest.mark.parametrize("fault", [*REFUSED, *ACCEPTED])
def test_each_fault_and_what_the_record_says(relay, fault):
    caller = relay(faults={"smtp": Faults(stall_seconds=2)})
    caller.sandbox.next("smtp", fault)
    kind, code = (REFUSED | ACCEPTED)[fault]
    with pytest.raises(kind) as failed:
        send(caller, timeout=0.3 if fault is Fault.STALL_ACCEPTED else 5)
    assert code in str(failed.value)
    (line,) = caller.lines()
    assert line.kind == ("accepted" if fault in ACCEPTED else "refused")
    if fault in ACCEPTED:
        assert (line.key, line.answer) == ("L.B.1", fault)
    send(caller, a_message("L.B.2"))
    assert caller.tally().counts["L.B.2"] == 1


def test_a_stall_ends_well_or_with_nothing_taken(relay):
    caller = relay(faults={"smtp": Faults(stall_seconds=0.1)})
    caller.sandbox.next("smtp", Fault.STALL, times=2)
    send(caller)
    caller.sandbox.faults("smtp", Faults(stall_seconds=4))
    with pytest.raises(aiosmtplib.SMTPReadTimeoutError):
        send(caller, a_message("L.B.2"), timeout=1.5)
    until(lambda: caller.tally().refused == {"stall": 1})
    assert caller.tally().counts == {"L.B.1": 1}


def test_a_slow_answer_arrives_in_the_end(relay):
    caller = relay(faults={"smtp": Faults(slow=1, slow_seconds=0.2)})
    refused, answer = send(caller)
    assert refused == {}
    assert "queued" in answer
    assert caller.lines()[0].answer == "slow"


def test_an_outage_answers_421_or_resets(relay):
    caller = relay()
    caller.sandbox.down("smtp", 30)
    with pytest.raises(aiosmtplib.SMTPException, match="out of order"):
        send(caller)
    caller.sandbox.down("smtp", 30, DownHow.RESET)
    with pytest.raises((aiosmtplib.SMTPServerDisconnected, aiosmtplib.SMTPConnectError)):
        send(caller)
    caller.sandbox.up("smtp")
    send(caller)
    assert caller.tally().messages == 1


def test_a_closed_port_refuses_and_opens_again(relay):
    caller = relay()
    caller.sandbox.down("smtp", 60, DownHow.REFUSE)
    with pytest.raises(aiosmtplib.SMTPConnectError):
        send(caller)
    caller.sandbox.up("smtp")
    send(caller)
    assert caller.tally().messages == 1
