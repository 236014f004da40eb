"""What monitors ask: answers from a real ledger, with a real broker that is there or not."""

import dataclasses
import json
import re
import threading
import time

import pytest

from dispatcher.doorbell import QUEUES, Doorbell
from dispatcher.services import health
from dispatcher.web.health import exposition
from tests.embedded.waiting import until
from tests.services.world import World

SAMPLE = re.compile(r'^dispatcher_[a-z_]+(?:\{[a-z]+="[^"\n]*"(?:,[a-z]+="[^"\n]*")*\})? -?[0-9.e+]+$')


def figures(text):
    """Samples by name and labels; every line is checked against the format."""
    lines = text.splitlines()
    samples = [line for line in lines if not line.startswith("#")]
    assert all(SAMPLE.match(line) for line in samples), samples
    return {name: float(value) for name, value in (line.rsplit(" ", 1) for line in samples)}


def test_alive_asks_nobody(serve, ctx):
    site = serve(ctx)
    ctx.ledger.close()
    ctx.settings.work_dir.joinpath("ledger.db").rename(ctx.settings.work_dir / "gone.db")
    assert site.ask("GET", "/healthz")[::2] == (200, b"ok\n")


def test_ready_says_what_is_there(site):
    code, _, said = site.ask("GET", "/readyz")
    assert code == 200
    assert json.loads(said) == {"ready": True, "held": False, "broker": True}


def test_without_a_broker_it_is_ready_all_the_same(serve, ctx):
    said = serve(dataclasses.replace(ctx, doorbell=Doorbell(""))).ask("GET", "/readyz")[2]
    assert json.loads(said) == {"ready": True, "held": False, "broker": False}


def test_without_a_ledger_it_is_not_ready_and_recovers(serve, ctx):
    site = serve(ctx)
    file = ctx.settings.work_dir / "ledger.db"
    ctx.ledger.close()
    file.rename(file.with_name("away.db"))
    code, _, said = site.ask("GET", "/readyz")
    assert code == 503
    assert json.loads(said)["code"] == "E-HTTP-AWAY"
    ctx.ledger.close()
    file.with_name("away.db").rename(file)
    assert until(lambda: site.ask("GET", "/readyz")[0] == 200)


def test_a_ledger_that_hangs_is_not_waited_for(serve, ctx, monkeypatch):
    gate = threading.Event()
    monkeypatch.setattr(health, "snapshot", lambda ctx: gate.wait(20))
    monkeypatch.setattr("dispatcher.web.health.PATIENCE_SECONDS", 0.3)
    site = serve(ctx)
    try:
        code, headers, _ = site.ask("GET", "/readyz")
        assert (code, headers["retry-after"]) == (503, "5")
        assert site.ask("GET", "/healthz")[0] == 200
    finally:
        gate.set()


def test_metrics_are_for_those_who_ask_directly(site):
    assert site.ask("GET", "/metrics")[0] == 200
    for name in ("X-Forwarded-For", "Forwarded", "X-Real-IP", "Via"):
        assert site.ask("GET", "/metrics", headers={name: "192.0.2.1"})[0] == 404


def test_metrics_are_read_once_a_second(serve, ctx, monkeypatch):
    looks = []
    real = health.snapshot
    monkeypatch.setattr(health, "snapshot", lambda ctx: looks.append(1) or real(ctx))
    site, began = serve(ctx), time.monotonic()
    assert {site.ask("GET", "/metrics")[0] for _ in range(20)} == {200}
    assert len(looks) <= 1 + time.monotonic() - began


def test_the_figures_are_the_ledgers(tmp_path, database_url, serve):
    world = World(tmp_path, database_url, port=0)
    world.add_account("mail", "email")
    world.add_account("text", "sms")
    world.audience(1500, no_phone={7, 8, 9})
    broadcast = world.broadcast(["email", "sms"], {"email": ["mail"], "sms": ["text"]})
    world.release(broadcast)
    world.clock.pass_by(5)
    site = serve(world.ctx)
    found = figures(site.ask("GET", "/metrics")[2].decode())
    assert found['dispatcher_deliveries{channel="email",state="pending"}'] == 1500
    assert found['dispatcher_deliveries{channel="sms",state="pending"}'] == 1497
    assert found['dispatcher_due_batches{channel="email"}'] == 2
    assert 4 <= found['dispatcher_due_seconds{channel="email"}'] <= 6
    assert found['dispatcher_account_open{account="mail"}'] == 1
    assert found['dispatcher_channel_frozen{channel="sms"}'] == 0
    assert found["dispatcher_hold"] == 0
    assert found["dispatcher_broker_up"] == 0
    assert found["dispatcher_events_waiting"] == 0
    world.drain("email")
    snapshot = health.snapshot(world.ctx)
    assert snapshot["deliveries"]["email"]["accepted"] == 1500
    assert "email" not in snapshot["due"]
    world.ctx.ledger.close()


def test_the_format_escapes_what_a_label_may_not_hold():
    snapshot = {
        "hold": "why", "broadcasts": {"released": 1}, "deliveries": {"email": {"pending": 1_234_567}}, "due": {},
        "events": {"waiting": 0, "seconds": 0.0}, "accounts": {'a"b\\c\nd': "paused"}, "channels": {"email": "frozen"},
        "rings": dict.fromkeys(QUEUES, 1),
    }  # fmt: skip
    text = "".join(exposition(snapshot))
    assert 'account="a\\"b\\\\c\\nd"} 0\n' in text
    assert 'dispatcher_deliveries{channel="email",state="pending"} 1234567\n' in text
    assert "dispatcher_hold 1\n" in text
    assert "dispatcher_broker_up 1\n" in text
    assert text.count("# TYPE") == text.count("# HELP") == 11


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/metrics"])
def test_they_change_nothing(site, path):
    assert site.ask("POST", path, b"")[0] == 405
