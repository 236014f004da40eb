"""A running sandbox, a real receiver for its events, and plain requests without any SDK."""

import base64
import json
import threading
import time
from dataclasses import dataclass, field
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qsl, urlencode, urlsplit

import pytest

from dispatcher.sandbox import record
from dispatcher.sandbox.config import DEFAULT_ACCOUNTS, EventPlan
from dispatcher.sandbox.threaded import running

ACCOUNT_SID = DEFAULT_ACCOUNTS[1].user
QUICK = EventPlan(delay=(0, 0.005), batch_seconds=0.01, retries=(0.02, 0.05))


@dataclass
class Posted:
    """One event POST exactly as it arrived."""

    url: str
    headers: dict[str, str]
    body: bytes

    @property
    def form(self):
        return dict(parse_qsl(self.body.decode(), keep_blank_values=True))


@dataclass
class Receiver:
    """Where events go. `statuses` are given in turn, then 204; `hang` answers nothing."""

    url: str = ""
    posted: list[Posted] = field(default_factory=list)
    statuses: list[int] = field(default_factory=list)

    @property
    def events(self):
        return [event for post in self.posted for event in json.loads(post.body)]


def _handler(receiver):
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"]))
            receiver.posted.append(Posted(receiver.url + self.path, dict(self.headers), body))
            self.send_response(receiver.statuses.pop(0) if receiver.statuses else 204)
            self.send_header("Location", "http://192.0.2.1/elsewhere")
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_):
            return

    return Handler


@pytest.fixture
def receiver():
    found = Receiver()
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(found))
    found.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    yield found
    server.shutdown()
    server.server_close()
    thread.join()


@dataclass
class Reply:
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self):
        return json.loads(self.body)


class Caller:
    """Speaks to a sandbox without any SDK; every call is a connection of its own."""

    def __init__(self, sandbox, path):
        self.sandbox = sandbox
        self.path = path

    def call(self, method, path, body=None, headers=None, *, timeout=5):
        connection = HTTPConnection(urlsplit(self.sandbox.base_url).netloc, timeout=timeout)
        try:
            connection.request(method, path, body=body, headers=headers or {})
            answer = connection.getresponse()
            return Reply(answer.status, dict(answer.headers), answer.read())
        finally:
            connection.close()

    def mail(self, body, *, key="SG.sandbox", **headers):
        data = body if isinstance(body, bytes) else json.dumps(body)
        sent = {"Authorization": f"Bearer {key}", "Content-Type": "application/json", **headers}
        return self.call("POST", "/v3/mail/send", data, sent)

    def text(self, *, token="sandbox-token", **fields):
        sent = {"Content-Type": "application/x-www-form-urlencoded", **basic(token)}
        given = {"To": "+447700900100", "From": "+447700900001", "Body": "Hello", **fields}
        data = urlencode({name: value for name, value in given.items() if value is not None})
        return self.call("POST", f"/2010-04-01/Accounts/{ACCOUNT_SID}/Messages.json", data, sent)

    def texts(self, path="", token="sandbox-token", **query):
        url = f"/2010-04-01/Accounts/{ACCOUNT_SID}/Messages{path}.json?{urlencode(query)}"
        return self.call("GET", url, headers=basic(token))

    def post(self, body, *, bearer="anything", **headers):
        sent = {"Authorization": f"Bearer {bearer}", "Content-Type": "application/json", **headers}
        return self.call("POST", "/2/tweets", json.dumps(body), sent)

    def tally(self):
        return record.judge(self.path)

    def lines(self):
        return list(record.lines(self.path))


def basic(token):
    return {"Authorization": "Basic " + base64.b64encode(f"{ACCOUNT_SID}:{token}".encode()).decode()}


def a_mail(*addresses, **more):
    """A valid body for one or more recipients; the key of each is k0, k1, ..."""
    people = [
        {"to": [{"email": address}], "custom_args": {"d": f"k{at}"}}
        for at, address in enumerate(addresses or ("ann@example.com",))
    ]
    return {
        "personalizations": people,
        "from": {"email": "news@example.org", "name": "News"},
        "subject": "An update",
        "content": [{"type": "text/plain", "value": "Hello"}, {"type": "text/html", "value": "<p>Hello</p>"}],
    } | more


def until(look, seconds=60):
    """What `look` finds once it finds something; fails after `seconds`."""
    ends = time.monotonic() + seconds
    while not (found := look()):
        assert time.monotonic() < ends, "it never came"
        time.sleep(0.005)
    return found


def accounts(**changes):
    """The default accounts, some changed: `accounts(sendgrid={"events_url": ...})`."""
    return tuple(account.model_copy(update=changes.get(account.name, {})) for account in DEFAULT_ACCOUNTS)


@pytest.fixture
def stage(tmp_path):
    """Starts sandboxes with a record each; they end with the test."""
    started = []

    def start(**settings):
        path = tmp_path / f"record{len(started)}.jsonl"
        context = running(**{"record": str(path), "events": QUICK, "smtp_port": None, **settings})
        sandbox = context.__enter__()
        started.append(context)
        return Caller(sandbox, path)

    yield start
    for context in started:
        context.__exit__(None, None, None)


@pytest.fixture
def plain(stage):
    """A sandbox that behaves."""
    return stage()
