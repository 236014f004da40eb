"""A world with an incident, six customers, two channels, and helpers that release what a second person approved."""

from dispatcher import resources
from dispatcher.ledger import audiences, broadcasts, people, planning
from dispatcher.model.clock import to_ms
from dispatcher.model.kinds import Channel, Mode, Severity
from dispatcher.model.person import Level, Person, Role
from dispatcher.model.rendition import Rendition
from dispatcher.services import (
    accounting,
    approval,
    drafting,
    facts,
    incidents,
    sending,
    sign_off,
)
from dispatcher.services.digests import digest
from dispatcher.services.drafting import Draft
from tests.services.world import World

EXAMPLES = resources.shipped("templates") / "messages"


def build(tmp_path, database_url):
    """The world; close its ledger afterwards."""
    made = World(tmp_path, database_url, mode="drill", **{"organisation.domain": "example.com"})
    made.mail = made.add_account("mail", Channel.EMAIL, most=2)
    made.text = made.add_account("text", Channel.SMS, most=1)
    with made.ctx.ledger.write() as tx:
        now = to_ms(made.clock.now())
        made.author = people.add(tx, Person(0, "Ana", roles=frozenset({Role.AUTHOR})), now)
        made.operator = people.add(tx, Person(0, "Olu", roles=frozenset({Role.OPERATOR}), level=Level.DIRECTOR), now)
        approver = {"roles": frozenset({Role.APPROVER}), "level": Level.DIRECTOR}
        made.approvers = [people.add(tx, Person(0, f"Approver {i}", **approver), now) for i in range(4)]
        version = audiences.open_version(
            tx, "customers", fields=["name"], source="x", region="", imported_by=None, now=now
        )
        lines = ((i, f"p{i}@example.com", f"+4477009{i:05d}", "en", '{"name":"P"}') for i in range(1, 7))
        audiences.fill(tx, version.id, lines)
    opening = incidents.Opening("Orders stopped", Severity.MAJOR, mode=Mode.DRILL)
    made.incident = incidents.open_incident(made.ctx, made.author, opening).ref
    return made


def approved(world, broadcast):
    """What a submit and a second person's yes leave behind; both have tests of their own."""
    ctx = world.ctx
    with ctx.ledger.write() as tx:
        found = broadcasts.get(tx, broadcast.id)
        template = ctx.catalogue.get(found.template_id)
        approval._plan(tx, ctx, found, template, _renditions(found), to_ms(world.clock.now()))
        now = to_ms(world.clock.now())
        broadcasts.change(tx, found.id, state="approved", submitted_at=now, audience_size=planning.people(tx, found.id))
        made = digest(tx, broadcasts.get(tx, found.id))
        broadcasts.change(tx, found.id, digest=made)
        for number, level in enumerate(sign_off.needed_by(ctx, tx, found, template)):
            found = broadcasts.get(tx, found.id)
            broadcasts.add_approval(tx, found, world.approvers[number].id, level, "approve", "", now)
        return broadcasts.get(tx, found.id)


def _renditions(broadcast):
    parts = {Channel.EMAIL: {"subject": "s", "html": "<p>t</p>", "text": "t"}, Channel.SMS: {"text": "t"},
             Channel.SOCIAL: {"post.1": "t"}}  # fmt: skip
    return [Rendition(channel, "en", "", parts[channel]) for channel in broadcast.plan.channels]


def first(world, *, template="outage-update", channels=(Channel.EMAIL, Channel.SMS), **more):
    wanted = {"template": template, "audience": "customers", "channels": channels, "incident": world.incident,
              "mode": Mode.DRILL, "facts": facts.read_file(EXAMPLES / template / "example.toml")}  # fmt: skip
    return drafting.draft(world.ctx, world.author, Draft(**wanted | more))


def released(world, broadcast, **how):
    ready = approved(world, broadcast)
    size = ready.audience_size
    return sending.send(world.ctx, world.operator, ready.ref, confirm_audience=size, **{"undo": 0} | how)


def sums(world, broadcast, channel="email"):
    view = accounting.show(world.ctx, f"B-{getattr(broadcast, 'id', broadcast)}")
    assert view.reconciles
    return {term: n for term, n in view.channels[channel].terms.items() if n}


def who(world, broadcast):
    with world.ctx.ledger.read() as tx:
        rows = tx.all(
            "SELECT email, phone FROM recipient WHERE version_id = :v ORDER BY rid", v=broadcast.audience_version_id
        )
    return [(row.email and row.email[1], row.phone and row.phone[-1]) for row in rows]
