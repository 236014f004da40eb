"""Facts that an author gave to a broadcast: taken out of a draft, found by a retraction, and never sent after one."""

import pytest

from dispatcher.errors import NotFound, Refused
from dispatcher.model.kinds import Severity
from dispatcher.services import approval, checking, drafting, facts, incidents, sending
from dispatcher.services.incidents import Opening
from tests.services.desk import Desk

WORDS = "A fault in our own software stopped the orders."
OTHER = "A cable was cut by our own people."


@pytest.fixture
def desk(tmp_path):
    made = Desk(tmp_path, **{"organisation.domain": "example.com"})
    made.incident = incidents.open_incident(made.ctx, made.ana, Opening("Orders stopped", Severity.MINOR)).ref
    yield made
    made.ctx.ledger.close()


def draft(desk, words=WORDS, **more):
    given = {
        ("cause", locale): text for locale, text in {None: words, "fr": "Une panne de notre logiciel.", **more}.items()
    }
    wanted = desk.draft("apology", incident=desk.incident, severity=Severity.MINOR)
    return drafting.edit(desk.ctx, desk.ana, wanted.ref, {k: v for k, v in given.items() if v})


def own(made):
    return {(name, locale) for name, locale, _ in made.facts if name == "cause"}


def set_on_sheet(desk, words=WORDS):
    facts.set_facts(desk.ctx, desk.ana, desk.incident, {("cause", None): words})


def retract(desk):
    return facts.retract_fact(desk.ctx, desk.ana, desk.incident, "cause", "The stores shut.")


def refs(some):
    return [one.ref for one in some]


def faults(desk, made):
    return {one.code for one in checking.check(desk.ctx, made.ref).findings}


def test_a_fact_is_taken_out_of_a_draft_in_one_language_or_all(desk):
    made = draft(desk)
    made = drafting.edit(desk.ctx, desk.ana, made.ref, {}, without=[("cause", "fr")])
    assert own(made) == {("cause", None)}
    made = drafting.edit(desk.ctx, desk.ana, made.ref, {("cause", "fr"): "x"})
    made = drafting.edit(desk.ctx, desk.ana, made.ref, {}, without=[("cause", None)])
    assert (own(made), made.state) == (set(), "draft")


def test_the_fact_sheet_speaks_where_a_draft_gave_way(desk):
    set_on_sheet(desk, OTHER)
    made = draft(desk)
    drafting.edit(desk.ctx, desk.ana, made.ref, {}, without=[("cause", None)])
    said = checking.renditions_now(desk.ctx, made.ref)[2]
    assert OTHER in " ".join(said[0].parts["text"].split())
    assert WORDS not in said[0].parts["text"]


@pytest.mark.parametrize("key", [("cause", "de"), ("support", None), ("strange", None)])
def test_what_a_draft_was_not_given_cannot_be_taken_out(desk, key):
    made = draft(desk)
    with pytest.raises(Refused, match="was not given the fact") as refused:
        drafting.edit(desk.ctx, desk.ana, made.ref, {("effect", None): "x"}, without=[key])
    assert "Its own facts: " in refused.value.why
    assert f"dispatcher fact retract INC-1 {key[0]} --reason WHY" in refused.value.mend
    assert checking.renditions_now(desk.ctx, made.ref)[0].version == made.version


def test_what_was_taken_out_and_given_in_the_same_edit_is_new(desk):
    made = drafting.edit(desk.ctx, desk.ana, draft(desk).ref, {("cause", None): OTHER}, without=[("cause", None)])
    assert [row for row in made.facts if row[0] == "cause"] == [("cause", None, OTHER)]


def test_a_retraction_finds_who_was_given_the_same_value(desk):
    set_on_sheet(desk)
    told, waits, drafted = (draft(desk) for _ in range(3))
    another = draft(desk, OTHER)
    for one in (told, waits):
        approval.submit(desk.ctx, desk.ana, one.ref)
        approval.approve(desk.ctx, desk.ben, one.ref)
    sending.send(desk.ctx, desk.olu, told.ref, confirm_audience=5, undo=0)
    desk.drain("email")
    done = retract(desk)
    assert refs(done.told_by) == [told.ref]
    assert refs(done.would_tell) == [waits.ref, drafted.ref]
    assert [one.relation for one in done.drafts] == ["correction"]
    with pytest.raises(Refused) as caught:
        sending.send(desk.ctx, desk.olu, waits.ref, confirm_audience=5)
    assert caught.value.code == "E-RETRACTED"
    assert "E-RETRACTED" in faults(desk, drafted)
    assert "E-RETRACTED" not in faults(desk, another)
    mended = drafting.edit(desk.ctx, desk.ana, drafted.ref, {}, without=[("cause", None)])
    assert "E-RETRACTED" not in faults(desk, mended)


def test_what_only_broadcasts_were_given_can_be_taken_back_once(desk):
    first, second = draft(desk), draft(desk, OTHER, fr=None)
    done = retract(desk)
    assert {(fact.value, fact.locale) for fact in done.facts} == {
        (WORDS, None), (OTHER, None), ("Une panne de notre logiciel.", "fr"),
    }  # fmt: skip
    assert refs(done.would_tell) == [first.ref, second.ref]
    assert "E-RETRACTED" in faults(desk, first)
    assert "E-RETRACTED" in faults(desk, second)
    with pytest.raises(NotFound):
        retract(desk)


def test_what_was_set_again_after_a_retraction_may_be_said_again(desk):
    set_on_sheet(desk)
    made = draft(desk)
    retract(desk)
    assert "E-RETRACTED" in faults(desk, made)
    set_on_sheet(desk)
    drafting.edit(desk.ctx, desk.ana, made.ref, {}, without=[("cause", "fr")])
    assert "E-RETRACTED" not in faults(desk, made)


def test_the_same_words_are_taken_back_whatever_language_the_sheet_names(desk):
    made = draft(desk)
    facts.set_facts(desk.ctx, desk.ana, desk.incident, {("cause", "en"): WORDS})
    retract(desk)
    assert "E-RETRACTED" in faults(desk, made)
