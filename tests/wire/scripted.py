"""What the tests of the wire share: one call, and a vendor that follows a script."""

import asyncio
import time

import pytest

from dispatcher.wire import AnswerLost, NeverConnected, Wire
from tests.contract.http_vendor import HttpVendor


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
