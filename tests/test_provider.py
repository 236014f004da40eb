"""The contract module: finding providers, making recipient data safe, and what a bare HTTP status proves."""

import subprocess
import sys
import textwrap

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dispatcher import provider
from dispatcher.errors import ConfigurationError, Refused
from dispatcher.model.kinds import Channel
from dispatcher.model.outcome import Misconfigured, OutcomeUnknown, Throttled
from dispatcher.model.rendition import Envelope, Rendition, Slot, SlotForm

TEXT, HTML, HEADER = (Slot(f"<<{form}>>", "name", form, "friend") for form in SlotForm)
PARTS = {"text": "Hi <<text>>, hi <<text>>", "html": "<b><<html>></b>", "subject": "For <<header>>"}
MESSAGE = Rendition(Channel.EMAIL, "en", "", PARTS, (TEXT, HTML, HEADER))


def envelope(name):
    return Envelope("L.1.2", "a@example.org", {"name": name} if name is not None else {})


# --- finding providers


def test_every_vendor_of_the_house_is_found_under_its_name():
    assert {"sendgrid", "smtp", "twilio", "x"} <= set(provider.kinds())
    assert all(provider.load(kind).name == kind for kind in ("sendgrid", "smtp", "twilio", "x"))


def test_an_unknown_kind_names_the_known_ones():
    with pytest.raises(ConfigurationError) as caught:
        provider.load("pigeon")
    assert "pigeon" in caught.value.what
    assert "twilio" in caught.value.why


def test_a_stranger_comes_in_by_the_same_door(tmp_path, monkeypatch):
    """A package that is merely installed, with one entry-point line, is a provider."""
    (tmp_path / "tiny_pigeon.py").write_text("class Pigeon:\n    name = 'pigeon'\n")
    packed = tmp_path / "tiny_pigeon-1.0.dist-info"
    packed.mkdir()
    (packed / "METADATA").write_text("Metadata-Version: 2.1\nName: tiny-pigeon\nVersion: 1.0\n")
    (packed / "entry_points.txt").write_text("[dispatcher.providers]\npigeon = tiny_pigeon:Pigeon\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    provider._installed.cache_clear()
    try:
        assert provider.load("pigeon").name == "pigeon"
        assert "pigeon" in provider.kinds()
    finally:
        provider._installed.cache_clear()


def test_heavy_libraries_load_when_they_are_first_used():
    heavy = ["aiohttp", "aiosmtplib", "oauthlib", "cryptography", "twilio", "sendgrid", "tweepy", "email_validator"]
    code = f"""
        import sys
        from dispatcher.provider import kinds, load
        from dispatcher.wire import Wire
        wire = Wire()
        mail = {{"base_url": "smtp://127.0.0.1", "sender": "a@example.com"}}
        load("smtp")(load("smtp").Settings(**mail), wire)
        load("sendgrid")(load("sendgrid").Settings(api_key="k", sender="a@example.com"), wire)
        load("x")(load("x").Settings(bearer_token="b"), wire)
        load("twilio")(load("twilio").Settings(account_sid="AC" + "0" * 32, auth_token="t", sender="123"), wire)
        print([name for name in {heavy} if name in sys.modules])
    """
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


# --- recipient data


def test_values_are_made_safe_for_where_they_stand():
    someone = envelope("<b>&'\"")
    assert provider.fill(PARTS["text"], MESSAGE, someone) == "Hi <b>&'\", hi <b>&'\""
    assert provider.fill(PARTS["html"], MESSAGE, someone) == "<b>&lt;b&gt;&amp;&#x27;&quot;</b>"
    assert provider.fill(PARTS["subject"], MESSAGE, someone) == "For <b>&'\""


@pytest.mark.parametrize("name", [None, ""])
def test_an_empty_value_takes_the_default(name):
    assert provider.fill(PARTS["subject"], MESSAGE, envelope(name)) == "For friend"


def test_a_slot_without_value_and_default_is_empty():
    slot = Slot("<<x>>", "order", SlotForm.TEXT)
    assert provider.fill("[<<x>>]", Rendition(Channel.SMS, "en", "", {}, (slot,)), envelope("Ana")) == "[]"


def test_a_value_that_looks_like_a_slot_stays_what_it_is():
    assert (
        provider.fill(PARTS["text"], MESSAGE, envelope("<<html>><<text>>"))
        == "Hi <<html>><<text>>, hi <<html>><<text>>"
    )


def test_text_without_slots_is_not_touched():
    assert provider.fill("<<text>>", Rendition(Channel.SMS, "en", "", {}), envelope("Ana")) == "<<text>>"


@given(st.text(max_size=40))
def test_a_header_never_takes_what_could_begin_another_one(name):
    try:
        line = provider.fill(PARTS["subject"], MESSAGE, envelope(name))
    except Refused:
        return
    assert len(line.splitlines()) == 1
    assert "=?" not in line
    assert not any(ord(char) < 32 or 127 <= ord(char) < 160 for char in line)


@given(st.text(max_size=40))
def test_html_never_takes_markup(name):
    shown = provider.fill("<<html>>", MESSAGE, envelope(name))
    assert not set(shown) & set("<>\"'")


# --- addresses, reasons, statuses


@pytest.mark.parametrize(
    ("given", "travels"),
    [("ana@example.org", "ana@example.org"), ("a.b+c_d'e@sub.example.co.uk", "a.b+c_d'e@sub.example.co.uk"),
     ("ana@bücher.example", "ana@xn--bcher-kva.example"), ("Ana@Example.ORG", "Ana@Example.ORG")]
)  # fmt: skip
def test_an_address_as_it_travels(given, travels):
    assert provider.mail_address(given) == travels


@pytest.mark.parametrize(
    "given",
    ["", "@", "a@b", "a b@example.org", "a@example.org ", "a@example.org\n", "a@example.org\r\nBcc: b@example.org",
     "<a@example.org>", "a,b@example.org", "a@-x.example", "a@x-.example", ".a@example.org", "a.@example.org",
     "jos\u00e9@example.org", "\u202ea@example.org", '"a b"@example.org', "a" * 250 + "@example.org", "a@exa_mple.org"]
)  # fmt: skip
def test_what_is_no_address_is_refused_without_being_shown(given):
    with pytest.raises(Refused) as caught:
        provider.mail_address(given)
    assert len(given) < 2 or given not in str(caught.value.as_dict())


def test_a_reason_is_one_short_line_without_people():
    told = provider.reason(550, "no  such\nuser <ana@example.org>", None, "", "+447700900123", "x" * 400)
    assert told.startswith("550 no such user <[email]> [phone] xxx")
    assert len(told) == 160
    assert provider.reason() == provider.reason(None, "") == ""


@pytest.mark.parametrize(
    ("status", "kind"),
    [(101, OutcomeUnknown), (204, OutcomeUnknown), (301, Misconfigured), (400, Misconfigured), (404, Misconfigured),
     (408, OutcomeUnknown), (409, OutcomeUnknown), (429, Throttled), (499, OutcomeUnknown), (500, OutcomeUnknown),
     (599, OutcomeUnknown)]
)  # fmt: skip
def test_what_a_bare_status_proves(status, kind):
    assert isinstance(provider.by_status(status, "words"), kind)


def test_being_throttled_keeps_the_wait():
    assert provider.by_status(429, wait=3.0) == Throttled(3.0)


# --- settings


@pytest.mark.parametrize(
    ("url", "fits"),
    [("https://api.example.com", True), ("https://api.example.com/v1/", True), ("http://127.0.0.1:8025", True),
     ("http://localhost:1", True), ("http://[::1]:1", True), ("http://10.1.2.3", True), ("http://sandbox:4010", True),
     ("http://api.example.com", False), ("http://8.8.8.8", False), ("https://a:b@example.com", False),
     ("https://example.com?x=1", False), ("https://example.com#x", False), ("https://example.com:99999", False),
     ("ftp://example.com", False), ("", False), ("https://", False)]
)  # fmt: skip
def test_a_base_url_is_plain_and_credentials_travel_covered(url, fits):
    if fits:
        assert provider.ProviderSettings(base_url=url).base_url == url.rstrip("/")
        return
    with pytest.raises(ValueError, match="base_url"):
        provider.ProviderSettings(base_url=url)


@pytest.mark.parametrize(
    ("url", "is_ours"),
    [("http://127.0.0.1:1", True), ("smtp://localhost", True), ("http://[::1]", True), ("http://10.0.0.1", False),
     ("https://localhost.example.com", False), ("", False)]
)  # fmt: skip
def test_this_machine_is_known(url, is_ours):
    assert provider.is_loopback(url) is is_ours


def test_a_wrong_setting_is_named_and_not_shown():
    with pytest.raises(ValueError, match="timeout") as caught:
        provider.ProviderSettings(base_url="https://example.com", timeout="kept-secret", key="hidden-word")
    assert "kept-secret" not in str(caught.value)
    assert "hidden-word" not in str(caught.value)


# --- what vendors say


def test_a_reason_holds_nothing_that_a_database_or_a_terminal_chokes_on():
    assert provider.reason(550, "no\x00 such\x1b[31m \ud800user\n here") == "550 no such[31m user here"
