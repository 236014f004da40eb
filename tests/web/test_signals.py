"""The door for incident tools over a real socket: the right answer to everything that comes, and never a 5xx."""

import asyncio
import dataclasses
import gzip
import json
import socket
import statistics
import threading
import time
from datetime import UTC, datetime

import pytest
import redis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dispatcher.bootstrap import build
from dispatcher.ledger import people
from dispatcher.model.kinds import Mode
from dispatcher.model.person import Person, Role
from dispatcher.services import doors, signals
from dispatcher.web import signals as web_signals
from dispatcher.web.threads import Threads
from dispatcher.wire import Answer, NeverConnected
from tests.embedded.waiting import until
from tests.intake.cloud_samples import CERTIFICATE_AT, TOPIC, certificate
from tests.intake.table import SAMPLES

EVERY = pytest.mark.parametrize("name", list(SAMPLES))


@pytest.fixture
def ctx(make_settings, redis_url):
    blocks = {f"signals.{name}": {"tool": name, **s.settings} for name, s in SAMPLES.items() if s.settings}
    blocks["signals.slow"] = {"tool": "opsgenie", "per_second": 1}
    found = make_settings({"redis_url": redis_url, "port": 0, **blocks}, public_url="https://alerts.example.com")
    ctx = build(found)
    with ctx.ledger.write() as tx:
        ada = people.add(tx, Person(0, "Ada", roles=frozenset({Role.ADMIN})), 1)
    for name, sample in SAMPLES.items():
        if sample.form is not None:
            doors.add_secret(ctx, ada, name, name, value=sample.value, form=sample.form)
    doors.add_secret(ctx, ada, "opsgenie", "slow", value=SAMPLES["opsgenie"].value)
    yield ctx
    ctx.doorbell.close()
    ctx.ledger.close()


@pytest.fixture
def web_settings(ctx):
    return ctx.settings


class Amazon:
    """In place of the wire: the one host that is pinned, and a record of who was asked."""

    def __init__(self, answers):
        self.answers, self.asked = answers, []

    async def request(self, method, url, **_):
        self.asked.append(url)
        if url not in self.answers:
            raise NeverConnected("no such host")
        return Answer(200, {}, self.answers[url])

    async def close(self):
        pass


def now():
    return datetime.now(UTC).replace(microsecond=0)


def prepared(name, payload, body=None, **more):
    sample = SAMPLES[name]
    body = body if body is not None else json.dumps(payload).encode()
    return body, sample.headers(payload, body, now()) | more


def kept(ctx):
    return [(one.tool, one.source, one.repeats) for one in signals.recent(ctx, limit=1000)]


@EVERY
def test_a_proved_post_is_stored_and_answered(serve, ctx, name):
    if name == "aws_sns":
        ctx = dataclasses.replace(ctx, wire=Amazon({CERTIFICATE_AT: fresh_certificate()}))
    site, payload = serve(ctx), SAMPLES[name].opened("7", now())
    body, headers = prepared(name, payload)
    code, _, said = site.ask("POST", f"/signals/{name}/{name}", body, headers)
    assert (code, json.loads(said)["signals"], json.loads(said)["repeat"]) == (202, 1, False)
    code, _, said = site.ask("POST", f"/signals/{name}/{name}", body, headers)
    assert (code, json.loads(said)["repeat"]) == (202, True)
    assert kept(ctx) == [(name, name, 1)]


def test_a_stored_post_rings_for_a_worker(site, redis_url):
    sample, n = SAMPLES["pagerduty"], iter(range(1000))

    def rung():
        body, headers = prepared("pagerduty", sample.opened(f"P{next(n)}", now()))
        assert site.ask("POST", "/signals/pagerduty/pagerduty", body, headers)[0] == 202
        return server.llen("events") == 1

    with redis.Redis.from_url(redis_url) as server:
        assert until(rung)


def fresh_certificate():
    from datetime import timedelta

    return certificate(begins=now() - timedelta(days=1), ends=now() + timedelta(days=1))


@EVERY
def test_bad_posts_get_the_right_answer_and_leave_no_trace(serve, ctx, name):
    """R2, R7: unsigned 401, unreadable 400, too large 413, compressed 415."""
    if name == "aws_sns":
        ctx = dataclasses.replace(ctx, wire=Amazon({}))
    site, path = serve(ctx), f"/signals/{name}/{name}"
    body, headers = prepared(name, SAMPLES[name].opened("7", now()))
    bare = {"content-type": headers["content-type"]}
    unproved = (503,) if name == "aws_sns" else (401,)
    assert site.ask("POST", path, body, bare)[0] in unproved
    assert site.ask("POST", f"/signals/{name}/nobody", body, headers)[0] == 401
    for broken in (b"", b"{", b"[[[", b'{"a":' * 90 + b"1" + b"}" * 90, b"\xff\xfe"):
        own, proof = prepared(name, {}, broken)
        assert site.ask("POST", path, own, proof)[0] == 400, broken
    large = b" " * (web_signals.LARGEST_POST + 1)
    assert site.ask("POST", path, large, prepared(name, {}, large)[1])[0] == 413
    bomb = gzip.compress(b"\0" * 20_000_000)
    assert site.ask("POST", path, bomb, prepared(name, {}, bomb)[1] | {"Content-Encoding": "gzip"})[0] == 415
    assert kept(ctx) == []


@pytest.fixture
def site(serve, ctx):
    return serve(ctx)


@pytest.mark.parametrize(
    "path",
    [
        "/signals/smoke/main",
        "/signals/pagerduty/",
        "/signals/pagerduty/Main",
        "/signals",
        "/signals/pagerduty/a/b",
        "/signals/pagerduty/" + "a" * 99,
    ],
)
def test_what_is_no_door_is_not_there(site, path):
    assert site.ask("POST", path, b"{}")[0] == 404


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
def test_other_methods_are_refused(site, method):
    assert site.ask(method, "/signals/pagerduty/pagerduty")[0] == 405


def test_a_token_at_the_end_of_the_address(site, ctx):
    sample = SAMPLES["statuspage"]
    body = json.dumps(sample.opened("7", now())).encode()
    assert site.ask("POST", f"/signals/statuspage/statuspage.{sample.value}", body)[0] == 202
    assert site.ask("POST", f"/signals/statuspage/statuspage.{sample.value}x", body)[0] == 401
    assert kept(ctx) == [("statuspage", "statuspage", 0)]


def test_a_new_secret_counts_and_an_old_one_ends_without_a_restart(site, ctx):
    with ctx.ledger.read() as tx:
        ada = people.active(tx)[0]
    body, headers = prepared("opsgenie", SAMPLES["opsgenie"].opened("7", now()))
    assert site.ask("POST", "/signals/opsgenie/opsgenie", body, headers)[0] == 202
    made = doors.add_secret(ctx, ada, "opsgenie", "opsgenie")
    doors.retire(ctx, ada, "opsgenie", "opsgenie", keep=1)
    assert until(lambda: site.ask("POST", "/signals/opsgenie/opsgenie", body, headers)[0] == 401)
    assert site.ask("POST", "/signals/opsgenie/opsgenie", body, {"Authorization": f"Bearer {made.value}"})[0] == 202


def test_a_source_that_floods_is_told_to_wait_and_others_are_not(site):
    body, headers = prepared("opsgenie", SAMPLES["opsgenie"].opened("7", now()))
    codes = [site.ask("POST", "/signals/opsgenie/slow", body, headers)[:2] for _ in range(6)]
    assert [code for code, _ in codes][:2] == [202, 202]
    assert codes[-1][0] == 429
    assert int(codes[-1][1]["retry-after"]) >= 1
    assert site.ask("POST", "/signals/opsgenie/opsgenie", body, headers)[0] == 202


def test_slow_senders_of_one_source_leave_room_for_others(site):
    """Each sends a head and no body: their places are taken, everybody else's are not."""
    lines = []

    def crowd():
        for _ in range(web_signals.OPEN_POSTS):
            lines.append(socket.create_connection(("127.0.0.1", site.port), timeout=10))
            lines[-1].sendall(b"POST /signals/opsgenie/slow HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{")
        return site.ask("POST", "/signals/opsgenie/slow", b"{}")[0] == 429

    body, headers = prepared("pagerduty", SAMPLES["pagerduty"].opened("7", now()))
    try:
        assert until(crowd, every=0.5)
        assert site.ask("POST", "/signals/pagerduty/pagerduty", body, headers)[0] == 202
    finally:
        for line in lines:
            line.close()


def test_an_answer_takes_milliseconds(site):
    sample, taken = SAMPLES["pagerduty"], []
    for n in range(30):
        body, headers = prepared("pagerduty", sample.opened(f"P{n}", now()))
        begun = time.perf_counter()
        assert site.ask("POST", "/signals/pagerduty/pagerduty", body, headers)[0] == 202
        taken.append(time.perf_counter() - begun)
    assert statistics.median(taken) < 0.5


def test_a_flood_while_the_sources_are_read_again_waits_for_one_reading(ctx, monkeypatch):
    read, refresh = [], doors.Doors.refresh
    monkeypatch.setattr(doors.Doors, "refresh", lambda self: (time.sleep(0.2), read.append(1), refresh(self)))

    async def flood():
        threads = Threads(1)
        known = web_signals.Known(ctx, threads)
        try:
            return await asyncio.gather(*(known.find("opsgenie", "opsgenie") for _ in range(500)))
        finally:
            threads.close()

    assert all(door.tool == "opsgenie" for door in asyncio.run(flood()))
    assert read == [1]


def test_many_at_once_are_all_kept(site, ctx):
    sample, codes = SAMPLES["pagerduty"], []

    def post(n):
        body, headers = prepared("pagerduty", sample.opened(f"P{n}", now()))
        codes.append(site.ask("POST", "/signals/pagerduty/pagerduty", body, headers)[0])

    threads = [threading.Thread(target=post, args=(n,)) for n in range(40)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert codes == [202] * 40
    assert len(kept(ctx)) == 40


# --- SNS and CloudEvents ask first


def test_sns_is_asked_at_home_only_and_told_to_come_back_when_it_does_not_answer(serve, ctx):
    """R16."""
    sample = SAMPLES["aws_sns"]
    link = f"https://sns.eu-west-1.amazonaws.com/?Action=ConfirmSubscription&TopicArn={TOPIC}&Token=t"
    amazon = Amazon({CERTIFICATE_AT: fresh_certificate()})
    site = serve(dataclasses.replace(ctx, wire=amazon))
    asks = sample.message("You may.", now(), Type="SubscriptionConfirmation", Token="t", SubscribeURL=link)
    body, headers = prepared("aws_sns", asks)
    code, answered, _ = site.ask("POST", "/signals/aws_sns/aws_sns", body, headers)
    assert (code, answered["retry-after"]) == (503, "20"), "the link gave no answer"
    amazon.answers[link] = b"<xml/>"
    assert site.ask("POST", "/signals/aws_sns/aws_sns", body, headers)[0] == 202
    evil = sample.message(
        "You may.", now(), Type="SubscriptionConfirmation", Token="t", SubscribeURL="https://evil.example/"
    )
    body, headers = prepared("aws_sns", evil)
    assert site.ask("POST", "/signals/aws_sns/aws_sns", body, headers)[0] == 401
    foreign = sample.message(
        "x", now(), SigningCertURL="https://sns.x.s3.amazonaws.com/SimpleNotificationService-a.pem"
    )
    body, headers = prepared("aws_sns", foreign)
    assert site.ask("POST", "/signals/aws_sns/aws_sns", body, headers)[0] == 401
    assert set(amazon.asked) == {CERTIFICATE_AT, link}


def test_a_drill_asks_nobody(serve, ctx):
    amazon = Amazon({CERTIFICATE_AT: fresh_certificate()})
    drill = ctx.settings.model_copy(update={"mode": Mode.DRILL})
    site = serve(dataclasses.replace(ctx, wire=amazon, settings=drill))
    body, headers = prepared("aws_sns", SAMPLES["aws_sns"].opened("7", now()))
    assert site.ask("POST", "/signals/aws_sns/aws_sns", body, headers)[0] == 503
    assert amazon.asked == []


def test_cloudevents_may_ask_before_they_post(site):
    code, headers, _ = site.ask(
        "OPTIONS", "/signals/cloudevents/cloudevents", headers={"WebHook-Request-Origin": "e.example.net"}
    )
    assert (code, headers["webhook-allowed-origin"]) == (200, "e.example.net")
    assert site.ask("OPTIONS", "/signals/cloudevents/cloudevents")[0] == 405
    assert site.ask("OPTIONS", "/signals/pagerduty/pagerduty", headers={"WebHook-Request-Origin": "x"})[0] == 405
    avro = {"content-type": "application/cloudevents+avro"}
    body, headers = prepared("cloudevents", {}, b"x")
    assert site.ask("POST", "/signals/cloudevents/cloudevents", body, headers | avro)[0] == 415


def test_a_source_that_is_set_up_wrongly_is_our_fault(serve, ctx):
    wrong = ctx.settings.signals | {"pagerduty": {"tool": "pagerduty", "novel": 1}}
    site = serve(dataclasses.replace(ctx, settings=ctx.settings.model_copy(update={"signals": wrong})))
    body, headers = prepared("pagerduty", SAMPLES["pagerduty"].opened("7", now()))
    assert site.ask("POST", "/signals/pagerduty/pagerduty", body, headers)[0] == 503


def test_no_credential_reaches_a_log(serve, ctx, logged):
    site = serve(ctx)
    sample = SAMPLES["statuspage"]
    site.ask("POST", f"/signals/statuspage/statuspage.{sample.value}", b"{")
    body, headers = prepared("pagerduty", SAMPLES["pagerduty"].opened("7", now()))
    site.ask("POST", "/signals/pagerduty/pagerduty", body, headers)
    told = json.dumps(logged())
    assert sample.value not in told
    assert headers["x-pagerduty-signature"] not in told


# --- anything at all


@given(
    name=st.sampled_from([n for n in SAMPLES if n != "aws_sns"]),
    body=st.binary(max_size=400) | st.text(max_size=200).map(lambda t: json.dumps({t: t}).encode("utf-8", "replace")),
    signed=st.booleans(),
    kind=st.sampled_from(
        ["application/json", "text/plain", "application/x-www-form-urlencoded", "", "multipart/form-data"]
    ),
)
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
def test_whatever_comes_is_never_our_fault(site, name, body, signed, kind):
    sample = SAMPLES[name]
    headers = sample.sign(body, now(), sample.value) if signed else {}
    code = site.ask("POST", f"/signals/{name}/{name}", body, headers | {"content-type": kind})[0]
    assert code in ((202, 400, 415, 429) if signed else (401, 429))
