"""A sandbox in a thread: it starts, says why it cannot, and leaves nothing behind."""

import socket
import threading

import pytest

from dispatcher.sandbox.config import SandboxConfig
from dispatcher.sandbox.loopback import NotLoopback
from dispatcher.sandbox.threaded import running


def test_it_leaves_no_thread_and_no_port():
    before = threading.active_count()
    with running() as sandbox:
        assert sandbox.smtp_port
        assert sandbox.state()["base_url"] == sandbox.base_url == sandbox.urls["x"]
        port = int(sandbox.base_url.rsplit(":", 1)[1])
    assert threading.active_count() == before
    for closed in (port, sandbox.smtp_port):
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", closed), timeout=1)


def test_what_stops_it_from_starting_is_raised_here():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        with pytest.raises(OSError, match="in use"):
            with running(port=taken.getsockname()[1], smtp_port=None):
                pytest.fail("it started")
    with pytest.raises(NotLoopback):
        with running(SandboxConfig(host="0.0.0.0")):
            pytest.fail("it started")


def test_it_ends_while_somebody_is_stalled():
    with running(faults={"*": {"stall": 1.0, "stall_seconds": 60}}, smtp_port=None) as sandbox:
        host, port = sandbox.base_url.removeprefix("http://").split(":")
        waiting = socket.create_connection((host, int(port)), timeout=5)
        waiting.sendall(b"POST /2/tweets HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer x\r\nContent-Length: 0\r\n\r\n")
    assert waiting.recv(100) == b""
    waiting.close()


def test_it_also_listens_on_the_other_loopback():
    with running(host="::1", smtp_port=None) as sandbox:
        assert sandbox.base_url.startswith("http://[::1]:")
        assert sandbox.counters("x") == {}
