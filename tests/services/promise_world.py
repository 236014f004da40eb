"""An incident and the words about it, for whatever asks what is owed to whom; `world` and `ana` stand in conftest."""

from datetime import timedelta

import pytest

from dispatcher.ledger import broadcasts
from dispatcher.ledger import promises as rows
from dispatcher.model.clock import to_ms
from dispatcher.model.kinds import Channel, Severity
from dispatcher.services import incidents as service
from dispatcher.services import promises
from dispatcher.services.incidents import Opening


def minutes(n):
    return timedelta(minutes=n)


both = pytest.mark.usefixtures("database_url")
"""Whatever the database: these touch every statement."""


def opened(world, ana, **more):
    more.setdefault("severity", Severity.MAJOR)
    return service.open_incident(world.ctx, ana, Opening("Online orders stopped", **more))


def say(world, *, template="outage-update", next_in=None, after=0, incident=1):
    """A broadcast about the incident, written now, released `after` minutes later and taken by the vendor."""
    made = world.broadcast([Channel.EMAIL], {Channel.EMAIL: ["m"]})
    now = world.clock.now()
    with world.ctx.ledger.write() as tx:
        broadcasts.change(
            tx, made, incident_id=incident, template_id=template, submitted_at=to_ms(now),
            next_update_at=to_ms(now + minutes(next_in)) if next_in else None,
        )  # fmt: skip
    world.clock.pass_by(60 * after)
    world.release(made)
    world.drain("email")
    promises.hear(world.ctx, to_ms(world.clock.now()))
    return made


def clock(world, name="customers"):
    with world.ctx.ledger.read() as tx:
        return [(p.state, p.due_at) for p in rows.of(tx, 1) if p.clock == name]


def states(world, name="customers"):
    return [state for state, _ in clock(world, name)]


def verbs(world):
    return [entry.verb for entry in service.show(world.ctx, "INC-1").timeline]
