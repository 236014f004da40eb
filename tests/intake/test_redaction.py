"""What is kept of a post: no credential, no way to reach a person, and still readable."""

import json
import time

import pytest

from dispatcher.intake import redaction
from tests.intake.samples import NOW
from tests.intake.table import SAMPLES


def test_headers_are_kept_without_credentials_and_senders():
    found = {
        "authorization": "Bearer x", "x-own": "t", "x-hub-signature-256": "s", "cookie": "c", "x-api-key": "k",
        "x-forwarded-for": "192.0.2.1", "x-github-event": "issues", "content-type": "application/json",
    }  # fmt: skip
    assert redaction.headers(found, "X-Own") == {"x-github-event": "issues", "content-type": "application/json"}


def test_bodies_are_kept_without_secrets_and_addresses():
    body = {
        "who": "Ana <ana@example.com> +447700900123", "token": "abc", "nested": [{"api_key": 7, "user_email": "x"}],
        "url": "https://a.example.com/?unsubscribe=1&access_token=zzz", "id": 1772366400000, "text": "ä",
        "Message": json.dumps({"mail": "ben@example.com"}),
    }  # fmt: skip
    kept = redaction.body(json.dumps(body).encode())
    for word in ("ana@", "7700900123", "abc", "zzz", "ben@"):
        assert word not in kept.decode()
    again = json.loads(kept)
    assert (again["id"], again["text"]) == (1772366400000, "ä")


def test_what_is_kept_reads_the_same():
    for sample in SAMPLES.values():
        request = sample.request(sample.opened("R7", NOW))
        (before,) = sample.reader().parse(request)
        (after,) = sample.parse(json.loads(redaction.body(request.body)))
        assert (before.kind, before.external_id, before.title) == (after.kind, after.external_id, after.title)


def test_what_is_no_json_is_not_kept():
    assert redaction.body(b"not json") == b""


@pytest.mark.parametrize("piece", ["x", "a@", "a@b.", "?", "?key", "key=?", "+1 ", "](", "&#", '{"'])
def test_a_long_text_is_read_once_from_end_to_end(piece):
    """Ten times the text takes about ten times the time, not a hundred: a sender cannot hold up a worker."""

    def seconds(size):
        raw = json.dumps({"title": piece * (size // len(piece))}).encode()
        begun = time.process_time()
        redaction.body(raw)
        return time.process_time() - begun

    assert seconds(300_000) < 40 * max(seconds(30_000), 0.005)
