"""Which accounts a batch may go to at the last moment."""

import dataclasses

import pytest

from tests.services.test_dispatch import _email
from tests.services.test_dispatch import world as world


@pytest.mark.parametrize(("mode", "told"), [("drill", 0), ("live", 10)])
def test_a_drill_that_is_out_stays_inside_although_its_account_was_pointed_outside(world, mode, told):
    vendor, made = _email(world, 10, mode=mode)
    before = world.ctx.accounts["mail"]
    outside = before.settings.model_copy(update={"base_url": "https://api.example.com"})
    accounts = dict(world.ctx.accounts) | {"mail": dataclasses.replace(before, settings=outside)}
    world.ctx = dataclasses.replace(world.ctx, accounts=accounts)
    world.drain("email")
    assert len(vendor.told) == told
    assert world.sums(made, "email") == {"planned": 10, ("accepted" if told else "waiting"): 10}
