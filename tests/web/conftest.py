"""The real application over a real ledger, served by the real server on a loopback port."""

import base64
import http.client
import io
import json
import logging
import threading
import time

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from dispatcher import log
from dispatcher.bootstrap import build
from dispatcher.web.app import create
from dispatcher.web.server import server
from tests.embedded.waiting import until

KEY = ec.generate_private_key(ec.SECP256R1())
PUBLIC = base64.b64encode(
    KEY.public_key().public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
).decode()


def signed(body, stamp=None, key=KEY):
    """Headers with which SendGrid posts this body."""
    stamp = str(int(time.time()) if stamp is None else stamp)
    signature = base64.b64encode(key.sign(stamp.encode() + body, ec.ECDSA(hashes.SHA256()))).decode()
    return {
        "Content-Type": "application/json",
        "X-Twilio-Email-Event-Webhook-Signature": signature,
        "X-Twilio-Email-Event-Webhook-Timestamp": stamp,
    }


@pytest.fixture
def web_settings(make_settings, redis_url):
    account = {"kind": "sendgrid", "api_key": "SG.test.key", "sender": "news@example.com", "webhook_key": PUBLIC}
    silent = {"kind": "smtp", "base_url": "smtp://127.0.0.1:1", "sender": "news@example.com"}
    return make_settings(
        {"providers": {"mail": account, "relay": silent}, "redis_url": redis_url, "port": 0},
        public_url="https://alerts.example.com",
    )


@pytest.fixture
def ctx(web_settings):
    web_settings.work_dir.mkdir(parents=True)
    ctx = build(web_settings)
    assert set(ctx.accounts) == {"mail", "relay"}, ctx.unusable
    yield ctx
    ctx.doorbell.close()
    ctx.ledger.close()


@pytest.fixture
def logged():
    """What this process logs during the test, as JSON lines; the former handlers come back afterwards."""
    root, stream = logging.getLogger(), io.StringIO()
    former = list(root.handlers), root.level
    log.configure(form="json", stream=stream)
    yield lambda: [json.loads(line) for line in stream.getvalue().splitlines()]
    root.handlers[:], root.level = former


class Site:
    """A running server, and small clients for it."""

    def __init__(self, running):
        self.running = running
        self.thread = threading.Thread(target=running.run, daemon=True)
        self.thread.start()
        assert until(lambda: running.started)
        self.port = running.servers[0].sockets[0].getsockname()[1]

    def ask(self, method, path, body=None, headers=None):
        """(code, headers, body) of one request."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        try:
            connection.request(method, path, body=body, headers=headers or {})
            answer = connection.getresponse()
            return answer.status, {k.lower(): v for k, v in answer.getheaders()}, answer.read()
        finally:
            connection.close()

    def stop(self):
        self.running.should_exit = True
        self.thread.join(10)


@pytest.fixture
def serve(web_settings):
    """Serves a context; stops with the test."""
    sites = []

    def begin(ctx):
        sites.append(Site(server(ctx.settings, create(ctx))))
        return sites[-1]

    yield begin
    for site in sites:
        site.stop()


@pytest.fixture
def site(serve, ctx):
    return serve(ctx)
