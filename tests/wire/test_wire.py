"""What the wire proves, against real sockets: which losses are certain, which are not, and that everything ends."""

import asyncio
import socket
import ssl
import threading
import time

import pytest

from dispatcher.model.outcome import NotSent, OutcomeUnknown
from dispatcher.wire import AnswerLost, NeverConnected, Wire, begin_before
from tests.contract.certificate import self_signed, server_side
from tests.contract.http_vendor import Fault, HttpVendor, always, closed_port, early_reset, in_thread, reply
from tests.wire.scripted import address, against, call, loss

# --- a whole answer


def test_an_answer_is_status_lower_case_headers_and_body():
    async def act(wire, vendor):
        return await call(wire, f"{vendor.url}/a?b=%20c", body=b"hello"), vendor.requests[0]

    answer, request = against(always(reply(202, b"taken", {"X-Message-Id": "m1"})), act)
    assert (answer.status, answer.headers["x-message-id"], answer.body) == (202, "m1", b"taken")
    assert (request.method, request.target, request.body) == ("POST", "/a?b=%20c", b"hello")
    assert request.headers["x-test"] == "1"
    assert request.headers["accept-encoding"] == "identity"
    assert "cookie" not in request.headers


def test_connections_are_kept_and_speak_without_delay():
    async def act(wire, vendor):
        for _ in range(5):
            await call(wire, vendor.url)
        ((connection,),) = wire._pool()._idle.values()
        sock = connection._transport.get_extra_info("socket")
        options = [(socket.IPPROTO_TCP, socket.TCP_NODELAY), (socket.SOL_SOCKET, socket.SO_KEEPALIVE)]
        return vendor.opened, [sock.getsockopt(*option) for option in options]

    opened, options = against(always(reply()), act)
    assert opened == 1
    assert all(options)


def test_a_large_body_arrives_whole():
    body = bytes(range(256)) * 16_384

    async def act(wire, vendor):
        await call(wire, vendor.url, body=body)
        return vendor.requests[0].body

    assert against(always(reply()), act) == body


def test_redirects_and_cookies_are_not_followed_up():
    async def act(wire, vendor):
        named = vendor.url.replace("127.0.0.1", "localhost")  # a jar would take no cookie from a bare address
        first = await call(wire, named)
        await call(wire, named)
        return first.status, [(r.target, r.headers.get("cookie")) for r in vendor.requests]

    script = always(reply(302, b"", {"Location": "/elsewhere", "Set-Cookie": "a=b; Path=/"}))
    assert against(script, act) == (302, [("/", None), ("/", None)])


def test_no_proxy_is_taken_from_the_environment(monkeypatch):
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, f"http://{closed_port()}")
    assert against(always(reply(204)), lambda wire, vendor: call(wire, vendor.url)).status == 204


def test_idle_connections_are_hung_up_after_a_while(monkeypatch):
    monkeypatch.setattr("dispatcher.wire.pool.KEEP_ALIVE", 0.05)

    async def act(wire, vendor):
        await asyncio.gather(*(call(wire, vendor.url) for _ in range(3)))
        await vendor.until_idle(60)
        return (await call(wire, vendor.url)).status

    assert against(always(reply(204)), act) == 204


def test_too_late_is_certain():
    async def act(wire, vendor):
        begin_before(asyncio.get_running_loop().time() - 0.001)
        with pytest.raises(NeverConnected):
            await call(wire, vendor.url)
        return vendor.requests

    assert against(always(reply()), act) == []


def test_a_refused_connection_is_certain():
    async def act():
        async with Wire() as wire:
            await call(wire, f"http://{closed_port()}")

    with pytest.raises(NeverConnected) as caught:
        asyncio.run(act())
    assert isinstance(caught.value.outcome, NotSent)
    assert "127.0.0.1" not in str(caught.value)


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    return self_signed(tmp_path_factory.mktemp("tls"))


def test_a_certificate_nobody_vouches_for_is_certain(certificate):
    async def act(wire, vendor):
        with pytest.raises(NeverConnected):
            await call(wire, vendor.url)
        return vendor.requests

    assert against(always(reply()), act, tls=server_side(certificate)) == []


def test_tls_connections_are_kept_too(certificate):
    """Session tickets make a fresh TLS connection readable; it must not be taken for a dead one."""

    async def run():
        context = ssl.create_default_context(cafile=certificate)
        async with (
            HttpVendor(always(reply(201)), tls=server_side(certificate)) as vendor,
            Wire(context=context) as wire,
        ):
            statuses = [(await call(wire, vendor.url)).status for _ in range(5)]
            return statuses, vendor.opened

    assert asyncio.run(run()) == ([201] * 5, 1)


def test_a_server_that_speaks_no_tls_is_certain():
    async def act(wire, vendor):
        with pytest.raises(NeverConnected):
            await call(wire, vendor.url.replace("http:", "https:"), timeout=0.3)

    against(always(reply()), act)


def test_time_that_runs_out_while_connecting_is_certain():
    """A listener whose queue is full takes no connection; the deadline ends the attempt."""
    with socket.socket() as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        waiting = [socket.socket() for _ in range(8)]
        for one in waiting:
            one.setblocking(False)
            one.connect_ex(full.getsockname())

        async def act():
            async with Wire() as wire:
                await call(wire, address(full), timeout=0.3)

        began = time.monotonic()
        with pytest.raises(NeverConnected):
            asyncio.run(act())
        assert time.monotonic() - began < 10  # a deadline of 0.3 s; without one it would be minutes
        for one in waiting:
            one.close()


def test_waiting_for_a_free_connection_is_certain():
    async def run():
        async with HttpVendor(always(Fault.MUTE)) as vendor, Wire(limit=1) as wire:
            first = asyncio.create_task(call(wire, vendor.url, timeout=0.6))
            await asyncio.sleep(0.1)
            with pytest.raises(NeverConnected):
                await call(wire, vendor.url, timeout=0.2)
            with pytest.raises(AnswerLost):
                await first
            return len(vendor.requests)

    assert asyncio.run(run()) == 1


# --- perhaps sent


@pytest.mark.parametrize("fault", [Fault.RESET, Fault.CLOSE, Fault.HALF, Fault.GARBAGE])
def test_a_loss_after_the_request_is_not_certain(fault):
    error, _ = loss(always(fault))
    assert isinstance(error, AnswerLost)
    assert isinstance(error.outcome, OutcomeUnknown)


def test_a_reset_in_the_middle_of_the_body_is_not_certain():
    error, _ = loss(early_reset, body=b"x" * 4_000_000)
    assert isinstance(error, AnswerLost)


@pytest.mark.parametrize("fault", [Fault.MUTE, Fault.DRIP])
def test_a_server_that_never_finishes_ends_with_the_deadline(fault):
    error, seconds = loss(always(fault), timeout=0.3)
    assert isinstance(error, AnswerLost)
    assert 0.25 < seconds < 10, "without a deadline it would be for ever"


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_request_is_written_once_whatever_its_method(method):
    """Clients of libraries repeat a request on a kept connection that dies."""

    async def act(wire, vendor):
        await call(wire, f"{vendor.url}/fine", method=method)
        with pytest.raises(AnswerLost):
            await call(wire, f"{vendor.url}/bad", method=method)
        return [request.target for request in vendor.requests]

    script = lambda request: reply() if request.target == "/fine" else Fault.CLOSE  # noqa: E731
    assert against(script, act) == ["/fine", "/bad"]


# --- kept connections that die


def test_an_idle_connection_that_died_is_passed_over():
    """The far end hung up while this loop was busy elsewhere: the request goes out on a fresh connection."""

    async def run(vendor):
        async with Wire() as wire:
            await call(wire, vendor.url)
            hung_up = threading.Event()
            vendor.server.get_loop().call_soon_threadsafe(lambda: (vendor.drop_all(), hung_up.set()))
            hung_up.wait(2)
            time.sleep(0.05)  # the loop must not see the end of the connection before it sends
            answer = await call(wire, vendor.url)
            return answer.status, vendor.opened, len(vendor.requests)

    with in_thread(HttpVendor(always(reply()))) as vendor:
        assert asyncio.run(run(vendor)) == (200, 2, 2)


def test_a_far_end_that_hangs_up_at_once_does_not_make_a_storm():
    accepted = []

    async def run():
        async def hang_up(_reader, writer):
            accepted.append(1)
            writer.close()

        server = await asyncio.start_server(hang_up, "127.0.0.1", 0)
        async with Wire() as wire:
            with pytest.raises((NeverConnected, AnswerLost)):
                await call(wire, address(server.sockets[0]), timeout=1)
        server.close()

    asyncio.run(run())
    assert 1 <= len(accepted) <= 4


# --- nothing is left behind


@pytest.mark.parametrize("fault", [Fault.MUTE, Fault.ENDLESS, Fault.DRIP])
def test_a_cancelled_call_leaves_no_connection(fault):
    async def act(wire, vendor):
        tasks = [asyncio.create_task(call(wire, vendor.url, timeout=20, answer_cap=1 << 40)) for _ in range(5)]
        while len(vendor.requests) < 5:
            await asyncio.sleep(0.005)
        await asyncio.sleep(0.02)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await vendor.until_idle()
        return wire._pool().leased

    assert against(always(fault), act) == 0


def test_close_ends_every_connection_and_the_wire_can_be_used_again():
    async def act(wire, vendor):
        await asyncio.gather(*(call(wire, vendor.url) for _ in range(4)))
        await wire.close()
        await vendor.until_idle()
        return (await call(wire, vendor.url)).status

    assert against(always(reply()), act) == 200


def test_close_also_closes_what_adapters_keep():
    closed = []

    async def act(wire, _vendor):
        async def close():
            closed.append(1)

        wire.on_close(close)

    against(always(reply()), act)
    assert closed == [1]


def test_each_loop_has_a_pool_of_its_own():
    wire = Wire()

    async def once(url):
        try:
            return (await call(wire, url)).status
        finally:
            await wire.close()

    with in_thread(HttpVendor(always(reply(204)))) as vendor:
        statuses = []
        threads = [threading.Thread(target=lambda: statuses.append(asyncio.run(once(vendor.url)))) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(10)
    assert statuses == [204] * 8
