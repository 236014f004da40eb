"""Incidents and their fact sheets over a real ledger."""

from datetime import timedelta

import pytest

from dispatcher.compose.facts import parse_words
from dispatcher.errors import NotFound, NotPermitted, Refused, TemplateError, UsageError
from dispatcher.ledger import broadcasts, people
from dispatcher.model.clock import to_ms
from dispatcher.model.fact import FactKind
from dispatcher.model.incident import Phase, Visibility, incident_id
from dispatcher.model.kinds import Channel, FactState, Mode, Severity
from dispatcher.model.person import Person, Role
from dispatcher.model.states import BroadcastState
from dispatcher.services import facts, incidents
from dispatcher.services.facts import Telling
from dispatcher.services.incidents import Change, Opening
from tests.services.world import World


@pytest.fixture
def world(tmp_path, database_url):
    return World(tmp_path, database_url)


@pytest.fixture
def ana(world):
    return _person(world, "Ana", Role.AUTHOR)


def _person(world, name, *roles):
    with world.ctx.ledger.write() as tx:
        return people.add(tx, Person(0, name, roles=frozenset(roles)), to_ms(world.clock.now()))


def _opened(world, ana, **more):
    return incidents.open_incident(world.ctx, ana, Opening("Online orders stopped", **more))


def test_an_incident_is_opened_shown_and_listed(world, ana):
    until = world.clock.now() + timedelta(minutes=30)
    made = _opened(world, ana, severity=Severity.CRITICAL, mode=Mode.DRILL, next_update_at=until)
    assert made.ref == "INC-1"
    assert (made.severity, made.mode, made.phase) == (Severity.CRITICAL, Mode.DRILL, Phase.INVESTIGATING)
    assert made.next_update_at == until
    view = incidents.show(world.ctx, "inc-1")
    assert view.incident == made
    assert [(e.verb, e.person) for e in view.timeline] == [("opened", "Ana"), ("promised", "Ana")]
    assert incidents.list_incidents(world.ctx) == [made]


def test_only_whoever_may_opens_an_incident(world):
    with pytest.raises(NotPermitted):
        _opened(world, _person(world, "Ben", Role.APPROVER))


@pytest.mark.parametrize("title", ["", "  \n ", "x" * 201])
def test_a_title_is_needed(world, ana, title):
    with pytest.raises(UsageError):
        incidents.open_incident(world.ctx, ana, Opening(title))


def test_changes_and_notes_are_lines_of_the_timeline(world, ana):
    _opened(world, ana)
    change = Change(
        phase=Phase.MONITORING, severity=Severity.MAJOR, visibility=Visibility.PRIVATE, note="Half is back."
    )
    changed = incidents.update(world.ctx, ana, "INC-1", change)
    assert (changed.phase, changed.visibility) == (Phase.MONITORING, Visibility.PRIVATE)
    lines = [(e.verb, e.detail) for e in incidents.show(world.ctx, "INC-1").timeline[1:]]
    assert lines == [
        ("phase changed", "investigating to monitoring"),
        ("visibility changed", "public to private"),
        ("noted", "Half is back."),
    ]


def test_a_promise_lies_in_the_future_and_replaces_the_last(world, ana):
    _opened(world, ana)
    with pytest.raises(UsageError):
        incidents.promise(world.ctx, ana, "INC-1", world.clock.now())
    first, second = (world.clock.now() + timedelta(minutes=m) for m in (30, 60))
    incidents.promise(world.ctx, ana, "INC-1", first)
    assert incidents.promise(world.ctx, ana, "INC-1", second).next_update_at == second
    assert [e.verb for e in incidents.show(world.ctx, "INC-1").timeline].count("promised") == 2


def test_a_closed_incident_takes_nothing_more(world, ana):
    _opened(world, ana, next_update_at=world.clock.now() + timedelta(hours=1))
    closed = incidents.close(world.ctx, ana, "INC-1", "Rehearse the restore.")
    assert closed.closed_at == world.clock.now()
    assert closed.next_update_at is None
    assert closed.phase is Phase.CLOSED
    assert incidents.list_incidents(world.ctx) == []
    assert incidents.list_incidents(world.ctx, closed_too=True) == [closed]
    for act in (
        lambda: incidents.close(world.ctx, ana, "INC-1"),
        lambda: incidents.update(world.ctx, ana, "INC-1", Change(note="more")),
        lambda: facts.set_facts(world.ctx, ana, "INC-1", parse_words(["problem=x"])),
    ):
        with pytest.raises(Refused):
            act()


def test_an_incident_with_a_waiting_broadcast_is_not_closed(world, ana):
    _opened(world, ana)
    made = _broadcast_about(world, 1)
    with pytest.raises(Refused, match="B-1 is approved"):
        incidents.close(world.ctx, ana, "INC-1")
    with world.ctx.ledger.write() as tx:
        broadcasts.move(tx, broadcasts.get(tx, made), BroadcastState.REJECTED)
    assert not incidents.close(world.ctx, ana, "INC-1").is_open


def test_refs_that_name_nothing(world):
    with pytest.raises(NotFound):
        incidents.show(world.ctx, "INC-9")
    for ref in ("INC-", "B-1", "INC-1x", "INC-" + "9" * 30):
        with pytest.raises(UsageError):
            incident_id(ref)


def test_facts_are_typed_by_the_templates_that_ask_for_them(world, ana):
    _opened(world, ana)
    words = ["since=2026-03-01 11:40 Europe/London", "affected=online orders; click and collect"]
    made = facts.set_facts(world.ctx, ana, "INC-1", parse_words(words), Telling(source="On call"))
    kinds = {fact.name: (fact.kind, fact.value) for fact in made}
    assert kinds["since"] == (FactKind.MOMENT, "2026-03-01T11:40+00:00")
    assert kinds["affected"] == (FactKind.LIST, ["online orders", "click and collect"])
    kept = facts.list_facts(world.ctx, "INC-1")
    assert {f.name: (f.value, f.source, f.set_by, f.set_at) for f in kept} == {
        f.name: (f.value, "On call", "Ana", world.clock.now()) for f in made
    }


def test_one_wrong_fact_sets_none(world, ana):
    _opened(world, ana)
    with pytest.raises(TemplateError, match="cannot be used"):
        facts.set_facts(world.ctx, ana, "INC-1", parse_words(["problem=It is down.", "since=just now"]))
    assert facts.list_facts(world.ctx, "INC-1") == []


def test_a_fact_no_template_knows_needs_its_kind(world, ana):
    _opened(world, ana)
    with pytest.raises(TemplateError) as caught:
        facts.set_facts(world.ctx, ana, "INC-1", parse_words(["problm=It is down."]))
    assert "did you mean problem?" in caught.value.why
    facts.set_facts(world.ctx, ana, "INC-1", parse_words(["bridge_number=7"]), Telling(kind=FactKind.NUMBER))
    assert facts.list_facts(world.ctx, "INC-1", name="bridge_number")[0].value == 7


def test_every_value_is_kept_and_a_new_one_voids_its_translations(world, ana):
    _opened(world, ana)
    facts.set_facts(world.ctx, ana, "INC-1", parse_words(["problem=Slow.", "problem@fr=Lent."]))
    assert {(f.locale, f.value) for f in facts.list_facts(world.ctx, "INC-1")} == {(None, "Slow."), ("fr", "Lent.")}
    facts.set_facts(world.ctx, ana, "INC-1", parse_words(["problem@fr=Très lent."]))
    facts.set_facts(world.ctx, ana, "INC-1", parse_words(["problem=Down."]), Telling(FactState.BELIEVED))
    standing = facts.list_facts(world.ctx, "INC-1")
    assert [(f.locale, f.value, f.state) for f in standing] == [(None, "Down.", FactState.BELIEVED)]
    told = [f.value for f in facts.list_facts(world.ctx, "INC-1", name="problem", history=True)]
    assert told == ["Slow.", "Lent.", "Très lent.", "Down."]


def test_what_we_do_not_know_has_a_name_and_no_value(world, ana):
    _opened(world, ana)
    facts.set_facts(world.ctx, ana, "INC-1", {("since", None): ""}, Telling(FactState.UNKNOWN))
    assert facts.list_facts(world.ctx, "INC-1")[0].value is None
    assert incidents.show(world.ctx, "INC-1").unknown == ("since",)


def test_a_retracted_fact_lists_the_broadcasts_that_told_it(world, ana):
    _opened(world, ana)
    before = _broadcast_about(world, 1, submitted=world.clock.now())
    world.clock.pass_by(60)
    facts.set_facts(world.ctx, ana, "INC-1", parse_words(["problem=Down.", "problem@fr=En panne."]))
    world.clock.pass_by(60)
    told = _broadcast_about(world, 1, submitted=world.clock.now())
    own_words = _broadcast_about(world, 1, submitted=world.clock.now(), facts=[["problem", None, "Ours."]])
    waiting = _broadcast_about(world, 1, submitted=world.clock.now())
    for number in (before, told, own_words):
        with world.ctx.ledger.write() as tx:
            broadcasts.change(tx, number, state=BroadcastState.RELEASED)
    taken = facts.retract_fact(world.ctx, ana, "INC-1", "problem", "It was slow, not down.")
    assert [b.id for b in taken.told_by] == [told]
    assert waiting not in {b.id for b in taken.told_by}
    standing = facts.list_facts(world.ctx, "INC-1")
    assert {(f.locale, f.state, f.source) for f in standing} == {
        (None, FactState.RETRACTED, "It was slow, not down."),
        ("fr", FactState.RETRACTED, "It was slow, not down."),
    }
    with pytest.raises(NotFound):
        facts.retract_fact(world.ctx, ana, "INC-1", "problem", "again")


def test_a_retraction_needs_a_reason_and_its_own_verb(world, ana):
    _opened(world, ana)
    with pytest.raises(UsageError):
        facts.retract_fact(world.ctx, ana, "INC-1", "problem", " ")
    with pytest.raises(UsageError):
        facts.set_facts(world.ctx, ana, "INC-1", parse_words(["problem=x"]), Telling(FactState.RETRACTED))


def test_facts_of_a_file(tmp_path):
    path = tmp_path / "facts.toml"
    path.write_text('problem = "Down."\n[locales.fr]\nproblem = "En panne."\n', encoding="utf-8")
    assert facts.read_file(path) == {("problem", None): "Down.", ("problem", "fr"): "En panne."}


def _broadcast_about(world, incident, *, submitted=None, facts=()):
    world.clock.pass_by(1)
    made = world.broadcast([Channel.EMAIL], {Channel.EMAIL: ["a"]})
    with world.ctx.ledger.write() as tx:
        broadcasts.change(
            tx, made, incident_id=incident, template_id="holding-statement", facts=broadcasts.canonical(list(facts)),
            submitted_at=to_ms(submitted) if submitted else None,
        )  # fmt: skip
    return made
