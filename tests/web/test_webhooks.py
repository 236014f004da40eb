"""Vendors' posts over a real socket into a real ledger: stored before they are answered, or refused and not stored."""

import dataclasses
import gzip
import json
import threading
import time

import pytest
import redis
from cryptography.hazmat.primitives.asymmetric import ec

from dispatcher.errors import BadSignature
from dispatcher.services import events
from dispatcher.web import intake
from tests.embedded.waiting import until
from tests.web.conftest import signed

BODY = json.dumps([{"event": "delivered", "sg_event_id": "e1", "timestamp": 1, "d": "x.1.0"}]).encode()


def stored(ctx):
    with ctx.ledger.read() as tx:
        kept = tx.all("SELECT account, url, body FROM inbox WHERE state = 0 ORDER BY id")
    return [(row.account, row.url, bytes(row.body)) for row in kept]


def test_a_signed_post_is_stored_byte_for_byte_answered_and_rung(site, ctx, redis_url):
    code, _, said = site.ask("POST", "/webhooks/mail?source=a%20b&x=1", BODY, signed(BODY))
    assert (code, said) == (204, b"")
    assert stored(ctx) == [("mail", "https://alerts.example.com/webhooks/mail?source=a%20b&x=1", BODY)]
    with redis.Redis.from_url(redis_url) as server:
        assert until(lambda: server.llen("events") == 1)


@pytest.mark.parametrize("body", [b"", b"not json", b"{}", b"\xff\xfe", b"[1, null]"])
def test_a_signed_post_that_nobody_can_read_is_parked_and_holds_up_nobody(site, ctx, body):
    for one in (body, BODY):
        assert site.ask("POST", "/webhooks/mail", one, signed(one))[0] == 204
    assert events.apply(ctx) is False
    assert stored(ctx) == []


def test_the_host_header_decides_nothing(site, ctx):
    headers = signed(BODY) | {"Host": "evil.example.net", "X-Forwarded-Host": "evil.example.net"}
    assert site.ask("POST", "/webhooks/mail", BODY, headers)[0] == 204
    assert stored(ctx)[0][1] == "https://alerts.example.com/webhooks/mail"


@pytest.mark.parametrize(
    "headers",
    [
        {},
        signed(b"[]"),
        signed(BODY, stamp=int(time.time()) - 30 * 3600),
        signed(BODY, stamp=int(time.time()) + 3600),
        signed(BODY, key=ec.generate_private_key(ec.SECP256R1())),
        signed(BODY) | {"X-Twilio-Email-Event-Webhook-Signature": "not base64!"},
    ],
    ids=["unsigned", "other body", "old", "future", "other key", "garbage"],
)
def test_what_the_vendor_did_not_sign_leaves_no_trace(site, ctx, headers):
    code, _, said = site.ask("POST", "/webhooks/mail", BODY, headers)
    assert code == 401
    assert json.loads(said) == {"code": "E-SIG", "what": "The signature is missing or wrong."}
    assert stored(ctx) == []


@pytest.mark.parametrize("path", ["/webhooks/nobody", "/webhooks/relay", "/webhooks/", "/webhooks/mail/x", "/webhooks"])
def test_an_account_that_takes_no_events_is_not_there(site, ctx, path):
    code, _, said = site.ask("POST", path, BODY, signed(BODY))
    assert code == 404
    assert json.loads(said)["code"] == "E-NOF"
    assert stored(ctx) == []


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "PATCH"])
def test_other_methods_are_refused(site, method):
    code, headers, _ = site.ask(method, "/webhooks/mail", BODY if method != "GET" else None, signed(BODY))
    assert code == 405
    assert headers["allow"] == "POST"


@pytest.mark.parametrize("declared", [True, False], ids=["declared", "chunked"])
def test_a_body_that_is_too_large_is_refused_before_it_is_looked_at(site, ctx, declared):
    body = b"x" * (intake.LARGEST_BODY + 1)
    pieces = body if declared else iter([body[:1_000_000], body[1_000_000:]])
    code, headers, _ = site.ask("POST", "/webhooks/mail", pieces, signed(body))
    assert code == 413
    assert headers["connection"] == "close"
    assert stored(ctx) == []


def test_a_body_of_the_largest_size_is_taken(site, ctx):
    body = b"[" + b" " * (intake.LARGEST_BODY - 2) + b"]"
    assert site.ask("POST", "/webhooks/mail", body, signed(body))[0] == 204
    assert stored(ctx)[0][2] == body


@pytest.mark.parametrize("coding", ["gzip", "deflate", "br", "identity, gzip"])
def test_compressed_bodies_are_refused_unopened(site, ctx, coding):
    bomb = gzip.compress(b"\0" * 50_000_000)
    code, headers, _ = site.ask("POST", "/webhooks/mail", bomb, signed(bomb) | {"Content-Encoding": coding})
    assert code == 415
    assert headers["accept-encoding"] == "identity"
    assert stored(ctx) == []


def test_a_fault_of_ours_is_a_500_that_tells_nothing(serve, ctx, logged):
    class Broken:
        def __init__(self, inner):
            self.inner = inner

        def __getattr__(self, name):
            return getattr(self.inner, name)

        def verify(self, request):
            raise RuntimeError(f"secret {request.body!r} jo@example.com")

    account = dataclasses.replace(ctx.accounts["mail"], provider=Broken(ctx.accounts["mail"].provider))
    site = serve(dataclasses.replace(ctx, accounts=dict(ctx.accounts) | {"mail": account}))
    code, headers, said = site.ask("POST", "/webhooks/mail", BODY, signed(BODY))
    assert code == 500
    assert set(json.loads(said)) == {"code", "what", "number"}
    assert headers["x-content-type-options"] == "nosniff"
    (line,) = (line for line in logged() if line["event"] == "request_failed")
    assert (line["number"], line["error"]) == (json.loads(said)["number"], "RuntimeError")
    assert "secret" not in json.dumps(logged())


def test_a_flood_of_one_account_is_told_to_come_back(serve, ctx):
    """The verbs wait at a gate until every place is taken: the rest are refused at once, and health still answers."""
    gate = threading.Event()

    class Slow:
        def __init__(self, inner):
            self.inner = inner

        def verify(self, request):
            gate.wait(20)
            raise BadSignature("slow")

        def parse(self, request):
            return []

    account = dataclasses.replace(ctx.accounts["mail"], provider=Slow(ctx.accounts["mail"].provider))
    site = serve(dataclasses.replace(ctx, accounts=dict(ctx.accounts) | {"mail": account}))
    codes = []

    def post():
        codes.append(site.ask("POST", "/webhooks/mail", BODY, signed(BODY))[:2])

    threads = [threading.Thread(target=post) for _ in range(80)]
    for thread in threads:
        thread.start()
    assert until(lambda: len(codes) == 16), "64 of 80 find a place"
    assert {code for code, _ in codes} == {429}
    assert {headers["retry-after"] for _, headers in codes} == {"1"}
    assert site.ask("GET", "/readyz")[0] == 200
    gate.set()
    for thread in threads:
        thread.join()
    assert sorted(code for code, _ in codes) == [401] * 64 + [429] * 16


def test_many_posts_at_once_are_all_kept(site, ctx):
    bodies = [json.dumps([{"sg_event_id": str(n)}]).encode() for n in range(60)]
    codes = []

    def post(body):
        codes.append(site.ask("POST", "/webhooks/mail", body, signed(body))[0])

    threads = [threading.Thread(target=post, args=(body,)) for body in bodies]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert codes == [204] * 60
    assert sorted(body for _, _, body in stored(ctx)) == sorted(bodies)


def test_a_broker_that_is_gone_is_no_matter(serve, ctx):
    ctx.doorbell.close()
    deaf = type(ctx.doorbell)("redis://127.0.0.1:1/0")
    site = serve(dataclasses.replace(ctx, doorbell=deaf))
    assert site.ask("POST", "/webhooks/mail", BODY, signed(BODY))[0] == 204
    assert len(stored(ctx)) == 1
