"""A world in which posts come to the account `mail`: each a JSON list, each element a delivered event."""

import json

from dispatcher.model.event import Event, EventType, WebhookRequest
from dispatcher.model.kinds import Channel
from dispatcher.services import events
from tests.services.world import World


def build(tmp_path, database_url):
    made = World(tmp_path, database_url)
    vendor = made.add_account("mail", Channel.EMAIL)
    vendor.verify = lambda request: None
    vendor.parse = lambda request: [Event(f"e{n}", EventType.DELIVERED, None, None) for n in json.loads(request.body)]
    return made


def store(world, *bodies):
    for body in bodies:
        events.store(world.ctx, "mail", WebhookRequest("POST", "/", {}, body, world.clock.now()))


def kept(world):
    with world.ctx.ledger.read() as tx:
        return tx.scalar("SELECT count(*) FROM event")
