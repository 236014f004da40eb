"""A world with incident tools at its doors and one playbook that means everything."""

import dataclasses

from dispatcher.ledger import people
from dispatcher.model.clock import to_ms
from dispatcher.model.person import Person, Role
from dispatcher.services import doors, incidents, signals
from dispatcher.services.doors import Doors
from tests.intake.table import SAMPLES
from tests.services.world import World

BOOK = """
id = "all"
title = "Everything"
[[when]]
[incident]
title = "{title}"
"""


def open_world(tmp_path, url="", book=BOOK, **settings):
    folder = tmp_path / "playbooks"
    folder.mkdir(exist_ok=True)
    (folder / "all.toml").write_text(book, encoding="utf-8")
    for name in ("outage", "security", "supplier"):
        off = f'id = "{name}"\ntitle = "Off"\nenabled = false\n[[when]]\n'
        (folder / f"{name}.toml").write_text(off, encoding="utf-8")
    blocks = {f"signals.{name}": {"tool": name, **s.settings} for name, s in SAMPLES.items() if s.settings}
    world = World(tmp_path, url, **{"playbooks_dir": str(folder), **blocks, **settings})
    world.admin = person(world, "Ada", Role.ADMIN, Role.OPERATOR)
    world.doors = Doors(world.ctx)
    return world


def person(world, name, *roles):
    with world.ctx.ledger.write() as tx:
        return people.add(tx, Person(0, name, roles=frozenset(roles)), to_ms(world.clock.now()))


def open_door(world, name):
    sample = SAMPLES[name]
    if sample.form is not None:
        doors.add_secret(world.ctx, world.admin, name, name, value=sample.value, form=sample.form)
    world.clock.pass_by(3)
    world.doors.refresh()
    door = world.doors.find(name, name)
    return dataclasses.replace(door, reader=sample.reader()) if sample.form is None else door


def post(world, door, payload):
    sample = SAMPLES[door.tool]
    return signals.take(world.ctx, door, sample.request(payload, world.clock.now()))


def send(world, door, payload):
    """Posted and applied; the outcomes of its signals."""
    taken = post(world, door, payload)
    assert not signals.apply(world.ctx)
    return [] if taken.repeat else [one.outcome for one in signals.recent(world.ctx, limit=1)]


def opened(world):
    return incidents.list_incidents(world.ctx, closed_too=True)
