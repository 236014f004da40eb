"""HTTP on one connection, against real sockets: which answers are whole, and which connections may go on."""

import asyncio
import socket

import pytest

from dispatcher.wire import ANSWER_CAP, AnswerLost, NeverConnected, Wire
from dispatcher.wire.connection import Connection
from tests.contract.http_vendor import Fault, always, reply
from tests.wire.scripted import address, against, call, loss


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


def test_a_connection_on_which_half_a_request_was_written_is_not_kept():
    class Transport:
        """Takes the head, and the vendor answers at once; nothing waits in its buffer."""

        def is_closing(self):
            return False

        def get_extra_info(self, name):
            return side

        def get_write_buffer_size(self):
            return 0

        def write(self, data):
            written.append(len(data))
            connection.data_received(reply(400))

    async def run():
        nonlocal connection
        connection = Connection()
        connection.connection_made(Transport())
        deadline = asyncio.get_running_loop().time() + 60
        answer = await connection.exchange(b"POST / HTTP/1.1\r\n\r\n", b"x" * 1_000_000, 60, deadline, 1000)
        return answer.status, connection.is_closed()

    connection, written = None, []
    side, other = socket.socketpair()
    with side, other:
        assert asyncio.run(run()) == (400, True)
    assert len(written) == 1


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
