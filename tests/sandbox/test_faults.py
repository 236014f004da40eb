"""Each fault as a caller meets it on the wire, and whether the record says that the message was taken."""

import json
import socket
import struct
import threading
import time
from http.client import IncompleteRead, RemoteDisconnected
from urllib.parse import urlsplit

import pytest

from dispatcher.sandbox.config import DownHow, Fault, Faults, Outage
from tests.sandbox.conftest import ACCOUNT_SID, a_mail, accounts, until

TAKEN = {fault: fault.accepts for fault in Fault}
SENDS = {
    "sendgrid": lambda caller, **named: caller.mail(a_mail(), **named),
    "twilio": lambda caller, **named: caller.text(**named),
    "x": lambda caller, **named: caller.post({"text": "Hello"}, **named),
}


@pytest.fixture(params=SENDS)
def vendor(request):
    return request.param


def strike(stage, vendor, fault, **settings):
    """The answer to one request that this fault strikes, and the caller."""
    caller = stage(faults={vendor: Faults(**settings)})
    caller.sandbox.next(vendor, fault)
    return SENDS[vendor](caller), caller


def taken(caller):
    tally = caller.tally()
    assert tally.messages + tally.refused.total() == 1
    return tally.messages == 1


def test_throttled_says_when_to_come_back(stage, vendor):
    answer, caller = strike(stage, vendor, Fault.THROTTLE, retry_after=7)
    assert answer.status == 429
    assert not taken(caller)
    if vendor == "x":
        assert 5 < int(answer.headers["x-rate-limit-reset"]) - time.time() < 10
    else:
        assert answer.headers["Retry-After"] == "7"
    again = SENDS[vendor](caller)
    assert again.status in (201, 202)


@pytest.mark.parametrize("fault", [Fault.ERROR, Fault.ERROR_ACCEPTED])
@pytest.mark.parametrize("status", [500, 503])
def test_an_error_may_hide_an_acceptance(stage, vendor, fault, status):
    answer, caller = strike(stage, vendor, fault, error_status=status)
    assert answer.status == status
    json.loads(answer.body)
    assert taken(caller) is fault.accepts


@pytest.mark.parametrize("fault", [Fault.RESET, Fault.RESET_ACCEPTED])
def test_a_reset_may_hide_an_acceptance(stage, vendor, fault):
    caller = stage()
    caller.sandbox.next(vendor, fault)
    with pytest.raises((ConnectionResetError, RemoteDisconnected, BrokenPipeError)):
        SENDS[vendor](caller)
    assert taken(caller) is fault.accepts
    assert caller.sandbox.counters(vendor)[f"fault.{fault}"] == 1


@pytest.mark.parametrize("fault", [Fault.GARBAGE, Fault.GARBAGE_ACCEPTED])
def test_garbage_is_a_200_of_somebody_else(stage, vendor, fault):
    answer, caller = strike(stage, vendor, fault)
    assert answer.status == 200
    assert b"It works!" in answer.body
    assert taken(caller) is fault.accepts


def test_a_truncated_body_hides_an_acceptance(stage, vendor):
    caller = stage()
    caller.sandbox.next(vendor, Fault.TRUNCATED)
    with pytest.raises(IncompleteRead):
        SENDS[vendor](caller)
    assert taken(caller)


def test_a_slow_body_arrives_whole(stage, vendor):
    began = time.monotonic()
    answer, caller = strike(stage, vendor, Fault.SLOW, slow_seconds=0.2)
    assert time.monotonic() - began >= 0.15
    assert answer.status in (201, 202)
    if vendor == "twilio":
        assert answer.json["sid"] == caller.lines()[0].message
    assert taken(caller)


def test_a_slow_body_outlasts_an_impatient_caller(stage, vendor):
    caller = stage(faults={vendor: Faults(slow=1, slow_seconds=20)})
    got = raw(caller, request_of(vendor), seconds=0.3)
    head, _, body = got.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 20")
    assert 0 <= len(body) < int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
    assert taken(caller)


def request_of(vendor):
    body, path, headers = {
        "sendgrid": (json.dumps(a_mail()), "/v3/mail/send", "Authorization: Bearer SG.sandbox"),
        "x": ('{"text":"Hello"}', "/2/tweets", "Authorization: Bearer x"),
        "twilio": (
            "To=%2B447700900100&From=%2B447700900001&Body=x",
            f"/2010-04-01/Accounts/{ACCOUNT_SID}/Messages.json",
            "Authorization: Basic QUMwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDpzYW5kYm94LXRva2Vu",
        ),
    }[vendor]
    kind = "application/x-www-form-urlencoded" if vendor == "twilio" else "application/json"
    head = [f"POST {path} HTTP/1.1", "Host: here", headers, f"Content-Type: {kind}", f"Content-Length: {len(body)}"]
    return "\r\n".join([*head, "", body]).encode()


def raw(caller, data, seconds):
    """Send bytes, listen for so long, hang up; what came."""
    parts = urlsplit(caller.sandbox.base_url)
    got = b""
    with socket.create_connection((parts.hostname, parts.port), timeout=seconds) as wire:
        wire.sendall(data)
        ends = time.monotonic() + seconds
        while time.monotonic() < ends:
            wire.settimeout(max(ends - time.monotonic(), 0.01))
            try:
                got += wire.recv(65_536)
            except TimeoutError:
                break
        wire.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    return got


@pytest.mark.parametrize("fault", [Fault.STALL, Fault.STALL_ACCEPTED])
def test_a_stall_that_the_caller_outlives_ends_well(stage, vendor, fault):
    began = time.monotonic()
    answer, caller = strike(stage, vendor, fault, stall_seconds=0.1)
    assert answer.status in (201, 202)
    assert time.monotonic() - began >= 0.1
    assert taken(caller)


@pytest.mark.parametrize("fault", [Fault.STALL, Fault.STALL_ACCEPTED])
def test_a_stall_that_the_caller_does_not_outlive(stage, vendor, fault):
    caller = stage(faults={vendor: Faults(stall_seconds=0.5)})
    caller.sandbox.next(vendor, fault)
    assert raw(caller, request_of(vendor), seconds=0.1) == b""
    until(caller.lines)
    assert taken(caller) is fault.accepts


def test_half_a_body_is_never_taken(stage, vendor):
    caller = stage()
    assert raw(caller, request_of(vendor)[:-5], seconds=0.1) == b""
    time.sleep(0.05)
    assert caller.tally().messages == 0


def test_latency_comes_before_the_acceptance(stage, vendor):
    caller = stage(faults={vendor: Faults(latency=(0.15, 0.15))})
    SENDS[vendor](caller)
    (line,) = caller.lines()
    assert line.ended - line.began >= 0.15


def test_a_caller_that_hung_up_was_still_heard(stage, vendor):
    """The vendor has the whole request: that nobody waits for the answer changes nothing."""
    caller = stage(faults={vendor: Faults(latency=(0.4, 0.4))})
    assert raw(caller, request_of(vendor), seconds=0.05) == b""
    assert caller.tally().messages == 0
    until(caller.lines)
    assert taken(caller)


def test_too_many_at_once(stage):
    caller = stage(faults={"twilio": Faults(in_flight=2, latency=(0.5, 0.5))})
    answers = []
    threads = [threading.Thread(target=lambda: answers.append(caller.text().status)) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(answers) == [201, 201, 429, 429, 429]
    assert caller.text().status == 201


def test_more_than_the_rate(stage):
    caller = stage(faults={"sendgrid": Faults(per_second=3)})
    assert [caller.mail(a_mail()).status for _ in range(5)] == [202, 202, 202, 429, 429]


def test_shares_are_drawn_by_seed(stage):
    runs = [
        [caller.mail(a_mail()).status for _ in range(40)]
        for caller in (stage(faults={"*": Faults(error=0.3)}, seed=seed) for seed in (1, 1, 2))
    ]
    assert runs[0] == runs[1] != runs[2]
    assert set(runs[0]) == {202, 500}


def test_an_outage_by_plan(stage, vendor):
    caller = stage(faults={vendor: Faults(outages=(Outage(start=0, end=0.15),))})
    assert SENDS[vendor](caller).status == 503
    assert caller.tally().refused == {"503": 1}
    until(lambda: SENDS[vendor](caller).status in (201, 202))
    assert caller.tally().messages == 1


def test_an_outage_by_hand_also_stops_lookups(plain):
    plain.sandbox.down("twilio", 30)
    assert plain.text().status == 503
    assert plain.texts().status == 503
    assert plain.mail(a_mail()).status == 202
    plain.sandbox.down("twilio", 30, DownHow.RESET)
    for ask in (plain.text, plain.texts):
        with pytest.raises((ConnectionResetError, RemoteDisconnected)):
            ask()
    plain.sandbox.up("twilio")
    assert plain.text().status == 201
    assert plain.sandbox.counters("twilio")["lookups"] == 2


def test_a_port_of_its_own_refuses_and_opens_again(stage):
    caller = stage(accounts=accounts(sendgrid={"own_port": True}))
    own, shared = caller.sandbox.urls["sendgrid"], caller.sandbox.urls["twilio"]
    assert own != shared == caller.sandbox.base_url
    address = urlsplit(own).hostname, urlsplit(own).port
    with socket.create_connection(address, timeout=2) as idle:
        idle.sendall(b"GET /2/users/me HTTP/1.1\r\nHost: x\r\n\r\n")
        assert idle.recv(20).startswith(b"HTTP/1.1 401")
        caller.sandbox.down("sendgrid", 2, DownHow.REFUSE)
        while idle.recv(1_000):
            continue
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(address, timeout=2)
    assert caller.text().status == 201

    def answers():
        try:
            return socket.create_connection(address, timeout=2)
        except ConnectionRefusedError:
            return None

    until(answers).close()
    assert caller.mail(a_mail()).status == 202


def test_a_shared_port_cannot_refuse(plain):
    with pytest.raises(RuntimeError, match="own_port"):
        plain.sandbox.down("sendgrid", 1, DownHow.REFUSE)
