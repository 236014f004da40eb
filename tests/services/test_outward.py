"""Notices to our own systems, over real sockets and a moved clock: signed, at least once, under one id."""

import asyncio
import base64
import ipaddress
import json
import socket
import threading
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from standardwebhooks import Webhook, WebhookVerificationError

from dispatcher.errors import ConfigurationError, NotFound
from dispatcher.ledger import people
from dispatcher.model.incident import Phase, Visibility
from dispatcher.model.kinds import Mode
from dispatcher.model.person import Person, Role
from dispatcher.policy.reach import reach
from dispatcher.services import incidents, outward, ticking
from dispatcher.services.incidents import Change, Opening
from dispatcher.settings import Settings
from tests.services.world import World

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
OTHER = "whsec_" + base64.b64encode(bytes(range(32))).decode()


class Receiver:
    """A system of ours: keeps what came, answers what its script says (a code, headers, or None: hangs up)."""

    def __init__(self):
        self.posts, self.script = [], []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["content-length"]))
                outer.posts.append(({k.lower(): v for k, v in self.headers.items()}, body))
                answer = outer.script.pop(0) if outer.script else (204, {})
                if answer is None:
                    self.connection.shutdown(socket.SHUT_RDWR)
                    return
                self.send_response(answer[0])
                for name, value in answer[1].items():
                    self.send_header(name, value)
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/hook"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    @property
    def told(self):
        return [json.loads(body) for _, body in self.posts]


@pytest.fixture
def receiver():
    found = Receiver()
    yield found
    found.server.shutdown()
    found.server.server_close()


@pytest.fixture
def make(tmp_path, database_url, receiver):
    made = []

    def build(**more):
        hub = {"url": receiver.url, "secret": SECRET, "networks": "127.0.0.0/8", "timeout": 5} | more
        world = World(tmp_path, database_url, **{"outward.hub": hub})
        with world.ctx.ledger.write() as tx:
            known = next((one for one in people.active(tx) if one.name == "Ana"), None)
            roles = frozenset({Role.AUTHOR, Role.OPERATOR})
            world.ana = known or people.add(tx, Person(0, "Ana", roles=roles), 1)
        ticking.tick(world.ctx)
        made.append(world)
        return world

    yield build
    for world in made:
        world.ctx.ledger.close()


def opened(world, **more):
    return incidents.open_incident(world.ctx, world.ana, Opening("Tills down", **{"mode": Mode.LIVE} | more))


def deliver(world):
    ticking.tick(world.ctx)
    return asyncio.run(outward.deliver(world.ctx))


def states(world):
    return [(one.type, one.state, one.tries) for one in reversed(outward.listing(world.ctx))]


def test_the_vector_of_the_standard():
    """The example of the Standard Webhooks reference libraries: id, time, payload and signature."""
    headers = outward.signed(
        [base64.b64decode(SECRET.removeprefix("whsec_"))], "msg_p5jXN8AQM9LWM0D4loKWxJek",
        datetime.fromtimestamp(1614265330, UTC), '{"test": 2432232314}',
    )  # fmt: skip
    assert headers["webhook-signature"] == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
    assert headers["webhook-timestamp"] == "1614265330"


def test_what_happens_is_told_once_and_verifies(make, receiver, monkeypatch):
    world = make()
    incident = opened(world)
    incidents.update(world.ctx, world.ana, incident.ref, Change(phase=Phase.IDENTIFIED, note="an internal note"))
    deliver(world)
    deliver(world)
    assert sorted(one["type"] for one in receiver.told) == ["incident.changed", "incident.opened"]
    headers, body = next(post for post in receiver.posts if json.loads(post[1])["type"] == "incident.changed")
    told = json.loads(body)
    assert told["timestamp"] == "2026-03-01T12:00:00Z"
    assert told["data"]["phase"] == "identified"
    assert b"Ana" not in body
    assert b"internal note" not in body
    monkeypatch.setattr("standardwebhooks.webhooks.datetime", Frozen)
    assert Webhook(SECRET).verify(body, headers)["type"] == "incident.changed"
    with pytest.raises(WebhookVerificationError):
        Webhook(OTHER).verify(body, headers)
    assert len({headers["webhook-id"] for headers, _ in receiver.posts}) == 2


class Frozen(datetime):
    @classmethod
    def now(cls, tz=None):
        return datetime(2026, 3, 1, 12, 0, tzinfo=tz)


def test_while_one_secret_replaces_another_both_sign(make, receiver, monkeypatch):
    world = make(secret=OTHER, old_secret=SECRET)
    opened(world)
    deliver(world)
    monkeypatch.setattr("standardwebhooks.webhooks.datetime", Frozen)
    headers, body = receiver.posts[0]
    for secret in (SECRET, OTHER):
        Webhook(secret).verify(body, headers)


def test_a_lost_answer_comes_again_under_the_same_id(make, receiver):
    world = make()
    receiver.script = [None, (500, {}), (429, {"retry-after": "100"}), (302, {"location": receiver.url})]
    opened(world)
    for wait in (0, 7, 30, 101, 400):
        world.clock.pass_by(wait)
        deliver(world)
    assert len(receiver.posts) == 5
    assert len({headers["webhook-id"] for headers, _ in receiver.posts}) == 1
    assert len({body for _, body in receiver.posts}) == 1
    assert states(world) == [("incident.opened", "done", 5)]


def test_nothing_comes_before_its_time(make, receiver):
    world = make()
    receiver.script = [(429, {"retry-after": "1000"})]
    opened(world)
    deliver(world)
    world.clock.pass_by(990)
    deliver(world)
    assert len(receiver.posts) == 1
    world.clock.pass_by(11)
    deliver(world)
    assert len(receiver.posts) == 2


def test_a_worker_that_died_in_between_is_followed_by_another_one_under_the_same_id(make, receiver, monkeypatch):
    world = make()
    opened(world)
    with monkeypatch.context() as dying:
        dying.setattr(outward, "_judge", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            deliver(world)
    deliver(world)
    assert len(receiver.posts) == 1  # its lease runs
    world.clock.pass_by(36)
    deliver(world)
    assert len(receiver.posts) == 2
    assert len({headers["webhook-id"] for headers, _ in receiver.posts}) == 1
    assert states(world) == [("incident.opened", "done", 2)]


def test_two_workers_at_once_call_once(make, receiver):
    world = make()
    for _ in range(5):
        opened(world)
    ticking.tick(world.ctx)

    async def both():
        await asyncio.gather(outward.deliver(world.ctx), outward.deliver(world.ctx))

    asyncio.run(both())
    assert len(receiver.posts) == 5


def test_after_five_days_it_is_given_up_listed_and_sent_again_by_a_person(make, receiver):
    world = make()
    receiver.script = [(500, {})] * 99
    opened(world)
    for _ in range(60):
        deliver(world)
        world.clock.pass_by(3 * 3600)
    (dead,) = outward.listing(world.ctx, given_up=True)
    assert dead.why == "Nobody took it within five days. Last: answered 500"
    assert 10 <= dead.tries <= 20
    before = len(receiver.posts)
    receiver.script = []
    assert outward.retry(world.ctx, world.ana, "hub") == 1
    deliver(world)
    assert len(receiver.posts) == before + 1
    assert outward.listing(world.ctx, given_up=True) == []
    with pytest.raises(NotFound):
        outward.retry(world.ctx, world.ana, "nowhere")


def test_whoever_says_gone_is_left_alone(make, receiver):
    world = make()
    receiver.script = [(410, {})]
    opened(world)
    for _ in range(3):
        deliver(world)
        world.clock.pass_by(3600)
    assert len(receiver.posts) == 1
    assert states(world) == [("incident.opened", "given up", 1)]


def test_only_what_was_asked_for_and_nothing_private(make, receiver):
    world = make(acts="incident.closed")
    first, second = opened(world), opened(world, visibility=Visibility.PRIVATE)
    for one in (first, second):
        incidents.close(world.ctx, world.ana, one.ref)
    deliver(world)
    assert [(one["type"], one["data"]["incident"]) for one in receiver.told] == [("incident.closed", first.ref)]


def test_what_happened_before_a_destination_was_named_is_not_told(make, receiver):
    world = make(enabled=False)
    opened(world)
    again = make()
    later = opened(again)
    deliver(again)
    assert [one["data"]["incident"] for one in receiver.told] == [later.ref]


# --- where it may go


def test_a_drill_is_told_on_this_machine_only(make, receiver):
    outside = make(url="https://hooks.example.com/in")
    opened(outside, mode=Mode.DRILL)
    ticking.tick(outside.ctx)
    assert states(outside) == []
    inside = make()
    opened(inside, mode=Mode.DRILL)
    deliver(inside)
    assert {one["data"]["mode"] for one in receiver.told} == {"drill"}


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::1]", "[::ffff:127.0.0.1]", "0x7f.1", "0.0.0.0"])
def test_this_machine_is_refused_unless_the_settings_name_it(make, receiver, host):
    port = receiver.server.server_port
    world = make(url=f"http://{host}:{port}/hook", networks="10.0.0.0/8")
    opened(world)
    deliver(world)
    assert receiver.posts == []
    assert states(world) == [("incident.opened", "due", 1)]
    assert "not allowed" in outward.listing(world.ctx)[0].why


def test_a_name_is_judged_by_the_addresses_it_leads_to_at_the_call(make, receiver, monkeypatch):
    """What was looked up earlier counts for nothing, and one forbidden address among good ones is enough."""
    real = socket.getaddrinfo
    port = receiver.server.server_port

    def mixed(host, *rest, **more):
        if host == "hooks.example.com":
            places = ("203.0.113.9", "127.0.0.1")
            return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (place, port)) for place in places]
        return real(host, *rest, **more)

    monkeypatch.setattr(socket, "getaddrinfo", mixed)
    world = make(url=f"http://hooks.example.com:{port}/hook", networks="203.0.113.0/24")
    opened(world)
    deliver(world)
    assert receiver.posts == []
    assert "not allowed" in outward.listing(world.ctx)[0].why


@pytest.mark.parametrize(
    "address",
    ["127.0.0.1", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1", "0.0.0.0", "224.0.0.1",
     "255.255.255.255", "::1", "::", "fe80::1%eth0", "fc00::1", "ff02::1", "::ffff:10.0.0.1", "64:ff9b::a00:1",
     "2002:a00:1::", "2001:db8::1", "fd00:ec2::254", "nonsense", "",
     "192.0.0.192", "192.88.99.1", "fec0::1", "3fff::1"],
)  # fmt: skip
def test_addresses_inside_are_refused(address):
    assert not reach(())(address)


def test_addresses_outside_and_named_ones_are_allowed():
    assert all(reach(())(one) for one in ("1.1.1.1", "2606:4700::1111", "::ffff:1.1.1.1", "64:ff9b::101:101"))
    named = reach([ipaddress.ip_network("10.0.0.0/8"), ipaddress.ip_network("fd00::/8")])
    assert named("10.9.9.9")
    assert named("fd00::5")
    assert named("::ffff:10.9.9.9")
    assert not named("192.168.0.1")
    assert not reach([ipaddress.ip_network("10.0.0.0/8")], loopback_only=True)("10.9.9.9")
    assert not reach((), loopback_only=True)("127.0.0.1")


def test_pauses_grow_to_half_a_day():
    assert [pytest.approx(outward.pause(n, 0)) for n in (1, 2, 3)] == [5, 20, 80]
    assert outward.pause(500, 0) == 12 * 3600
    assert 4 <= outward.pause(1, -0.2) <= outward.pause(1, 0.2) <= 6


@pytest.mark.parametrize(
    "wrong",
    [{"url": "ftp://example.com"}, {"url": "https://user:pw@example.com/"}, {"url": "example.com"},
     {"secret": "whsec_short"}, {"secret": "plain words that are long enough"}, {"networks": "10.0.0.0/99"},
     {"acts": "incident.opened,nonsense"}, {"timeout": 300}],
    ids=str,
)  # fmt: skip
def test_settings_that_cannot_be_meant_are_refused(wrong):
    block = {"url": "https://hooks.example.com/x", "secret": SECRET} | wrong
    with pytest.raises(ConfigurationError) as caught:
        Settings.load(overrides={"outward.hub": block}, env={})
    assert "pw" not in str(caught.value.as_dict())
