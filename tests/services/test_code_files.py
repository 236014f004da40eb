"""Files of goodwill codes: taken whole or not at all, faults named by line and never by value."""

import pytest

from dispatcher.errors import NotPermitted, Refused, UsageError
from dispatcher.ledger import codes
from dispatcher.model.person import Level, Person, Role
from dispatcher.services import codes as service
from tests.services.test_codes import pool
from tests.services.world import OPERATOR, World


@pytest.fixture
def files(tmp_path):
    """A file is read in the same way whatever the database."""
    made = World(tmp_path, f"sqlite:///{tmp_path / 'ledger.db'}", mode="drill")
    yield made
    made.ctx.ledger.close()


def read(world, text, **how):
    path = world.settings.work_dir / "codes.csv"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return service.import_file(world.ctx, OPERATOR, path, **{"pool": "thanks"} | how)


BAD_CELLS = (
    "=cmd|' /C calc'!A0", "SECRET\u202eTXT", "SECRET 123", "SECRET,123", "SEC\x00RET", "<b>SECRET</b>",
    "{{SECRET}}", "ＳＥＣＲＥＴ", "SEC", "S" * 65, "-SECRET", "SECRET\u200b", "'SECRET", "SECRET;DROP",
)  # fmt: skip


def test_a_cell_that_is_no_code_refuses_the_file_by_line_and_never_by_value(files):
    for bad in BAD_CELLS:
        quoted = '"' + bad.replace('"', '""') + '"'
        with pytest.raises(Refused) as refused:
            read(files, f"code\nGOOD-1\n{quoted}\nGOOD-2\n")
        told = f"{refused.value} {refused.value.why} {refused.value.mend}"
        assert "SEC" not in told.upper()
    assert service.listing(files.ctx) == []


def test_a_code_stands_in_a_file_once_whatever_its_case(files):
    with pytest.raises(Refused) as refused:
        read(files, "code\nSECRET-A\nother-1\nsecret-a\n")
    assert "line 4 stands in the file before" in refused.value.why
    assert "secret" not in f"{refused.value} {refused.value.why}".lower()


def test_a_file_without_headings_is_refused_and_its_first_line_not_shown(files):
    for text in ("SECRET-1\nSECRET-2\n", "SECRET-1,SECRET-1\nx,y\n", b"\xff\xfe\x00"):
        with pytest.raises(Refused) as refused:
            read(files, text)
        assert "SECRET" not in f"{refused.value} {refused.value.why} {refused.value.mend}"
    assert read(files, "Gutschein\nSECRET-1\n", column="gutschein").added == 1


def test_the_same_file_again_adds_nothing_and_another_pool_may_not_have_it(files):
    assert read(files, "code\nABCD-1\nABCD-2\n").added == 2
    again = read(files, "code\nabcd-1\nABCD-3\n")
    assert (again.added, again.held_already) == (1, 1)
    with pytest.raises(Refused, match="1 of the codes belong to another pool"):
        read(files, "code\nABCD-3\nABCD-4\n", pool="other")
    assert [one.name for one in service.listing(files.ctx)] == ["thanks"]


def test_a_pool_has_one_worth_and_amounts_are_amounts(files):
    read(files, "code\nABCD-1\n", worth="5")
    with pytest.raises(Refused, match="worth 5 each"):
        read(files, "code\nABCD-2\n", worth="6")
    for amount in ("-5", "abc", "1e99", "NaN", "0", "0.0000001"):
        with pytest.raises(UsageError):
            read(files, "code\nABCD-2\n", worth=amount, pool="new")
    for name in ("", "No Spaces", "../x", "UPPER"):
        with pytest.raises(UsageError):
            read(files, "code\nABCD-2\n", pool=name)
    with pytest.raises(NotPermitted):
        service.import_file(files.ctx, Person(9, "X", roles=frozenset({Role.ADMIN}), level=Level.COMMS_LEAD),
                            files.settings.work_dir / "codes.csv", pool="p")  # fmt: skip


def test_large_files_are_taken_in_pages(files):
    assert pool(files, 12_000).added == 12_000
    assert pool(files, 12_001).added == 1
    with files.ctx.ledger.read() as tx:
        assert codes.wrong_counters(tx) == []


def test_codes_that_another_import_has_just_taken_are_refused_without_their_words(tmp_path, database_url, monkeypatch):
    world = World(tmp_path, database_url, mode="drill")
    read(world, "code\nSECRET-1\n", pool="others")
    monkeypatch.setattr(codes, "known", lambda tx, words: {})  # as it was before the other import committed
    with pytest.raises(Refused, match="just now") as refused:
        read(world, "code\nSECRET-1\n")
    assert refused.value.__suppress_context__
    assert "SECRET" not in f"{refused.value} {refused.value.why} {refused.value.mend}"
    world.ctx.ledger.close()
