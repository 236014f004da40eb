"""Facts: what each kind takes, what it refuses, and how it says so."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dispatcher.compose.factfile import of_table, read_fact_file
from dispatcher.compose.facts import missing, parse_words, read_facts, read_value, require_complete
from dispatcher.errors import TemplateError
from dispatcher.model.fact import Fact, FactKind, FactSpec, sheet, spoken
from dispatcher.model.kinds import FactState
from tests.compose.sample import catalogue

K = FactKind


@pytest.mark.parametrize(
    ("kind", "raw", "plain"),
    [
        (K.LINE, " Down. ", "Down."),
        (K.LINE, "{{ 7*7 }} <script>", "{{ 7*7 }} <script>"),
        (K.LINE, "e\u0301", "é"),
        (K.LINE, "خدمة\u200cها", "خدمة\u200cها"),
        (K.TEXT, "One.\r\n\r\nTwo.", "One.\n\nTwo."),
        (K.MOMENT, "2026-11-20T17:40:00Z", "2026-11-20T17:40+00:00"),
        (K.MOMENT, "2026-08-04 18:30 Europe/London", "2026-08-04T18:30+01:00"),
        (K.MOMENT, "2026-08-04 18:30 GMT", "2026-08-04T18:30+00:00"),
        (K.MOMENT, "2026-08-04T18:30+02:00", "2026-08-04T18:30+02:00"),
        (K.DURATION, "90", 90),
        (K.DURATION, 45, 45),
        (K.DURATION, "1h 30m", 90),
        (K.DURATION, "2 days, 1 hour", 2940),
        (K.NUMBER, "6,500,000", 6500000),
        (K.NUMBER, 0, 0),
        (K.YES_NO, "Yes", True),
        (K.YES_NO, False, False),
        (K.URL, "https://example.com/a?b=1#c", "https://example.com/a?b=1#c"),
        (K.EMAIL, "Help@Example.COM", "Help@example.com"),
        (K.PHONE, "0161 496 0000", "0161 496 0000"),
        (K.LIST, "online orders; click and collect;", ["online orders", "click and collect"]),
        (K.LIST, ["a; b"], ["a; b"]),
        (K.STEPS, "First.\nSecond.", ["First.", "Second."]),
        (K.SERVICES, "orders:down", [{"name": "orders", "state": "down", "region": None, "note": None}]),
        (K.SERVICES, "a:b@Wales:degraded", [{"name": "a:b", "state": "degraded", "region": "Wales", "note": None}]),
        (K.MATRIX, "name:taken", [{"data": "name", "place": "taken", "state": "confirmed", "note": None}]),
        (
            K.MATRIX,
            "shoe size:checking",
            [{"data": "shoe size", "place": "checking", "state": "unknown", "note": None}],
        ),
        (
            K.MATRIX,
            [{"data": "name", "place": "not_taken", "state": "confirmed", "note": "n"}],
            [{"data": "name", "place": "not_taken", "state": "confirmed", "note": "n"}],
        ),
    ],
)
def test_values_that_are_read(kind, raw, plain):
    value = read_value(kind, raw)
    assert value == plain
    assert json.loads(json.dumps(value)) == value


@pytest.mark.parametrize(
    ("kind", "raw", "says"),
    [
        (K.LINE, "", "is empty"),
        (K.LINE, "a\nb", "line break"),
        (K.LINE, "a\tb", "U+0009"),
        (K.LINE, "a\x00b", "U+0000"),
        (K.LINE, "abc\u202edef", "U+202E"),
        (K.LINE, "\u2066x\u2069", "turn text around"),
        (K.LINE, "a\u2028b", "U+2028"),
        (K.LINE, "x" * 301, "300"),
        (K.LINE, 7, "is no text"),
        (K.TEXT, "x" * 5001, "5000"),
        (K.MOMENT, "2026-11-20T17:40", "no time zone"),
        (K.MOMENT, "soon", "no date and time"),
        (K.MOMENT, "2026-11-20 17:40 Europe/Lundun", "no date and time"),
        (K.MOMENT, "2026-10-25 01:30 Europe/London", "clocks change"),
        (K.MOMENT, "2027-03-28 01:30 Europe/London", "clocks change"),
        (K.DURATION, "a while", "is no duration"),
        (K.DURATION, "3 parsecs", "is no duration"),
        (K.DURATION, "0", "greater than or equal to 1"),
        (K.NUMBER, "6,5", "whole number"),
        (K.NUMBER, 1.5, "whole number"),
        (K.NUMBER, True, "whole number"),
        (K.NUMBER, "-3", "whole number"),
        (K.YES_NO, "perhaps", "neither yes nor no"),
        (K.URL, "http://example.com", "https"),
        (K.URL, "https://192.0.2.1/", "host by name"),
        (K.URL, "https://user@example.com/", "user or port"),
        (K.URL, "https://example.com:8443/", "user or port"),
        (K.URL, "https://ехample.com/", "plain ASCII"),
        (K.URL, 'https://example.com/"x', "plain ASCII"),
        (K.EMAIL, "help@", "email"),
        (K.PHONE, "call us", "digits"),
        (K.LIST, [], "is empty"),
        (K.LIST, "x;" * 60, "50"),
        (K.LIST, ["a", 3], "(item 2) is no text"),
        (K.SERVICES, "orders", "write service:state"),
        (K.SERVICES, "orders:fine", "(item 1, state)"),
        (K.MATRIX, "name", "write data:place"),
        (K.MATRIX, "name:gone", "(item 1, place)"),
        (K.MATRIX, "a:taken, payment_full:not_taken", "how sure are we"),
        (K.MATRIX, [{"data": "name", "place": "taken", "why": "x"}], "is not asked for"),
        (K.MATRIX, ["name"], "does not fit"),
    ],
)
def test_values_that_are_refused(kind, raw, says):
    with pytest.raises(ValueError) as caught:
        read_value(kind, raw)
    assert says in str(caught.value)


@given(st.text(max_size=200))
def test_any_text_is_kept_or_refused_and_never_changed_twice(text):
    try:
        kept = read_value(K.TEXT, text)
    except ValueError:
        return
    assert read_value(K.TEXT, kept) == kept


SPECS = [
    FactSpec("problem", K.LINE, required=True, about="What happened."),
    FactSpec("count", K.NUMBER, required=False),
]


def test_words_of_a_command_line():
    words = ["problem=a=b", "problem@fr=c", " count = 3"]
    assert parse_words(words) == {("problem", None): "a=b", ("problem", "fr"): "c", ("count", None): " 3"}
    for wrong in ("problem", "=x", " =x"):
        with pytest.raises(TemplateError, match="is no fact"):
            parse_words([wrong])


def test_all_wrong_facts_are_told_at_once():
    raw = {("problm", None): "x", ("count", None): "many", ("problem", "fr"): "a\nb"}
    with pytest.raises(TemplateError) as caught:
        read_facts(SPECS, raw)
    assert caught.value.code == "E-FACT"
    assert "problm is not asked for (did you mean problem?)." in caught.value.why
    assert "count is no whole number: write digits." in caught.value.why
    assert "problem@fr holds a line break" in caught.value.why


def test_typed_facts_carry_how_sure_we_are():
    (fact,) = read_facts(SPECS, {("problem", "fr"): "x"}, state=FactState.BELIEVED, source="On call", set_by="Ana")
    assert (fact.name, fact.kind, fact.locale) == ("problem", K.LINE, "fr")
    assert (fact.state, fact.source, fact.set_by) == (FactState.BELIEVED, "On call", "Ana")


def test_what_is_missing_is_told_with_its_mend():
    template = catalogue().get("holding-statement")
    said = Fact("problem", K.LINE, "x")
    gaps = [spec.name for spec in missing(template, sheet([said]))]
    assert gaps == ["since", "affected", "unknown", "doing"]
    with pytest.raises(TemplateError) as caught:
        require_complete(template, sheet([said]))
    assert "4 required facts are missing" in caught.value.what
    assert caught.value.mend[0] == "--fact since=..."
    silent = Fact("since", K.MOMENT, None, FactState.UNKNOWN)
    assert "since" in [spec.name for spec in missing(template, sheet([said, silent]))]


def test_layers_lie_over_each_other():
    old = [Fact("a", K.LINE, "old"), Fact("a", K.LINE, "vieux", locale="fr"), Fact("b", K.LINE, "kept")]
    new = [Fact("a", K.LINE, "new")]
    laid = sheet(old, new)
    assert {key: fact.value for key, fact in laid.items()} == {("a", None): "new", ("b", None): "kept"}
    both = sheet(old, [Fact("a", K.LINE, "neuf", locale="fr")])
    assert spoken(both, "a", "fr-CA").value == "neuf"
    assert spoken(both, "a", "de").value == "old"
    assert spoken(both, "c", "en") is None


class TestFiles:
    def test_toml_with_translations(self, tmp_path):
        path = tmp_path / "f.toml"
        path.write_text('since = 2026-11-20T17:40:00Z\n[locales.fr]\nproblem = "x"\n', encoding="utf-8")
        raw = read_fact_file(path)
        assert read_value(K.MOMENT, raw["since", None]) == "2026-11-20T17:40+00:00"
        assert raw["problem", "fr"] == "x"

    def test_json_with_a_mark_of_its_encoding(self, tmp_path):
        path = tmp_path / "f.JSON"
        path.write_bytes(b"\xef\xbb\xbf" + b'{"count": 3}')
        assert read_fact_file(path) == {("count", None): 3}

    @pytest.mark.parametrize(
        ("name", "content", "says"),
        [
            ("f.toml", b"a = ", "no valid TOML or JSON"),
            ("f.json", b"[1]", "no table of facts"),
            ("f.json", b"[" * 100_000, "no valid TOML or JSON"),
            ("f.json", b"{", "no valid TOML or JSON"),
            ("f.toml", b"\xff\xfe", "cannot be read"),
            ("f.toml", b"#" * (1024 * 1024 + 1), "no valid TOML or JSON"),
            ("f.toml", b"locales = 3", "no table of translations"),
        ],
    )
    def test_files_that_are_refused(self, tmp_path, name, content, says):
        path = tmp_path / name
        path.write_bytes(content)
        with pytest.raises(TemplateError) as caught:
            read_fact_file(path)
        assert says in caught.value.what

    def test_a_file_that_is_not_there(self, tmp_path):
        with pytest.raises(TemplateError, match="cannot be read"):
            read_fact_file(tmp_path / "none.toml")

    def test_tables(self):
        assert of_table({"a": 1, "locales": {"fr": {"a": 2}}}) == {("a", None): 1, ("a", "fr"): 2}
