"""The Procfile as it ships: web, worker and beat under the supervisor, the real services, a vendor on loopback."""

import http.client
import http.server
import json
import os
import signal
import socket
import threading
from datetime import UTC, datetime

import pytest

from dispatcher.embedded.procfile import load
from dispatcher.embedded.supervisor import Patience, Supervisor
from tests.embedded.test_supervisor import Lines
from tests.embedded.waiting import gone, until
from tests.services.world import World
from tests.web.conftest import PUBLIC, signed
from tests.workers.conftest import ROOT

pytestmark = pytest.mark.e2e
PEOPLE = 3000


class Sink(http.server.BaseHTTPRequestHandler):
    """Takes mail as SendGrid does and writes down for whom."""

    protocol_version = "HTTP/1.1"
    keys: list

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.keys.extend(one["custom_args"]["d"] for one in body["personalizations"])
        self.send_response(202)
        self.send_header("X-Message-Id", f"m{len(self.server.keys)}")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass


@pytest.fixture
def sink():
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Sink)
    server.keys = []
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.fixture
def world(tmp_path, own_broker, sink, database_url):
    account = {
        "kind": "sendgrid", "api_key": "SG.test.key", "sender": "news@example.com", "webhook_key": PUBLIC,
        "base_url": f"http://127.0.0.1:{sink.server_port}",
    }  # fmt: skip
    world = World(
        tmp_path,
        database_url,
        redis_url=own_broker.redis_url,
        port=free_port(),
        providers={"mail": account},
        mode="drill",
        public_url="https://alerts.example.com",
    )
    world.clock.moment = datetime.now(UTC)
    world.audience(PEOPLE)
    yield world
    world.ctx.doorbell.close()
    world.ctx.ledger.close()


@pytest.fixture
def up(world, own_broker, tmp_path):
    """Everything running: (supervisor, what it said)."""
    env = world.settings.child_environment()
    lines, patience = Lines(), Patience(restart_first=0.1, grace=20)
    supervisor = Supervisor(
        load(ROOT / "Procfile", env), env=env | {"PYTHONPATH": str(ROOT)}, cwd=tmp_path, say=lines,
        keep=[own_broker.ensure], patience=patience,
    )  # fmt: skip
    with supervisor:
        yield supervisor, lines
        pids = list(supervisor.pids().values())
    assert all(gone(pid) for pid in pids)


def send(world):
    world.clock.moment = datetime.now(UTC)
    broadcast = world.broadcast(["email"], {"email": ["mail"]})
    world.release(broadcast)
    return broadcast


def post(world, events):
    body = json.dumps(events).encode()
    connection = http.client.HTTPConnection("127.0.0.1", world.settings.port, timeout=20)
    try:
        connection.request("POST", "/webhooks/mail", body, signed(body))
        return connection.getresponse().status
    except OSError:
        return None
    finally:
        connection.close()


def test_from_release_to_delivered_while_the_broker_dies_and_the_worker_is_restarted(world, up, own_broker, sink):
    """Everyone is told once, and the vendor's events close what they name."""
    supervisor, lines = up
    broadcast = send(world)
    assert until(lambda: sink.keys, 40), lines.told
    os.kill(own_broker.pid, signal.SIGKILL)
    os.kill(supervisor.pids()["worker"], signal.SIGTERM)
    done = until(lambda: world.sums(broadcast, "email").get("accepted") == PEOPLE, 60, 0.3)
    assert done, (world.sums(broadcast, "email"), lines.told)
    assert len(sink.keys) == len(set(sink.keys)) == PEOPLE
    assert supervisor.restarts()["worker"] >= 1
    events = [{"event": "delivered", "sg_event_id": f"e{key}", "timestamp": 1, "d": key} for key in sink.keys[:500]]
    assert until(lambda: post(world, events) == 204, 20, 0.1)
    assert until(lambda: world.sums(broadcast, "email").get("delivered") == 500, every=0.3), world.sums(
        broadcast, "email"
    )
    assert supervisor.restarts()["web"] == 0
