"""A fact is taken back at once, whatever has become of the templates that state it."""

import shutil

import pytest

from dispatcher import resources
from dispatcher.model.kinds import Severity
from dispatcher.services import approval, drafting, facts, incidents
from dispatcher.services.incidents import Opening
from tests.services.desk import Desk

SHIPPED = resources.shipped("templates") / "messages" / "apology"
WORDS = "A fault in our own software stopped the orders."


@pytest.fixture
def desk(tmp_path):
    """The template of an apology is the operator's own."""
    shutil.copytree(SHIPPED, tmp_path / "templates" / "messages" / "our-apology")
    path = tmp_path / "templates" / "messages" / "our-apology" / "template.toml"
    path.write_text(path.read_text().replace('id = "apology"', 'id = "our-apology"'))
    made = Desk(tmp_path, templates_dir=str(tmp_path / "templates"), **{"organisation.domain": "example.com"})
    made.description = path
    made.incident = incidents.open_incident(made.ctx, made.ana, Opening("Orders stopped", Severity.MINOR)).ref
    yield made
    made.ctx.ledger.close()


def _submitted(desk, own):
    made = desk.draft("our-apology", incident=desk.incident, severity=Severity.MINOR)
    given = {("cause", None): WORDS} if own else {}
    made = drafting.edit(desk.ctx, desk.ana, made.ref, given, without=[] if own else _own_causes(made))
    return approval.submit(desk.ctx, desk.ana, made.ref)


def _own_causes(made):
    return [("cause", None)] if any(name == "cause" for name, _, _ in made.facts) else []


@pytest.mark.parametrize("own", [True, False], ids=["given by its author", "from the sheet"])
@pytest.mark.parametrize("gone", [True, False], ids=["its template is gone", "its template is broken"])
def test_a_retraction_finds_what_states_the_fact_without_its_template(desk, own, gone):
    facts.set_facts(desk.ctx, desk.ana, desk.incident, {("cause", None): WORDS, ("cause", "fr"): "Une panne."})
    made = _submitted(desk, own)
    desk.clock.pass_by(60)
    if gone:
        shutil.rmtree(desk.description.parent)
    else:
        desk.description.write_text("id = [")
    taken = facts.retract_fact(desk.ctx, desk.ana, desk.incident, "cause", "It was something else.")
    assert [one.ref for one in taken.would_tell] == [made.ref]
