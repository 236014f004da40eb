"""Imports: judged as a whole, confirmed, immutable; opt-outs survive every list."""

import time
from itertools import islice

import openpyxl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from phonenumbers import PhoneNumberType, number_type, parse

from dispatcher.errors import AudienceError, ConfirmationWrong, NotFound, NotPermitted, Refused, UsageError
from dispatcher.ledger import audiences as stored
from dispatcher.ledger import broadcasts
from dispatcher.model.kinds import Channel
from dispatcher.model.person import Person, Role
from dispatcher.services import audiences, suppressions
from tests.services.world import OPERATOR, World

APPROVER = Person(3, "Approver", roles=frozenset({Role.APPROVER}))


@pytest.fixture
def url():
    """SQLite, unless a test asks for `both`."""
    return ""


both = pytest.mark.parametrize("url", ["", pytest.param("postgresql", marks=pytest.mark.postgres)])


@pytest.fixture
def world(tmp_path, url, request):
    made = World(tmp_path, request.getfixturevalue("postgres_url") if url else "", **{"audience.region": "GB"})
    with made.ctx.ledger.write() as tx:
        for person in (OPERATOR, APPROVER):
            tx.change(
                "INSERT INTO person (id, name, roles, level, created_at) VALUES (:id, :name, '', 'comms', 0)",
                id=person.id, name=person.name,
            )  # fmt: skip
    yield made
    made.ctx.ledger.close()


@pytest.fixture
def ctx(world):
    return world.ctx


@pytest.fixture
def save(tmp_path):
    def make(text, name="people.csv"):
        path = tmp_path / name
        path.write_text(text, encoding="utf-8")
        return path

    return make


def imported(ctx, path, into="customers", **how):
    with audiences.prepared(ctx, path, **how) as found:
        return audiences.store(ctx, OPERATOR, found, into, rows=found.report.rows)


def people_of(ctx, name="customers"):
    with ctx.ledger.read() as tx:
        return stored.page(tx, stored.current(tx, name).id, limit=1000)


SMALL = "Name,E-Mail,Mobile,Language,Order\nJo Smith,Jo@Example.com,07700 900001,cy_GB,A1\nAl,,+447700900002,,\n"


@both
def test_a_list_becomes_a_version(ctx, save):
    made = imported(ctx, save(SMALL))
    version = made.version
    assert (version.name, version.number, version.size, version.source) == ("customers", 1, 2, "people.csv")
    assert (version.fields, version.region, version.imported_by) == (("name", "order"), "GB", OPERATOR.id)
    assert not made.unchanged
    jo, al = people_of(ctx)
    assert jo.addresses == {Channel.EMAIL: "jo@example.com", Channel.SMS: "+447700900001"}
    assert (jo.rid, jo.name, jo.locale, jo.fields) == (1, "Jo Smith", "cy-GB", {"order": "A1"})
    assert (al.rid, al.addresses, al.locale, al.fields) == (2, {Channel.SMS: "+447700900002"}, "", {})


def test_the_report_says_what_is_what(ctx, save):
    report = audiences.preview(ctx, save(SMALL))
    assert (report.rows, report.recipients, report.with_email, report.with_phone, report.nowhere) == (2, 2, 1, 2, 0)
    assert report.form == "CSV, UTF-8, commas"
    assert report.columns == {
        "Name": "name", "E-Mail": "email", "Mobile": "phone", "Language": "locale", "Order": "order",
    }  # fmt: skip
    with pytest.raises(NotFound):
        audiences.current(ctx, "customers")


@both
def test_versions_are_immutable_and_numbered(ctx, save):
    first = imported(ctx, save(SMALL)).version
    second = imported(ctx, save(SMALL + "Bo,b@example.com,,,\n")).version
    assert (second.number, second.size) == (2, 3)
    view = audiences.show(ctx, "customers", sample=1)
    assert [one.number for one in view.versions] == [2, 1]
    assert view.versions[1] == first
    assert [one.name for one in view.sample] == ["Jo Smith"]
    with ctx.ledger.read() as tx:
        assert len(stored.page(tx, first.id)) == 2


@both
def test_the_same_people_make_no_new_version(ctx, save):
    first = imported(ctx, save(SMALL))
    again = imported(ctx, save(SMALL.replace("Jo@Example.com", "jo@EXAMPLE.com"), "other.csv"))
    assert again.unchanged
    assert again.version == first.version


def test_one_changed_character_changes_the_hash(ctx, save):
    first = imported(ctx, save(SMALL)).version
    second = imported(ctx, save(SMALL.replace("A1", "A2"))).version
    assert first.content_hash != second.content_hash


def test_the_content_hash_is_over_what_is_stored(ctx, save):
    version = imported(ctx, save(SMALL)).version
    with ctx.ledger.read() as tx:
        rows = tx.all(
            "SELECT rid, email, phone, locale, fields FROM recipient WHERE version_id = :v ORDER BY rid", v=version.id
        )
    assert stored.content_hash(tuple(row) for row in rows) == version.content_hash


@pytest.mark.parametrize("rows", [0, 1, 3, -2])
def test_another_number_of_rows_is_no_confirmation(ctx, save, rows):
    with audiences.prepared(ctx, save(SMALL)) as found, pytest.raises(ConfirmationWrong) as caught:
        audiences.store(ctx, OPERATOR, found, "customers", rows=rows)
    assert caught.value.exit_code == 6
    assert audiences.listing(ctx) == []


def test_bad_cells_are_named_and_nothing_is_imported(ctx, save):
    text = (
        "name,email,phone,language\nJo,jo@example,07700900001,en\n"
        "Al,a@example.com,020 7946 0000,en\nBo,b@example.com,,elvish tongue\n"
    )
    with audiences.prepared(ctx, save(text)) as found:
        errors = [(error.line, error.column) for error in found.report.errors]
        assert errors == [(2, "email"), (3, "phone"), (4, "language")]
        assert all(error.why and error.mend for error in found.report.errors)
        with pytest.raises(AudienceError) as caught:
            audiences.store(ctx, OPERATOR, found, "customers", rows=3)
    assert caught.value.code == "E-IMP"
    assert caught.value.exit_code == 4
    assert "line 2, column email" in caught.value.why
    assert audiences.listing(ctx) == []
    with ctx.ledger.read() as tx:
        assert tx.scalar("SELECT count(*) FROM recipient") == 0


def test_errors_never_repeat_the_address(ctx, save):
    report = audiences.preview(ctx, save("email\nvery.secret.person@@example.com\n"))
    assert "secret" not in str(report.errors)


def test_bad_cells_may_be_left_out_when_asked(ctx, save):
    path = save("email,phone\njo@example.com,12\nnobody,07700900001\n")
    assert imported(ctx, path, leave_out_bad=True).version.size == 2
    assert [one.addresses for one in people_of(ctx)] == [
        {Channel.EMAIL: "jo@example.com"}, {Channel.SMS: "+447700900001"},
    ]  # fmt: skip


def test_problems_are_counted_beyond_what_is_kept(ctx, save):
    report = audiences.preview(ctx, save("email\n" + "nobody\n" * 1_500))
    assert report.error_count == 1_500
    assert len(report.errors) == 1_000
    assert list(report.reasons.values()) == [1_500]
    assert audiences.first_errors(report, 2)[-1] == "and 1,498 more"


@both
def test_an_address_stands_once_and_repeats_are_named(ctx, save):
    text = (
        "name,email,phone\nJo,jo@example.com,07700900001\nJo again,JO@example.com,+447700900002\n"
        "Al,al@example.com,07700 900 001\nJo third,jo@EXAMPLE.com,\n"
    )
    with audiences.prepared(ctx, save(text)) as found:
        report = found.report
        assert (report.rows, report.recipients, report.repeat_count) == (4, 3, 3)
        assert [(one.line, one.column, one.first_line) for one in report.repeats] == [
            (3, "email", 2), (4, "phone", 2), (5, "email", 2),
        ]  # fmt: skip
        audiences.store(ctx, OPERATOR, found, "customers", rows=4)
    assert [(one.rid, one.name, sorted(one.addresses)) for one in people_of(ctx)] == [
        (1, "Jo", ["email", "sms"]), (2, "Jo again", ["sms"]), (3, "Al", ["email"]),
    ]  # fmt: skip


@both
def test_who_has_no_address_is_kept_and_counted(ctx, save):
    made = imported(ctx, save("name,email\nJo,jo@example.com\nAl,\n"))
    view = audiences.show(ctx, "customers")
    assert made.version.size == 2
    assert (view.reach.email, view.reach.nowhere) == (1, 1)


@both
def test_an_import_never_undoes_an_opt_out(ctx, save):
    suppressions.add(ctx, OPERATOR, "jo@example.com", reason="opt_out")
    suppressions.add(ctx, OPERATOR, "07700900001", scope="promotional")
    made = imported(ctx, save(SMALL))
    assert made.suppressed == {Channel.EMAIL: 1, Channel.SMS: 0}
    assert len(list(suppressions.listing(ctx))) == 2


@pytest.mark.parametrize("text", ["email\n", "email,name\n,\n"])
def test_an_empty_list_is_refused(ctx, save, text):
    with pytest.raises(AudienceError, match="holds nobody"):
        imported(ctx, save(text))


@pytest.mark.parametrize("name", ["all", "Everyone", "", "-x", "a\nb" * 40, "x" * 81, "a\u202eb"])
def test_what_no_audience_may_be_called(ctx, save, name):
    with pytest.raises(UsageError):
        imported(ctx, save(SMALL), into=name)


def test_an_unknown_audience_is_nobody(ctx):
    with pytest.raises(NotFound) as caught:
        audiences.current(ctx, "customers")
    assert caught.value.code == "E-AUD"
    assert caught.value.why == "A missing audience means nobody."


def test_an_unknown_region_is_refused_with_the_right_one(ctx, save):
    with pytest.raises(UsageError) as caught:
        audiences.preview(ctx, save(SMALL), region="UK")
    assert caught.value.mend == ("The United Kingdom is GB.",)


def test_the_region_of_the_call_wins(ctx, save):
    made = imported(ctx, save("phone\n(202) 555-0123\n"), region="us")
    assert made.version.region == "US"
    assert people_of(ctx)[0].address(Channel.SMS) == "+12025550123"


def test_a_column_map_is_used(ctx, save):
    imported(ctx, save("Contact,Nick\njo@example.com,Jo\n"), mapping={"Contact": "email", "Nick": "first_name"})
    assert people_of(ctx)[0].first_name == "Jo"


def test_only_who_may_import_imports(ctx, save):
    with audiences.prepared(ctx, save(SMALL)) as found, pytest.raises(NotPermitted, match="may not import"):
        audiences.store(ctx, APPROVER, found, "customers", rows=2)


def test_a_workbook_is_imported(ctx, tmp_path):
    book = openpyxl.Workbook()
    for line in (["Name", "Mobile", "Order"], ["Jo", 447700900001, 1234567], ["Al", "07700 900002", None]):
        book.active.append(line)
    book.save(tmp_path / "people.xlsx")
    assert imported(ctx, tmp_path / "people.xlsx").version.size == 2
    assert [one.address(Channel.SMS) for one in people_of(ctx)] == ["+447700900001", "+447700900002"]
    assert people_of(ctx)[0].fields == {"order": "1234567"}


HOSTILE = [
    "{{ 7*7 }}",
    "<script>alert(1)</script>",
    "=?utf-8?q?a=0ABcc:_x@y?=",
    '=HYPERLINK("x")',
    "a\r\nBcc: x",
    "'; DROP TABLE recipient;--",
    "\u202eevil",
    "a\x1f\x1eb",
]


@both
def test_hostile_names_are_kept_as_they_are(ctx, save):
    quoted = "\n".join(f'"{name.replace(chr(34), chr(34) * 2)}",p{i}@example.com' for i, name in enumerate(HOSTILE))
    path = save("")
    path.write_bytes(f"name,email\n{quoted}\n".encode())
    imported(ctx, path)
    assert [one.name for one in people_of(ctx)] == [name.strip() for name in HOSTILE]


@both
def test_an_audience_with_an_open_broadcast_stays(world, save):
    ctx = world.ctx
    version = imported(ctx, save(SMALL)).version
    world.add_account("post", Channel.EMAIL)
    made = world.broadcast(["email"], {Channel.EMAIL: ["post"]}, version=version.id)
    with pytest.raises(Refused, match="are open"):
        audiences.remove(ctx, OPERATOR, "customers")
    with ctx.ledger.write() as tx:
        broadcasts.change(tx, made, state="done")
    audiences.remove(ctx, OPERATOR, "customers")
    assert audiences.listing(ctx) == []
    with ctx.ledger.read() as tx:
        assert stored.name_of(tx, version.id) == "customers"


def test_removing_what_is_not_there_is_refused(ctx):
    with pytest.raises(NotFound):
        audiences.remove(ctx, OPERATOR, "customers")


def test_everybody_of_a_version_comes_page_by_page(ctx, save):
    version = imported(ctx, save("email\n" + "".join(f"p{i}@example.com\n" for i in range(2_100)))).version
    assert [one.rid for one in audiences.recipients(ctx, OPERATOR, version.id)] == list(range(1, 2_101))


def invented_numbers():
    """North America's 555-0100 to 555-0199 of every area code that there is."""
    for area in range(200, 990):
        if number_type(parse(f"+1{area}5550100")) == PhoneNumberType.FIXED_LINE_OR_MOBILE:
            yield from (f"+1{area}5550{line}" for line in range(100, 200))


def test_twenty_thousand_rows_take_seconds(ctx, save):
    numbers = islice(invented_numbers(), 20_000)
    lines = (f"Person {i},person{i}@example.com,{number},en,EX-{i}\n" for i, number in enumerate(numbers))
    path = save("name,email,phone,language,order\n" + "".join(lines))
    began = time.process_time()
    assert imported(ctx, path).version.size == 20_000
    assert time.process_time() - began < 8


row = st.tuples(
    st.sampled_from(["", "a@example.com", "A@Example.com", "b@example.com", "c@example.com", "d@example.org"]),
    st.sampled_from(["", "07700900001", "+44 7700 900001", "07700900002", "+447700900003"]),
)


@settings(max_examples=40)
@given(table=st.lists(row, min_size=1, max_size=12))
def test_every_address_of_a_file_is_reached_exactly_once(tmp_path_factory, table):
    from dispatcher.channels import media
    from dispatcher.ledger.staging import Stage

    forms = [
        (
            i,
            media.canonical(Channel.EMAIL, e) if e else None,
            media.canonical(Channel.SMS, p, "GB") if p else None,
            None,
            "{}",
        )
        for i, (e, p) in enumerate(table, start=2)
    ]
    with Stage() as stage:
        stage.put(forms)
        repeats, count = stage.drop_repeats(1000)
        lines = list(stage.lines())
        assert stage.counts()[0] == len(lines)
    assert count == len(repeats)
    for place, column in ((1, "email"), (2, "phone")):
        kept = [line[place] for line in lines if line[place]]
        assert sorted(kept) == sorted({form[place] for form in forms if form[place]})
        assert len(kept) + sum(one.column == column for one in repeats) == sum(
            form[place] is not None for form in forms
        )
    assert [line[0] for line in lines] == list(range(1, len(lines) + 1))
