"""Roles are sets of rights, not a ladder; levels are a ladder; nobody approves their own words."""

import pytest

from dispatcher.errors import NotPermitted
from dispatcher.model.person import Level, Person, Role
from dispatcher.people import RIGHTS, Right, may, require, require_level, require_second_person, rights_of


def holder(*roles, **more):
    return Person(1, "Jo", roles=frozenset(roles), **more)


def test_every_right_is_somebodys_and_every_role_has_some():
    assert frozenset().union(*RIGHTS.values()) == frozenset(Right)
    assert set(RIGHTS) == set(Role)


def test_no_role_both_approves_and_sends():
    for rights in RIGHTS.values():
        assert not {Right.APPROVE, Right.SEND} <= rights


def test_no_role_includes_another():
    for one in Role:
        for other in Role:
            assert one is other or not RIGHTS[one] <= RIGHTS[other]


def test_admin_neither_approves_sends_nor_drafts():
    assert not {Right.APPROVE, Right.SEND, Right.DRAFT, Right.OVERRIDE} & rights_of(holder(Role.ADMIN))


@pytest.mark.parametrize("role", Role)
def test_everybody_may_pause_and_only_operators_resume(role):
    assert may(holder(role), Right.PAUSE)
    assert may(holder(role), Right.RESUME) is (role is Role.OPERATOR)


def test_two_roles_add_up():
    assert rights_of(holder(Role.AUTHOR, Role.ADMIN)) == RIGHTS[Role.AUTHOR] | RIGHTS[Role.ADMIN]


def test_who_has_no_role_may_nothing():
    assert rights_of(holder()) == frozenset()


def test_require_names_the_roles_that_would_do():
    with pytest.raises(NotPermitted) as caught:
        require(holder(Role.AUTHOR), Right.SEND)
    assert caught.value.what == "Jo may not send a broadcast."
    assert "operator" in caught.value.why
    assert "operator" in caught.value.mend[0]
    assert caught.value.exit_code == 5


def test_require_lets_a_holder_pass():
    assert require(holder(Role.OPERATOR), Right.SEND) is None


def test_who_was_removed_keeps_no_right():
    gone = holder(*Role, active=False)
    assert rights_of(gone) == frozenset()
    with pytest.raises(NotPermitted, match="may not look"):
        require(gone, Right.VIEW)


def test_levels_are_ordered_by_reach_not_by_alphabet():
    reach = [Level.COMMS, Level.COMMS_LEAD, Level.LEGAL, Level.DPO, Level.DIRECTOR]
    assert sorted(Level, key=lambda level: level.rank) == reach
    assert Level.DIRECTOR.covers(Level.LEGAL)
    assert not Level.COMMS_LEAD.covers(Level.DPO)


def test_a_sign_off_needs_the_level():
    lead = holder(Role.APPROVER, level=Level.COMMS_LEAD)
    assert require_level(lead, Level.COMMS_LEAD) is None
    with pytest.raises(NotPermitted, match="may not sign off at level dpo"):
        require_level(lead, Level.DPO)


def test_an_editor_of_any_version_cannot_approve():
    with pytest.raises(NotPermitted, match="may not approve"):
        require_second_person(holder(Role.APPROVER), {3, 1})
    assert require_second_person(holder(Role.APPROVER), {2, 3}) is None
