"""Names of vendors: asked for once for all who wait, never for ever, and certain not to be found before anything is
sent."""

import asyncio
import socket

import pytest

from dispatcher.wire import NeverConnected, Wire, pool
from dispatcher.wire.request import Origin
from tests.contract.http_vendor import always, reply
from tests.wire.scripted import against, call


async def _silent(*_args, **_kwargs):
    await asyncio.sleep(3600)


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


def test_all_who_wait_for_a_name_go_on_at_once():
    """Not one at each turn of the loop, which takes milliseconds in a worker at work: the last of the first storm
    would be too late to connect."""
    turns = []

    async def counted():
        while True:
            turns.append(1)
            await asyncio.sleep(0)

    async def known(*_args, **_kwargs):
        return [(socket.AF_INET, socket.SOCK_STREAM, 0, "", ("127.0.0.1", 443))]

    async def act():
        async with Wire() as wire:
            asyncio.get_running_loop().getaddrinfo = known
            counter = asyncio.create_task(counted())
            origin = Origin("vendor.example.com", 443, tls=True)
            for _ in range(2):  # before anybody asked, and after
                await asyncio.gather(*(wire._pool()._addresses(origin) for _ in range(200)))
            counter.cancel()

    asyncio.run(act())
    assert len(turns) < 20


def test_who_gives_up_waiting_for_a_name_leaves_the_others_their_answer():
    async def slow(*_args, **_kwargs):
        await asyncio.sleep(0.05)
        raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")

    async def act():
        async with Wire() as wire:
            asyncio.get_running_loop().getaddrinfo = slow
            calls = [asyncio.create_task(call(wire, "http://vendor.example.com")) for _ in range(3)]
            await asyncio.sleep(0.01)
            calls[0].cancel()
            return await asyncio.gather(*calls, return_exceptions=True)

    gone, *others = asyncio.run(act())
    assert isinstance(gone, asyncio.CancelledError)
    assert [type(one) for one in others] == [NeverConnected] * 2


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


def test_a_wire_that_is_closed_while_a_name_is_asked_for_sent_nothing():
    async def act():
        async with Wire() as wire:
            asyncio.get_running_loop().getaddrinfo = _silent
            waiting = asyncio.create_task(call(wire, "http://vendor.example.com"))
            await asyncio.sleep(0.01)
        await waiting

    with pytest.raises(NeverConnected):
        asyncio.run(act())


def test_a_resolver_that_says_nothing_is_asked_anew_by_whoever_comes_next(monkeypatch):
    monkeypatch.setattr(pool, "NAME_SECONDS", 0.05)

    async def act(wire, vendor):
        loop, url = asyncio.get_running_loop(), vendor.url.replace("127.0.0.1", "localhost")
        loop.getaddrinfo, real = _silent, loop.getaddrinfo
        with pytest.raises(NeverConnected):
            await call(wire, url)
        loop.getaddrinfo = real
        return (await call(wire, url)).status

    assert against(always(reply(204)), act) == 204
