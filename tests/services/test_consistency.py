"""Two broadcasts of one incident do not tell people the opposite without somebody being told."""

from datetime import timedelta

import pytest

from dispatcher.model.kinds import Mode, Severity
from dispatcher.services import approval, checking, followups, incidents, overriding, sending
from dispatcher.services.incidents import Opening
from tests.services.desk import Desk

CALM = "You do not need to take any action."


@pytest.fixture
def desk(tmp_path):
    made = Desk(tmp_path, **{"organisation.domain": "example.com"})
    made.incident = opened(made)
    yield made
    made.ctx.ledger.close()


def opened(desk, mode=Mode.LIVE):
    made = incidents.open_incident(desk.ctx, desk.ana, Opening("Passwords copied", Severity.MINOR, mode=mode))
    incidents.promise(desk.ctx, desk.ana, made.ref, desk.clock.now() + timedelta(minutes=30))
    return made.ref


def calm(desk, words=CALM, **more):
    given = {"incident": desk.incident, "severity": Severity.MINOR} | more
    return desk.draft("holding-statement", facts={"workaround": words}, **given)


def reset(desk, **more):
    return desk.draft("password-reset", **({"incident": desk.incident, "severity": Severity.MINOR} | more))


def approved(desk, made):
    approval.submit(desk.ctx, desk.ana, made.ref)
    return approval.approve(desk.ctx, desk.ben, made.ref)


def out(desk, made):
    approved(desk, made)
    return sending.send(desk.ctx, desk.olu, made.ref, confirm_audience=5, undo=0)


def told(desk, made):
    return [one for one in checking.check(desk.ctx, made.ref).findings if one.code == "W-L08"]


def test_what_asks_for_something_after_nothing_was_needed_warns_and_names_both(desk):
    first = out(desk, calm(desk))
    second = reset(desk)
    [found] = told(desk, second)
    assert found.level == "warning"
    assert found.what.startswith(f"{second.ref} says “")
    assert f"{first.ref} (released) says “do not need to take any action”" in found.what
    assert found.mend.endswith(f"dispatcher broadcast correct {first.ref}")
    assert found.words in found.what


def test_what_says_nothing_is_needed_after_something_was_asked_warns(desk):
    first = approved(desk, reset(desk))
    [found] = told(desk, calm(desk))
    assert f"{first.ref} (approved) says" in found.what
    assert "not need to take any action" in found.words
    assert found.mend.endswith(f"dispatcher broadcast edit {first.ref}")


@pytest.mark.parametrize("words", ["Please keep your order number.", "You do not need to change your password."])
def test_words_that_do_not_contradict_are_let_pass(desk, words):
    out(desk, calm(desk, words))
    assert told(desk, reset(desk)) == []


def test_a_draft_another_incident_and_a_drill_contradict_nobody(desk):
    calm(desk)
    out(desk, calm(desk, incident=opened(desk)))
    approved(desk, calm(desk, incident=opened(desk, Mode.DRILL), mode=Mode.DRILL))
    assert told(desk, reset(desk)) == []


def test_what_was_corrected_stands_no_longer_and_the_correction_may_say_the_opposite(desk):
    first = out(desk, calm(desk))
    desk.drain("email")
    known = desk.known("correction", wrong=CALM, right="Please change your password.")
    facts = {key: value for key, value in known.items() if key[1] is None}
    right = followups.correct(desk.ctx, desk.ana, first.ref, facts=facts)
    assert told(desk, right) == []
    approval.submit(desk.ctx, desk.ana, right.ref)
    overriding.override(desk.ctx, desk.cat, right.ref, ["L40"], "it says what is right")
    approval.approve(desk.ctx, desk.ben, right.ref)
    sending.send(desk.ctx, desk.olu, right.ref, confirm_audience=5, undo=0)
    assert told(desk, reset(desk)) == []
