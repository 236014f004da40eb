"""The server process: clients that are too slow, requests that are none, and a shutdown that does not wait for them."""

import os
import signal
import socket
import subprocess
import sys
import time

import psutil
import pytest

from dispatcher.web import intake, server
from tests.embedded.waiting import until
from tests.web.conftest import signed


def connect(site):
    return socket.create_connection(("127.0.0.1", site.port), timeout=10)


def read_all(wire):
    pieces = []
    while piece := wire.recv(65536):
        pieces.append(piece)
    return b"".join(pieces)


def ask_and_read(wire):
    wire.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
    answer = b""
    while b"ok\n" not in answer and (piece := wire.recv(65536)):
        answer += piece
    assert answer.startswith(b"HTTP/1.1 200")
    assert answer.endswith(b"ok\n")


def babble(wire):
    """Header after header without an end, never silent for long."""
    for number in range(300):
        wire.sendall(b"X-%d: x\r\n" % number)
        time.sleep(0.1)


def test_whoever_sends_no_whole_head_is_hung_up_on(site, monkeypatch):
    monkeypatch.setattr(server, "HEADER_SECONDS", 0.5)
    with connect(site) as silent, connect(site) as slow:
        slow.sendall(b"POST /webhooks/mail HTTP/1.1\r\nHost: x\r\n")
        with pytest.raises(OSError):
            babble(slow)
        assert read_all(silent) == b""


def test_a_second_request_on_a_connection_has_the_same_time(site, monkeypatch):
    monkeypatch.setattr(server, "HEADER_SECONDS", 0.5)
    with connect(site) as wire:
        ask_and_read(wire)
        wire.sendall(b"GET /healthz HT")
        assert read_all(wire) == b""


def test_a_connection_may_be_used_again(site):
    with connect(site) as wire:
        for _ in range(3):
            ask_and_read(wire)


def test_a_body_that_trickles_is_refused(site, monkeypatch):
    monkeypatch.setitem(intake.read_body.__kwdefaults__, "seconds", 0.4)
    with connect(site) as wire:
        wire.sendall(b"POST /webhooks/mail HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{")
        answer = read_all(wire)
    assert answer.startswith(b"HTTP/1.1 408")
    assert b"E-HTTP-SLOW" in answer


@pytest.mark.parametrize(
    "request_",
    [b"nonsense\r\n\r\n", b"GET /healthz HTTP/1.1\r\n\r\n", b"GET /\x00 HTTP/1.1\r\nHost: x\r\n\r\n",
     b"GET /healthz HTTP/1.1\r\nHost: x\r\nX: " + b"x" * 70_000,
     b"POST /webhooks/mail HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
     b"POST /webhooks/mail HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab"],
    ids=["nonsense", "no host", "NUL", "endless head", "negative length", "two lengths"],
)  # fmt: skip
def test_what_is_no_request_is_a_400(site, request_):
    with connect(site) as wire:
        wire.sendall(request_)
        assert wire.recv(65536).startswith(b"HTTP/1.1 400")
    assert site.ask("GET", "/healthz")[0] == 200


def test_a_sender_that_hangs_up_halfway_harms_nobody(site, ctx):
    with connect(site) as wire:
        wire.sendall(b"POST /webhooks/mail HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{")
    assert site.ask("POST", "/webhooks/mail", b"[]", signed(b"[]"))[0] == 204


@pytest.fixture
def process(tmp_path, redis_url):
    """`python -m dispatcher.web` on a free port: (process, port)."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    (tmp_path / "work").mkdir()
    env = dict(os.environ) | {
        "DISPATCHER_WORK_DIR": str(tmp_path / "work"),
        "DISPATCHER_REDIS_URL": redis_url,
        "PORT": str(port),
    }
    running = subprocess.Popen(
        [sys.executable, "-m", "dispatcher.web"], cwd=tmp_path, env=env, stderr=subprocess.PIPE, text=True
    )
    yield running, port
    running.kill()
    running.communicate()


def answers(port):
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=5) as wire:
            wire.sendall(b"GET /readyz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            return read_all(wire).startswith(b"HTTP/1.1 200")
    except OSError:
        return False


@pytest.mark.e2e
def test_the_process_serves_and_stops_within_its_time(process):
    running, port = process
    assert until(lambda: answers(port), 30)
    listening = [c.laddr for c in psutil.Process(running.pid).net_connections("inet") if c.status == "LISTEN"]
    assert [(address.ip, address.port) for address in listening] == [("127.0.0.1", port)]
    with socket.create_connection(("127.0.0.1", port), timeout=5) as wire:
        wire.sendall(b"POST /unsubscribe/x HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n1")
        time.sleep(0.2)
        began = time.monotonic()
        running.send_signal(signal.SIGTERM)
        running.wait(20)
        assert time.monotonic() - began < server.SHUTDOWN_SECONDS + 3
