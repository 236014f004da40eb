"""What every incident tool must hold, one suite for all. R-numbers are the rules of docs/adding-a-signal-source.md."""

import dataclasses
import datetime as dt
import json
import re
import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dispatcher.errors import BadSignature
from dispatcher.intake import tool
from dispatcher.intake.reading import DEEPEST, ID, PROSE, TITLE, Unreadable
from dispatcher.intake.tool import Secret, SecretForm, ToolSettings
from dispatcher.model.incident import Visibility
from dispatcher.model.kinds import Severity
from dispatcher.model.signal import Signal, SignalKind
from tests.intake.samples import NOW, ago
from tests.intake.table import SAMPLES

EVERY = pytest.mark.parametrize("sample", SAMPLES.values(), ids=list(SAMPLES))


def where(wanted):
    found = [sample for sample in SAMPLES.values() if wanted(sample)]
    return pytest.mark.parametrize("sample", found, ids=[sample.name for sample in found])


SIGNED = where(lambda s: s.form is not SecretForm.TOKEN)
BY_KEY = where(lambda s: s.form is SecretForm.KEY)
BY_TOKEN = where(lambda s: s.form is SecretForm.TOKEN)


def one(found):
    (signal,) = found
    return signal


def changed(request, **more):
    return dataclasses.replace(request, **more)


def test_every_tool_has_a_line_a_sample_and_a_file_of_its_own():
    assert set(SAMPLES) == set(tool.kinds())
    assert len({tool.load(name).__module__ for name in tool.kinds()}) == len(tool.kinds())


@EVERY
def test_a_tool_says_what_it_is(sample):
    kind = sample.cls
    assert kind.name == sample.name
    assert kind.__module__ == f"dispatcher.intake.{sample.name}"
    assert issubclass(kind.Settings, ToolSettings)
    assert len(kind.signs) > 20
    assert kind.title


# --- R1 to R4: proof


@EVERY
def test_a_proved_post_is_let_in(sample):
    request = sample.request(sample.opened("R7", NOW))
    sample.reader().verify(request, [sample.secret()] if sample.form else [])


@SIGNED
def test_one_changed_byte_is_refused(sample):
    """R1: the raw bytes are what is signed, every one of them."""
    request = sample.request(sample.opened("R7", NOW))
    reader, secrets = sample.reader(), [sample.secret()] if sample.form else []
    for place in range(len(request.body)):
        byte = bytes([request.body[place] ^ 1])
        with pytest.raises((BadSignature, Unreadable)):
            reader.verify(changed(request, body=request.body[:place] + byte + request.body[place + 1 :]), secrets)


@BY_KEY
def test_the_same_words_in_other_bytes_are_refused(sample):
    request = sample.request(sample.opened("R7", NOW))
    again = json.dumps(json.loads(request.body), indent=1).encode()
    with pytest.raises(BadSignature):
        sample.reader().verify(changed(request, body=again), [sample.secret()])


@EVERY
def test_without_a_secret_everything_is_refused(sample):
    """R2: never skipped, neither with none nor with one of the wrong form."""
    request = sample.request(sample.opened("R7", NOW))
    reader = sample.reader(topics=[]) if sample.form is None else sample.reader()
    with pytest.raises(BadSignature):
        reader.verify(request, [])
    if sample.form is not None and len(sample.cls.forms) == 1:
        other = SecretForm.TOKEN if sample.form is SecretForm.KEY else SecretForm.KEY
        with pytest.raises(BadSignature):
            reader.verify(request, [Secret(other, sample.secret().value)])


@where(lambda s: s.form is not None)
def test_either_of_two_secrets_counts_and_no_third(sample):
    """R3: rotation without a gap."""
    old, new, strange = (f"{sample.value}-{word}" for word in ("old", "new", "strange"))
    secrets = [sample.secret(new), sample.secret(old)]
    for value in (old, new):
        sample.reader().verify(sample.request(sample.opened("R7", NOW), value=value), secrets)
    with pytest.raises(BadSignature):
        sample.reader().verify(sample.request(sample.opened("R7", NOW), value=strange), secrets)


@where(lambda s: s.form is not None)
def test_missing_empty_and_garbled_proofs_are_refused(sample):
    request = sample.request(sample.opened("R7", NOW))
    shown = set(sample.sign(request.body, NOW, sample.value))
    bare = {name: value for name, value in request.headers.items() if name not in shown}
    for garbage in ("", " ", ",", "v1=", "sha256=", "Bearer", "t=,v1=", "\xff\xfe", "Basic ????", "x" * 5000):
        with pytest.raises(BadSignature):
            sample.reader().verify(changed(request, headers=bare | dict.fromkeys(shown, garbage)), [sample.secret()])
    with pytest.raises(BadSignature):
        sample.reader().verify(changed(request, headers=bare), [sample.secret()])


@where(lambda s: s.stamped)
def test_a_signed_time_may_be_five_minutes_off_and_no_more(sample):
    """R4."""
    reader, secrets = sample.reader(), [sample.secret()]
    request = sample.request(sample.opened("R7", NOW))
    for seconds in (-299, 299):
        reader.verify(changed(request, received_at=NOW + dt.timedelta(seconds=seconds)), secrets)
    for seconds in (-301, 301, 90_000):
        with pytest.raises(BadSignature):
            reader.verify(changed(request, received_at=NOW + dt.timedelta(seconds=seconds)), secrets)


@BY_TOKEN
def test_a_token_may_come_in_a_header_or_at_the_end_of_the_address(sample):
    request = sample.request(sample.opened("R7", NOW))
    reader, secrets = sample.reader(), [sample.secret()]
    by_path = changed(request, headers={}, url=f"{request.url}.{sample.value}")
    reader.verify(by_path, secrets)
    with pytest.raises(BadSignature):
        reader.verify(changed(by_path, url=f"{request.url}.{sample.value}x"), secrets)


@BY_TOKEN
def test_a_vendor_that_signs_nothing_says_so(sample):
    assert re.search("signs nothing|As set up", sample.cls.signs)


# --- R6 to R9, R14, R15, R20: reading


@EVERY
def test_what_is_no_incident_is_read_and_moves_nothing(sample):
    """R6: unknown words, tests and other resources are fine and have no effect."""
    for payload, headers in sample.without_effect():
        request = sample.request(payload)
        found = sample.reader().parse(changed(request, headers={**request.headers, **headers}))
        assert all(not signal.kind.moves for signal in found), payload


@EVERY
@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"null", b"[]", b"7", b'"x"', b"\xff\xfe\x00", b"{\"a\": NaN}", b"x=1&y=2", b'{"\\ud800": 1}',
     b"[" * 5000 + b"]" * 5000, b'{"a":' * (DEEPEST + 5) + b"1" + b"}" * (DEEPEST + 5)],
    ids=lambda body: repr(body[:12]),
)  # fmt: skip
def test_what_cannot_be_read_is_unreadable(sample, body):
    """R7: the sender is told 400 and keeps its retry for what is worth it."""
    request = sample.request({}, body=body)
    with pytest.raises(Unreadable):
        sample.reader().parse(request)


@EVERY
def test_an_opened_incident_is_read_whole(sample):
    signal = one(sample.parse(sample.opened("R7", NOW)))
    assert signal.kind is SignalKind.OPENED
    assert signal.external_id
    assert signal.title
    assert signal.occurred_at == NOW
    assert signal.visibility is Visibility.PUBLIC


@EVERY
def test_one_incident_has_one_id_in_all_its_posts(sample):
    posts = [sample.opened("R7", NOW), sample.resolved("R7", NOW), sample.updated("R7", NOW)]
    found = {one(sample.parse(post)).external_id for post in posts if post is not None}
    assert len(found) == 1
    assert one(sample.parse(sample.opened("R8", NOW))).external_id not in found


@EVERY
def test_resolved_is_resolved(sample):
    assert one(sample.parse(sample.resolved("R7", NOW))).kind is SignalKind.RESOLVED


@EVERY
def test_a_repeat_is_the_same_and_a_later_post_is_not(sample):
    """R8 and R9: what tells posts apart is their own id or their bytes, never incident and action."""
    post, later = sample.resolved("R7", ago(600)), sample.resolved("R7", NOW)
    first, again, second = (one(sample.parse(p)) for p in (post, post, later))
    assert first == again
    assert (first.delivery_id or json.dumps(post)) != (second.delivery_id or json.dumps(later))


@EVERY
def test_what_is_not_over_does_not_end(sample):
    """R20."""
    for payload in sample.not_resolved("R7", NOW):
        assert all(not signal.kind.ends for signal in sample.parse(payload)), payload


@where(lambda s: s.private_payload is not None)
def test_what_is_private_there_is_private_here(sample):
    """R15."""
    signal = one(sample.parse(sample.private_payload))
    assert signal.kind is SignalKind.OPENED
    assert signal.visibility is Visibility.PRIVATE


HOSTILE = "{{ 7*7 }} {title} <script>\x00\x1b[31m \u202eevil\u2066 \ud83d\ude00 ' \" %s " * 200


@EVERY
def test_hostile_words_stay_data(sample):
    """R14: kept as they are, without what could deceive or break anything, and cut."""
    payload = soiled(sample.opened("R7", NOW))
    try:
        found = sample.parse(payload)
    except Unreadable:
        return
    for signal in found:
        require_clean(signal)


def soiled(value, key=""):
    """The payload with every free text made hostile; ids, words and times stay."""
    if isinstance(value, dict):
        return {name: soiled(inner, name) for name, inner in value.items()}
    if isinstance(value, list):
        return [soiled(inner, key) for inner in value]
    free = {
        "title",
        "message",
        "summary",
        "description",
        "body",
        "name",
        "cause",
        "text",
        "culprit",
        "short_description",
    }
    return HOSTILE if isinstance(value, str) and key in free else value


def require_clean(signal):
    assert isinstance(signal, Signal)
    texts = [signal.title, signal.external_id, signal.word, signal.external_ref, signal.severity_raw, signal.phase_raw]
    texts += [*signal.services, *signal.regions, signal.delivery_id, *signal.labels, *signal.labels.values()]
    for text in texts:
        assert len(text) <= max(ID, TITLE) + 20
        assert not any(unicodedata.category(c) in ("Cc", "Cs", "Zl", "Zp") or c in "\u202e\u2066" for c in text)
    assert len(signal.text) <= PROSE
    assert not any(unicodedata.category(c) == "Cc" and c != "\n" for c in signal.text)
    assert signal.url == "" or re.match(r"https?://[^\s]+$", signal.url)
    assert signal.occurred_at is None or signal.occurred_at.tzinfo is not None
    assert not signal.kind.moves or signal.external_id


# --- bad input of every kind

PLAIN = st.none() | st.booleans() | st.integers(-(2**63), 2**63) | st.floats() | st.text(max_size=30)


def nested(inner):
    return st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=12), inner, max_size=4)


ANYTHING = st.recursive(PLAIN, nested, max_leaves=12)


@EVERY
@given(body=st.binary(max_size=300))
@settings(max_examples=20)
def test_random_bytes_never_crash(sample, body):
    try:
        found = sample.reader().parse(sample.request({}, body=body))
    except Unreadable:
        return
    for signal in found:
        require_clean(signal)


@EVERY
@given(data=st.data())
@settings(max_examples=40)
def test_wrong_types_never_crash(sample, data):
    """A real post in which one member somewhere is something else: a signal, nothing, or unreadable."""
    payload = json.loads(json.dumps(data.draw(st.sampled_from([sample.opened("R7", NOW), sample.resolved("R7", NOW)]))))
    places = [place for place in walk(payload)]
    owner, key = data.draw(st.sampled_from(places))
    owner[key] = data.draw(ANYTHING)
    body = json.dumps(payload, allow_nan=True).encode("utf-8", "surrogatepass")
    try:
        found = sample.reader().parse(sample.request(payload if isinstance(payload, dict) else {}, body=body))
    except Unreadable:
        return
    for signal in found:
        require_clean(signal)


def walk(value):
    members = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in members:
        yield value, key
        yield from walk(inner)


@EVERY
@given(data=st.data())
@settings(max_examples=20)
def test_garbled_headers_never_get_in(sample, data):
    """Whatever stands in the headers that prove a post: refused, and never a crash."""
    request = sample.request(sample.opened("R7", NOW))
    shown = {name for name in sample.sign(request.body, NOW, sample.value)}
    words = {name: data.draw(st.text(max_size=80)) for name in shown if name != "content-type"}
    if not words:
        return
    with pytest.raises(BadSignature):
        sample.reader().verify(changed(request, headers={**request.headers, **words}), [sample.secret()])


# --- R19


@EVERY
def test_severities_of_a_source_are_its_own_and_in_doubt_the_higher(sample):
    from dispatcher.intake import severity

    own = sample.reader(severity={"Fishy": "minor"}).settings
    assert own.severity_unknown is Severity.CRITICAL
    assert severity.read("fishy", own.severity, own.severity_unknown) is Severity.MINOR
    assert severity.read("never heard of", own.severity, own.severity_unknown) is Severity.CRITICAL
