"""Persons and their tokens."""

import pytest

from dispatcher.errors import NotFound, NotPermitted, Refused, UsageError
from dispatcher.model.person import Level, Role
from dispatcher.services import people
from tests.services.world import World

both = pytest.mark.parametrize("url", ["", pytest.param("postgresql", marks=pytest.mark.postgres)])


@pytest.fixture
def url():
    """SQLite, unless a test asks for `both`."""
    return ""


@pytest.fixture
def ctx(tmp_path, url, request):
    world = World(tmp_path, request.getfixturevalue("postgres_url") if url else "", **{"audience.region": "GB"})
    yield world.ctx
    world.ctx.ledger.close()


@pytest.fixture
def admin(ctx):
    """An admin who holds a token: from here on the machine alone is not enough."""
    made = people.add(ctx, None, "Ada", roles=[Role.ADMIN])
    people.issue_token(ctx, None, "Ada")
    return made


def acts(ctx):
    with ctx.ledger.read() as tx:
        return [
            (row.verb, row.person_id, row.detail)
            for row in tx.all("SELECT verb, person_id, detail FROM act ORDER BY id")
        ]


@both
def test_a_person_is_kept_in_canonical_form(ctx):
    made = people.add(
        ctx, None, "  Jo   Smith ", roles=[Role.AUTHOR, Role.OPERATOR], level=Level.LEGAL, email="Jo@Example.com",
        phone="07700 900123",
    )  # fmt: skip
    assert people.everyone(ctx) == [made]
    assert (made.name, made.email, made.phone) == ("Jo Smith", "jo@example.com", "+447700900123")
    assert made.roles == {Role.AUTHOR, Role.OPERATOR}
    assert made.level is Level.LEGAL


@both
def test_a_person_may_have_a_zone_of_their_own(ctx):
    assert people.add(ctx, None, "Jo", roles=[Role.AUTHOR]).zone == ""
    people.change(ctx, None, "Jo", zone="Asia/Tokyo")
    assert people.by_name(ctx, "Jo").zone == "Asia/Tokyo"
    assert people.change(ctx, None, "Jo", level=Level.LEGAL).zone == "Asia/Tokyo"
    assert people.change(ctx, None, "Jo", zone="").zone == ""


@pytest.mark.parametrize("zone", ["Mars/Olympus", "../etc/passwd", "Europe", "posixrules", "\x00"])
def test_a_zone_that_is_none_is_refused(ctx, zone):
    with pytest.raises(UsageError, match="No time zone is called"):
        people.add(ctx, None, "Jo", roles=[Role.AUTHOR], zone=zone)


def test_names_are_found_whatever_their_case(ctx):
    made = people.add(ctx, None, "Jo Smith", roles=[Role.AUTHOR])
    assert people.by_name(ctx, "jo SMITH") == made
    with pytest.raises(NotFound, match="Nobody is called"):
        people.by_name(ctx, "Jo")


@both
def test_two_cannot_share_a_name(ctx):
    people.add(ctx, None, "Jo", roles=[Role.AUTHOR])
    with pytest.raises(Refused, match="called JO already"):
        people.add(ctx, None, "JO", roles=[Role.ADMIN])


@pytest.mark.parametrize("name", ["", "   ", "-jo", "a\u202eb", "x" * 81, "a\x00b"])
def test_what_cannot_be_a_name(ctx, name):
    with pytest.raises(UsageError):
        people.add(ctx, None, name, roles=[Role.AUTHOR])


def test_nobody_without_a_role(ctx):
    with pytest.raises(UsageError, match="no role"):
        people.add(ctx, None, "Jo", roles=[])


def test_a_token_tells_who_somebody_is(ctx, admin):
    people.add(ctx, admin, "Jo", roles=[Role.AUTHOR])
    token = people.issue_token(ctx, admin, "Jo")
    assert people.authenticate(ctx, token).name == "Jo"
    assert people.authenticate(ctx, f" {token}\n").name == "Jo"


def test_a_token_is_256_random_bits_and_stored_as_a_hash_only(ctx, admin):
    token = people.issue_token(ctx, admin, "Ada")
    assert token != people.issue_token(ctx, admin, "Ada")
    assert len(token) == len(people.TOKEN_PREFIX) + 43
    with ctx.ledger.read() as tx:
        stored = tx.scalar("SELECT token_hash FROM person")
    assert len(stored) == 64
    assert token not in stored
    assert not any(token in str(act) for act in acts(ctx))


@both
def test_a_new_token_ends_the_old_one(ctx, admin):
    old = people.issue_token(ctx, admin, "Ada")
    new = people.issue_token(ctx, admin, "Ada")
    assert people.authenticate(ctx, new).name == "Ada"
    with pytest.raises(NotPermitted, match="nobody's"):
        people.authenticate(ctx, old)


@pytest.mark.parametrize("token", ["", "null", "true", "0e12", "dp_", "' OR 1=1 --"])
def test_no_other_string_is_a_token(ctx, admin, token):
    with pytest.raises(NotPermitted) as caught:
        people.authenticate(ctx, token)
    assert caught.value.exit_code == 5
    assert token == "" or token not in caught.value.what


def test_without_an_admins_token_the_machine_may_manage(ctx):
    people.add(ctx, None, "Jo", roles=[Role.AUTHOR])
    people.issue_token(ctx, None, "Jo")
    people.add(ctx, None, "Ada", roles=[Role.ADMIN])
    people.remove(ctx, None, "Jo")


@both
def test_with_an_admins_token_it_may_not(ctx, admin):
    for attempt in (
        lambda: people.add(ctx, None, "Eve", roles=[Role.ADMIN]),
        lambda: people.issue_token(ctx, None, "Ada"),
        lambda: people.remove(ctx, None, "Ada"),
    ):
        with pytest.raises(NotPermitted, match="Only an admin"):
            attempt()


@pytest.mark.parametrize("role", [Role.AUTHOR, Role.APPROVER, Role.OPERATOR])
def test_other_roles_manage_nobody(ctx, admin, role):
    jo = people.add(ctx, admin, "Jo", roles=[role])
    with pytest.raises(NotPermitted):
        people.add(ctx, jo, "Eve", roles=[Role.ADMIN])
    with pytest.raises(NotPermitted):
        people.issue_token(ctx, jo, "Ada")


def test_one_may_replace_ones_own_token(ctx, admin):
    jo = people.add(ctx, admin, "Jo", roles=[Role.AUTHOR])
    assert people.authenticate(ctx, people.issue_token(ctx, jo, "jo")) == jo


@both
def test_who_is_removed_loses_rights_and_token_at_once(ctx, admin):
    people.add(ctx, admin, "Jo", roles=[Role.AUTHOR])
    token = people.issue_token(ctx, admin, "Jo")
    gone = people.remove(ctx, admin, "Jo")
    assert not gone.active
    assert [one.name for one in people.everyone(ctx)] == ["Ada"]
    with pytest.raises(NotPermitted):
        people.authenticate(ctx, token)
    assert people.add(ctx, admin, "Jo", roles=[Role.AUTHOR]).id != gone.id


def test_the_last_admin_stays(ctx, admin):
    with pytest.raises(Refused, match="last admin"):
        people.remove(ctx, admin, "Ada")
    people.add(ctx, admin, "Bea", roles=[Role.ADMIN])
    assert not people.remove(ctx, admin, "Ada").active


@both
def test_other_roles_make_no_other_person(ctx, admin):
    jo = people.add(ctx, admin, "Jo", roles=[Role.AUTHOR], email="jo@example.com")
    token = people.issue_token(ctx, admin, "Jo")
    made = people.change(ctx, admin, "jo", roles=[Role.AUTHOR, Role.APPROVER], level=Level.DIRECTOR, email="")
    assert (made.id, made.roles, made.level, made.email) == (jo.id, {Role.AUTHOR, Role.APPROVER}, Level.DIRECTOR, "")
    assert people.authenticate(ctx, token) == made
    assert people.change(ctx, admin, "Jo", phone="+447700900001").level is Level.DIRECTOR
    assert ("person changed", admin.id, "Jo: approver author, director") in acts(ctx)
    with pytest.raises(NotPermitted):
        people.change(ctx, made, "Jo", roles=[Role.ADMIN])
    with pytest.raises(Refused, match="last admin"):
        people.change(ctx, admin, "Ada", roles=[Role.AUTHOR])


def test_every_act_is_kept(ctx, admin):
    people.add(ctx, admin, "Jo", roles=[Role.AUTHOR])
    people.issue_token(ctx, admin, "Jo")
    people.remove(ctx, admin, "Jo")
    assert acts(ctx)[2:] == [
        ("person added", admin.id, "Jo: author, comms"),
        ("token issued", admin.id, "Jo"), ("person removed", admin.id, "Jo"),
    ]  # fmt: skip


def test_who_holds_a_token_is_known(ctx, admin):
    people.add(ctx, admin, "Jo", roles=[Role.AUTHOR])
    assert people.token_holders(ctx) == {admin.id}
