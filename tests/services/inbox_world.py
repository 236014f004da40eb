"""A world in which posts come to the account `mail`: each a JSON list, each number somebody who got the message."""

import json

from dispatcher.ledger import counts
from dispatcher.model.event import Event, EventType, WebhookRequest
from dispatcher.model.kinds import Channel
from dispatcher.services import events
from tests.services.world import World

PEOPLE = 10


def build(tmp_path, database_url, people=PEOPLE):
    made = World(tmp_path, database_url)
    vendor = made.add_account("mail", Channel.EMAIL)
    vendor.verify = lambda request: None
    vendor.parse = lambda request: [arrived(made, n) for n in json.loads(request.body)]
    made.audience(people)
    made.sent = made.broadcast(["email"], {"email": ["mail"]})
    made.release(made.sent)
    made.drain("email")
    return made


def arrived(world, n):
    return Event(EventType.DELIVERED, f"{world.ctx.ledger_id}.{world.sent}.{n}")


def store(world, *bodies):
    for body in bodies:
        events.store(world.ctx, "mail", WebhookRequest("POST", "/", {}, body, world.clock.now()))


def applied(world):
    """How many deliveries are delivered, by their rows, their batch's counter and the curve of arrivals."""
    with world.ctx.ledger.read() as tx:
        assert counts.wrong_batches(tx, world.sent) == []
        found = tx.scalar("SELECT count(*) FROM delivery WHERE state = 6")
        assert found == (tx.scalar("SELECT sum(n) FROM arrival") or 0)
    return found
