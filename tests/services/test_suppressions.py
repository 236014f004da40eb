"""Suppressions: canonical, reasoned, never deleted."""

import pytest

from dispatcher.errors import AudienceError, NotFound, NotPermitted, Refused, UsageError
from dispatcher.model.kinds import Channel
from dispatcher.model.person import Person, Role
from dispatcher.services import suppressions
from tests.services.world import OPERATOR, World

AUTHOR = Person(2, "Author", roles=frozenset({Role.AUTHOR}))


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


def save(tmp_path, text):
    path = tmp_path / "out.csv"
    path.write_text(text, encoding="utf-8")
    return path


def held(ctx):
    return [(one.channel, one.address, one.scope, one.reason) for one in suppressions.listing(ctx)]


@both
def test_an_address_is_kept_in_its_one_form_on_its_channel(ctx):
    suppressions.add(ctx, AUTHOR, " Jo@Example.COM", reason="opt_out")
    suppressions.add(ctx, AUTHOR, "07700 900123", reason="legal", scope="promotional", note="letter of 3 May")
    assert held(ctx) == [
        (Channel.EMAIL, "jo@example.com", "all", "opt_out"), (Channel.SMS, "+447700900123", "promotional", "legal"),
    ]  # fmt: skip
    (one,) = suppressions.listing(ctx, channel=Channel.SMS)
    assert (one.note, one.source, one.created_by) == ("letter of 3 May", "person", AUTHOR.id)


@both
def test_twice_is_once(ctx):
    first = suppressions.add(ctx, AUTHOR, "jo@example.com", reason="opt_out")
    again = suppressions.add(ctx, AUTHOR, "JO@example.com", reason="legal")
    assert again == first
    assert len(held(ctx)) == 1


def test_a_wider_scope_stands_beside_a_narrower_one(ctx):
    suppressions.add(ctx, AUTHOR, "jo@example.com", scope="promotional")
    assert suppressions.add(ctx, AUTHOR, "jo@example.com", scope="all").scope == "all"
    assert len(held(ctx)) == 2


@both
def test_lifting_needs_the_right_and_a_reason_and_keeps_the_history(ctx):
    suppressions.add(ctx, AUTHOR, "jo@example.com", reason="opt_out")
    with pytest.raises(NotPermitted, match="may not lift"):
        suppressions.remove(ctx, AUTHOR, "jo@example.com", reason="x")
    with pytest.raises(UsageError, match="needs a reason"):
        suppressions.remove(ctx, OPERATOR, "jo@example.com", reason="  ")
    (ended,) = suppressions.remove(ctx, OPERATOR, "Jo@example.com", reason="asked by phone")
    assert ended.removed_reason == "asked by phone"
    assert held(ctx) == []
    assert [one.removed_at is None for one in suppressions.of_address(ctx, "jo@example.com")] == [False]


@both
def test_after_lifting_it_may_come_again(ctx):
    suppressions.add(ctx, AUTHOR, "jo@example.com")
    suppressions.remove(ctx, OPERATOR, "jo@example.com", reason="asked")
    suppressions.add(ctx, AUTHOR, "jo@example.com")
    assert [one.removed_at is None for one in suppressions.of_address(ctx, "jo@example.com")] == [True, False]


def test_lifting_what_is_not_there_is_refused(ctx):
    with pytest.raises(NotFound, match="not suppressed"):
        suppressions.remove(ctx, OPERATOR, "jo@example.com", reason="x")


@pytest.mark.parametrize("wrong", [{"reason": "because"}, {"scope": "some"}])
def test_only_words_of_the_list(ctx, wrong):
    with pytest.raises(Refused, match="none of the words"):
        suppressions.add(ctx, AUTHOR, "jo@example.com", **wrong)


def test_an_address_that_is_none_is_refused(ctx):
    with pytest.raises(Refused) as caught:
        suppressions.add(ctx, AUTHOR, "jo@@example.com")
    assert caught.value.code == "E-ADR"


@both
def test_a_file_brings_every_address_of_every_row(ctx, tmp_path):
    path = save(tmp_path, "Email,Mobile\nA@example.com,07700900001\nb@example.com,\n,07700900002\na@example.com,\n")
    done = suppressions.import_file(ctx, AUTHOR, path, reason="opt_out")
    assert (done.rows, done.added, done.held_already, done.error_count) == (4, 4, 1, 0)
    assert suppressions.counts(ctx) == {("email", "all", "opt_out"): 2, ("sms", "all", "opt_out"): 2}
    again = suppressions.import_file(ctx, AUTHOR, path)
    assert (again.added, again.held_already) == (0, 5)


def test_bad_cells_are_named_and_the_rest_protects(ctx, tmp_path):
    path = save(tmp_path, "email\na@example.com\nnobody\nb@example.com\n")
    done = suppressions.import_file(ctx, AUTHOR, path)
    assert done.added == 2
    assert [(error.line, error.column) for error in done.errors] == [(3, "email")]


def test_a_file_with_nobody_is_refused(ctx, tmp_path):
    with pytest.raises(AudienceError, match="holds nobody"):
        suppressions.import_file(ctx, AUTHOR, save(tmp_path, "email\n"))


def test_a_broken_file_still_brings_whole_pages_or_nothing(ctx, tmp_path):
    path = save(tmp_path, 'email\na@example.com\n"b@example.com\nc@example.com\n')
    with pytest.raises(AudienceError, match="never closed"):
        suppressions.import_file(ctx, AUTHOR, path)
    assert held(ctx) == []


def test_long_lists_come_page_by_page(ctx, tmp_path):
    lines = "\n".join(f"p{i}@example.com" for i in range(2_300))
    suppressions.import_file(ctx, AUTHOR, save(tmp_path, f"email\n{lines}\n"))
    assert len(list(suppressions.listing(ctx))) == 2_300
