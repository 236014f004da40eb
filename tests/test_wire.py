"""What the wire proves, against real sockets: which losses are certain, which are not, and that everything ends."""

import asyncio
import datetime as dt
import socket
import ssl
import threading
import time

import pytest

from dispatcher.model.outcome import NotSent, OutcomeUnknown
from dispatcher.wire import ANSWER_CAP, Answer, AnswerLost, NeverConnected, Wire, begin_before
from tests.contract.certificate import self_signed, server_side
from tests.contract.http_vendor import Fault, HttpVendor, always, closed_port, early_reset, in_thread, reply

NOW = dt.datetime(2026, 11, 22, 12, 0, tzinfo=dt.UTC)


async def call(wire, url, *, method="POST", body=b"{}", timeout=2.0, **more):
    return await wire.request(method, url, headers={"X-Test": "1"}, body=body, timeout=timeout, **more)


def address(listener):
    host, port = listener.getsockname()
    return f"http://{host}:{port}"


def against(script, act, **vendor_settings):
    """Run `act(wire, vendor)` against a vendor that follows the script."""

    async def run():
        async with HttpVendor(script, **vendor_settings) as vendor, Wire() as wire:
            return await act(wire, vendor)

    return asyncio.run(run())


def loss(script, **how):
    async def act(wire, vendor):
        began = time.monotonic()
        with pytest.raises((NeverConnected, AnswerLost)) as caught:
            await call(wire, vendor.url, **how)
        return caught.value, time.monotonic() - began

    return against(script, act)


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


def test_an_answer_is_whole_however_it_is_cut_into_pieces():
    whole = b"HTTP/1.1 201 Created\r\nTransfer-Encoding: chunked\r\nX-A: one\r\n\r\n5\r\nhello\r\n3\r\n yo\r\n0\r\n\r\n"

    async def run():
        async def drip(reader, writer):
            for _ in range(2):
                await reader.readuntil(b"\r\n\r\n{}")
                for at in range(len(whole)):
                    writer.write(whole[at : at + 1])
                    await asyncio.sleep(0)

        server = await asyncio.start_server(drip, "127.0.0.1", 0)
        async with Wire() as wire:
            answers = [await call(wire, address(server.sockets[0])) for _ in range(2)]
        server.close()
        return [(answer.status, answer.headers["x-a"], answer.body) for answer in answers]

    assert asyncio.run(run()) == [(201, "one", b"hello yo")] * 2


def test_what_a_vendor_says_before_its_answer_is_not_the_answer():
    early = b"HTTP/1.1 103 Early Hints\r\nX-Message-Id: early\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n"

    async def act(wire, vendor):
        return [await call(wire, vendor.url) for _ in range(2)], vendor.opened

    answers, opened = against(always(early + reply(202, b"", {"X-Other": "1"})), act)
    assert [(answer.status, answer.headers.get("x-message-id")) for answer in answers] == [(202, None)] * 2
    assert opened == 1


def test_an_answer_without_a_length_ends_with_its_connection():
    async def run():
        async def say(reader, writer):
            await reader.readuntil(b"\r\n\r\n{}")
            writer.write(b"HTTP/1.1 200 OK\r\n\r\nall there is")
            writer.close()

        server = await asyncio.start_server(say, "127.0.0.1", 0)
        async with Wire() as wire:
            answers = [await call(wire, address(server.sockets[0])) for _ in range(2)]
        server.close()
        return [answer.body for answer in answers]

    assert asyncio.run(run()) == [b"all there is"] * 2


@pytest.mark.parametrize(
    "said",
    [
        reply(200, b"", {"Connection": "close"}),
        reply(200) + reply(201),
        reply(200) + b"more",
        b"HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n",
    ],
)
def test_a_connection_that_cannot_be_trusted_with_another_request_is_not_kept(said):
    """Above all what comes after an answer must not be read as the answer to somebody else's request."""

    async def act(wire, vendor):
        return [(await call(wire, vendor.url)).status for _ in range(2)], vendor.opened

    assert against(always(said), act) == ([200, 200], 2)


def test_an_answer_that_comes_out_of_turn_is_nobodys():
    async def run():
        async def speak_twice(reader, writer):
            while True:
                await reader.readuntil(b"\r\n\r\n{}")
                writer.write(reply(200))
                await asyncio.sleep(0.05)
                writer.write(reply(500))

        server = await asyncio.start_server(speak_twice, "127.0.0.1", 0)
        async with Wire() as wire:
            statuses = []
            for _ in range(2):
                statuses.append((await call(wire, address(server.sockets[0]))).status)
                await asyncio.sleep(0.1)
        server.close()
        return statuses

    assert asyncio.run(run()) == [200, 200]


def test_an_answer_before_the_request_has_left_ends_it(monkeypatch):
    """Nobody reads the rest of the body: it is not waited for, and the connection carries nothing more."""
    opened = []

    async def run():
        async def refuse(reader, writer):
            opened.append(writer)
            await reader.readuntil(b"\r\n\r\n")
            writer.write(reply(413))
            await asyncio.sleep(5)

        server = await asyncio.start_server(refuse, "127.0.0.1", 0, limit=1024)
        async with Wire() as wire:
            url = address(server.sockets[0])
            statuses = [(await call(wire, url, body=b"x" * 40_000_000, timeout=60)).status for _ in range(2)]
        server.close()
        return statuses

    assert asyncio.run(run()) == [413, 413]
    assert len(opened) == 2


def test_idle_connections_are_hung_up_after_a_while(monkeypatch):
    monkeypatch.setattr("dispatcher.wire.pool.KEEP_ALIVE", 0.05)

    async def act(wire, vendor):
        await asyncio.gather(*(call(wire, vendor.url) for _ in range(3)))
        await vendor.until_idle(60)
        return (await call(wire, vendor.url)).status

    assert against(always(reply(204)), act) == 204


def test_a_name_is_looked_up_once_for_all_who_wait(monkeypatch):
    asked, real = [], socket.getaddrinfo

    def counting(*args, **kwargs):
        asked.append(args[0])
        return real(*args, **kwargs)

    monkeypatch.setattr(socket, "getaddrinfo", counting)

    async def act(wire, vendor):
        url = vendor.url.replace("127.0.0.1", "localhost")
        await asyncio.gather(*(call(wire, url) for _ in range(5)))
        return asked.count("localhost")

    assert against(always(reply()), act) == 1


# --- certainly not sent


@pytest.mark.parametrize(
    ("method", "path", "headers"),
    [
        ("POST", "/a b", {}),
        ("POST", "/\u00e9", {}),
        ("POST", "/a\r\nX-More: 1", {}),
        ("POST", "/", {"X-A": "1\r\nX-More: 1"}),
        ("POST", "/", {"X-A\r\nX-More": "1"}),
        ("POST", "/", {"X A": "1"}),
        ("POST /a HTTP/1.1\r\nX:", "/", {}),
        ("HEAD", "/", {}),
    ],
)
def test_nothing_can_be_smuggled_into_a_request(method, path, headers):
    async def act(wire, vendor):
        with pytest.raises(NeverConnected):
            await wire.request(method, vendor.url + path, headers=headers, body=b"", timeout=2)
        return vendor.opened

    assert against(always(reply()), act) == 0


@pytest.mark.parametrize("url", ["ftp://example.com/", "http://user:word@127.0.0.1/", "http:///a", "127.0.0.1"])
def test_an_address_that_is_none_is_certain(url):
    async def act():
        async with Wire() as wire:
            await call(wire, url)

    with pytest.raises(NeverConnected) as caught:
        asyncio.run(act())
    assert "word" not in str(caught.value)


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


def test_a_name_that_does_not_resolve_is_certain(monkeypatch):
    def unknown(*_args, **_kwargs):
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    async def act():
        async with Wire() as wire:
            monkeypatch.setattr(socket, "getaddrinfo", unknown)
            await call(wire, "http://nobody.example.com")

    with pytest.raises(NeverConnected):
        asyncio.run(act())


def test_a_name_that_no_resolver_takes_is_certain():
    async def act():
        async with Wire() as wire:
            await call(wire, f"http://{'a' * 64}.example.com")

    with pytest.raises(NeverConnected):
        asyncio.run(act())


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


def test_an_endless_answer_is_cut_off():
    error, seconds = loss(always(Fault.ENDLESS), timeout=60)
    assert isinstance(error, AnswerLost)
    assert seconds < 30, "long before the deadline"
    assert "64 KiB" in str(error)


def test_a_head_without_end_is_cut_off():
    """A parser keeps nothing of it, but it would go on for ever."""
    error, seconds = loss(always(b"HTTP/1.1 200 OK\r\n" + b"X-A: 1\r\n" * 20_000), timeout=60)
    assert isinstance(error, AnswerLost)
    assert seconds < 30, "long before the deadline"


def test_an_answer_at_the_cap_is_whole_and_one_byte_more_is_not():
    async def act(wire, vendor):
        whole = await call(wire, f"{vendor.url}/{ANSWER_CAP}")
        with pytest.raises(AnswerLost):
            await call(wire, f"{vendor.url}/{ANSWER_CAP + 1}")
        return len(whole.body), len((await call(wire, f"{vendor.url}/{ANSWER_CAP + 1}", answer_cap=1 << 20)).body)

    sizes = against(lambda request: reply(200, b"x" * int(request.target[1:])), act)
    assert sizes == (ANSWER_CAP, ANSWER_CAP + 1)


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


# --- reading an answer


@pytest.mark.parametrize(
    ("headers", "reset", "expected"),
    [
        ({"retry-after": "7"}, "", 7.0),
        ({"retry-after": "0.5"}, "", 0.5),
        ({"retry-after": "-3"}, "", 0.0),
        ({"retry-after": "99999999"}, "", 86_400.0),
        ({"retry-after": "Sun, 22 Nov 2026 12:00:30 GMT"}, "", 30.0),
        ({"retry-after": "Sun, 22 Nov 2026 11:00:00 GMT"}, "", 0.0),
        ({"retry-after": "soon"}, "", None),
        ({"retry-after": "nan"}, "", None),
        ({"reset": str(int(NOW.timestamp()) + 12)}, "reset", 12.0),
        ({"reset": "later"}, "reset", None),
        ({"retry-after": "5", "reset": str(int(NOW.timestamp()) + 12)}, "reset", 5.0),
        ({}, "reset", None),
    ],
)
def test_the_wait_that_an_answer_names(headers, reset, expected):
    assert Answer(429, headers, b"").wait(NOW, reset) == expected


@pytest.mark.parametrize("body", [b"", b"<html>", b"[1]", b'"text"', b"null", b"{", b"\xff\xfe", b'{"a": 1e999999}'])
def test_a_body_that_is_no_object_reads_as_empty(body):
    assert Answer(200, {}, body).json() == {}


def test_an_object_is_read():
    assert Answer(200, {}, b'{"sid": "SM1"}').json() == {"sid": "SM1"}
