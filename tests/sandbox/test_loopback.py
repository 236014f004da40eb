"""Nothing leaves this machine, whatever it is asked."""

import asyncio
import socket

import aiohttp
import pytest

from dispatcher.sandbox.config import SandboxConfig
from dispatcher.sandbox.loopback import NotLoopback, connector, is_loopback, require_url
from dispatcher.sandbox.postman import Carrier
from dispatcher.sandbox.server import Sandbox
from tests.sandbox.conftest import accounts


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.9.1", "localhost", "::1", "[::1]"])
def test_this_machine(host):
    assert is_loopback(host)


@pytest.mark.parametrize(
    "host",
    ["0.0.0.0", "::", "192.0.2.1", "10.0.0.1", "169.254.169.254", "example.com", "localhost.example.com", "2130706433",
     "0x7f.1", "127.1", "::ffff:192.0.2.1", ""],
)  # fmt: skip
def test_not_this_machine(host):
    assert not is_loopback(host)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "example.com", "192.0.2.1", ""])
def test_it_binds_nowhere_else(host):
    with pytest.raises(NotLoopback, match="loopback only"):
        Sandbox(SandboxConfig(host=host))


@pytest.mark.parametrize(
    "url",
    ["http://192.0.2.1/x", "http://example.com/x", "https://127.0.0.1/x", "http://127.0.0.1@192.0.2.1/x",
     "http://user@127.0.0.1/x", "file:///etc/passwd", "//127.0.0.1/x", "http://[::1/x", "http://127.0.0.1:x/", ""],
)  # fmt: skip
def test_it_posts_nowhere_else(url):
    with pytest.raises(NotLoopback):
        require_url(url)


def test_an_events_url_elsewhere_stops_the_start():
    there = accounts(sendgrid={"events_url": "http://192.0.2.1/hook"})
    with pytest.raises(NotLoopback):
        Sandbox(SandboxConfig(accounts=there))


def test_the_pool_itself_connects_nowhere_else():
    """The gate at the socket holds even for a caller that forgets to check the URL, and for every name."""

    async def ask(url):
        async with aiohttp.ClientSession(connector=connector(limit=1)) as session:
            await session.get(url, timeout=aiohttp.ClientTimeout(total=2))

    for url in ("http://192.0.2.1:9/", "http://example.com:9/", "http://localhost.example.com/"):
        with pytest.raises(aiohttp.ClientConnectorError, match=r"loopback only|no names"):
            asyncio.run(ask(url))


def test_a_redirect_is_not_followed(receiver):
    receiver.statuses = [302]

    async def post():
        carrier = Carrier()
        carrier.start(2)
        try:
            return await carrier.post(receiver.url + "/hook", b"x", {})
        finally:
            await carrier.stop()

    assert asyncio.run(post()) == 302
    assert len(receiver.posted) == 1


def test_a_callback_to_elsewhere_is_never_connected(plain, monkeypatch):
    reached = []
    real = socket.socket.connect
    monkeypatch.setattr(socket.socket, "connect", lambda s, a: reached.append(a) or real(s, a))
    assert plain.text(StatusCallback="http://192.0.2.1/cb?d=k1").status == 201
    assert plain.sandbox.drained(5)
    assert plain.sandbox.state()["events"]["not_loopback"] == 2
    assert all(address[0] == "127.0.0.1" for address in reached)
    assert plain.tally().counts == {"k1": 1}
