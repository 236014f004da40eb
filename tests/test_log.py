"""Logs: no secret, address or number in any field, from any logger, at any level."""

import io
import json
import logging

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dispatcher import log

SECRETS = [
    ("Authorization: Bearer AAAAAAAAAAAAAAAAAAAAAMLheAAAAAAA0%2BuSeid", "AAAAAAAAAMLhe"),
    ("authorization basic QUMxMjM0NTY6aHVudGVyMjI=", "QUMxMjM0NTY6"),
    ("key SG.aaaaaaaaaaaaaaaaaaaaaa.bbbbbbbbbbbbbbbbbbbbbbbbb refused", "SG.aaaa"),
    ("postgresql://dispatcher:hunter22@db.example.com/d", "hunter22"),
    ("redis://:hunter22@127.0.0.1:6379/0", "hunter22"),
    ("api_key='hunter22'", "hunter22"),
    ('{"auth_token": "hunter22"}', "hunter22"),
    ("POST /unsubscribe?token=hunter22&x=1", "hunter22"),
    ('oauth_nonce="hunter22", oauth_signature="x"', "hunter22"),
    ("to ana.example+tag@mail.example.com failed", "ana.example"),
    ("to <ben@example.org>", "ben@example.org"),
    ("naïve.ünï@exämple.com", "naïve"),
    ("call +447700900123 now", "7700900123"),
    ("call +44 7700 900123 now", "900123"),
    ("call +1 (212) 555-0123 now", "555-0123"),
    ("call 07700 900123 now", "900123"),
    ("call (212) 555-0123 now", "555-0123"),
    ("call 212-555-0123 now", "555-0123"),
    ("to 447700900123", "447700900123"),
    ("00447700900123", "7700900123"),
]
HARMLESS = [
    "2026-11-22T02:56:00.123456Z",
    "127.0.0.1:8700",
    "broadcast BR-12 batch 3 of 1000",
    "7f3a.12.999",
    "SM0123456789abcdef0123456789abcdef",
    "1861234567890123456",
    "took 0.123456 s",
    "file.py:120",
    "lease 60 s, 12,480 people",
]


@pytest.fixture
def lines():
    """What is logged as JSON at DEBUG, as parsed lines."""
    stream = io.StringIO()
    root = logging.getLogger()
    before = root.handlers[:], root.level
    log.configure(level="debug", form="json", stream=stream, secrets=["zebra-crossing"])
    yield lambda: [json.loads(line) for line in stream.getvalue().splitlines()]
    root.handlers[:], root.level = before
    log._known.clear()


@pytest.mark.parametrize(("text", "secret"), SECRETS)
def test_secrets_and_addresses_are_taken_out(text, secret):
    assert secret not in log.redact(text)


@pytest.mark.parametrize("text", HARMLESS)
def test_what_an_operator_needs_stays(text):
    assert log.redact(text) == text


@pytest.mark.parametrize(("text", "secret"), SECRETS)
def test_no_field_of_our_own_lines_leaks(lines, text, secret):
    log.get("dispatcher.test").info(text, field=text, deep={"a": [text, {"b": (text,)}]}, thing=Thing(text))
    (line,) = lines()
    assert secret not in json.dumps(line, ensure_ascii=False)
    assert line["level"] == "info"
    assert line["logger"] == "dispatcher.test"


@pytest.mark.parametrize(("text", "secret"), SECRETS)
def test_no_line_of_a_library_leaks(lines, text, secret):
    logging.getLogger("some.library").warning("said %s", text, extra={"detail": text})
    (line,) = lines()
    assert secret not in json.dumps(line, ensure_ascii=False)
    assert line["event"].startswith("said ")


def test_an_exception_is_redacted_with_its_trace(lines):
    try:
        raise ValueError("no account ana@example.com, +447700900123, zebra-crossing")
    except ValueError:
        log.get("x").exception("failed")
        logging.getLogger("library").exception("failed too")
    for line in lines():
        assert "ValueError" in line["exception"]
        assert "[email]" in line["exception"]
        assert "[phone]" in line["exception"]
        assert "zebra" not in line["exception"]


def test_a_known_secret_is_hidden_wherever_it_stands(lines):
    log.hide("correct horse battery", "tiny")
    log.get("x").info("correct horse battery", url="http://h/zebra-crossing/tiny")
    (line,) = lines()
    assert line["event"] == "[hidden]"
    assert line["url"] == "http://h/[hidden]/tiny"


def test_fields_named_like_secrets_are_hidden_whatever_they_hold(lines):
    log.get("x").info("e", api_key=12, auth_token=["a"], password={"a": 1}, key="kept", authorization="x", token=None)
    (line,) = lines()
    assert {line[k] for k in ("api_key", "auth_token", "password", "authorization")} == {"[hidden]"}
    assert line["key"] == "kept"
    assert line["token"] is None


def test_numbers_stay_numbers(lines):
    log.get("x").info("planned", due_at=1763779200000, share=0.5, ok=True, none=None)
    (line,) = lines()
    assert (line["due_at"], line["share"], line["ok"], line["none"]) == (1763779200000, 0.5, True, None)


@pytest.mark.parametrize("name", ["tweepy", "tweepy.client", "oauthlib.oauth1", "twilio.http_client", "urllib3"])
def test_vendors_loggers_say_nothing_below_warning(lines, name):
    logging.getLogger(name).debug("Headers: Authorization: Bearer abcdefgh")
    logging.getLogger(name).info("POST /2010-04-01")
    assert lines() == []
    logging.getLogger(name).warning("went wrong")
    assert lines()[0]["event"] == "went wrong"


def test_a_console_reads_words(capsys):
    stream = io.StringIO()
    stream.isatty = lambda: True
    root = logging.getLogger()
    before = root.handlers[:], root.level
    log.configure(stream=stream)
    log.get("x").info("planned", people=3)
    log.get("x").debug("not shown")
    root.handlers[:], root.level = before
    assert "planned" in stream.getvalue()
    assert "people=3" in stream.getvalue()
    assert "not shown" not in stream.getvalue()
    assert capsys.readouterr().out == ""


def test_context_is_on_every_line(lines):
    import structlog

    with structlog.contextvars.bound_contextvars(broadcast="BR-1"):
        log.get("x").info("claimed")
    assert lines()[0]["broadcast"] == "BR-1"


@given(st.text(max_size=200))
def test_redaction_never_fails_and_is_stable(text):
    once = log.redact(text)
    assert log.redact(once) == once


class Thing:
    def __init__(self, text):
        self.text = text

    def __str__(self):
        return self.text
