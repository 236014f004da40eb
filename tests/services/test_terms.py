"""Limits on single facts, and terms as they are read from a file."""

from datetime import UTC, datetime

import pytest

from dispatcher.errors import UsageError
from dispatcher.model.fact import Fact, FactKind
from dispatcher.services.terms import Limits, read

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("kind", "value", "limits", "told"),
    [
        (FactKind.NUMBER, 7, {"least": 1, "most": 10}, ""),
        (FactKind.NUMBER, 11, {"least": 1, "most": 10}, "above 10"),
        (FactKind.DURATION, 0, {"least": 1}, "below 1"),
        (FactKind.LINE, "Sign-in", {"one_of": ("Sign-in", "Orders")}, ""),
        (FactKind.LINE, "Sign-out", {"one_of": ("Sign-in", "Orders")}, "not one of Sign-in, Orders"),
        (FactKind.LINE, "x" * 11, {"longest": 10}, "longer than 10 characters"),
        (FactKind.LINE, "B-12", {"matches": r"B-\d+"}, ""),
        (FactKind.LINE, "B-12 and more", {"matches": r"B-\d+"}, "not of the form agreed"),
        (FactKind.YES_NO, True, {"one_of": ("no",)}, "not one of no"),
        (FactKind.LIST, ["a", "b"], {"one_of": ("a", "b"), "most": 2}, ""),
        (FactKind.LIST, ["a", "c"], {"one_of": ("a", "b")}, "not one of a, b"),
        (FactKind.LIST, ["a", "b", "a"], {"most": 2}, "above 2 items"),
        (FactKind.SERVICES, [{"name": "Orders", "state": "down"}], {"one_of": ("Sign-in",)}, "not one of Sign-in"),
        (FactKind.MATRIX, [{"data": "name", "place": "taken"}], {"one_of": ("name",)}, ""),
        (FactKind.MOMENT, "2026-11-22T11:30+00:00", {"within_hours": 1}, ""),
        (FactKind.MOMENT, "2026-11-20T11:30+00:00", {"within_hours": 24}, "more than 24 hours away"),
    ],
)
def test_a_limit_is_kept_or_named(kind, value, limits, told):
    assert Limits(**limits).breach(Fact("f", kind, value), NOW) == told


def test_terms_are_read_from_a_file_and_say_what_is_wrong(tmp_path):
    path = tmp_path / "terms.toml"
    path.write_text('template = "t"\nchannels = ["email"]\nends = 2027-01-01T00:00:00Z\n[facts.x]\nmost = 3\n')
    assert read(path).facts["x"].most == 3
    path.write_text('template = "t"\nchannels = ["email"]\nends = 2027-01-01T00:00:00\n')
    with pytest.raises(UsageError, match="ends"):
        read(path)
    path.write_text('template = "t"\nchannels = ["email"]\nends = 2027-01-01T00:00:00Z\n[facts.x]\nmatches = "("\n')
    with pytest.raises(UsageError, match="matches"):
        read(path)
    path.write_text("template = \n")
    with pytest.raises(UsageError, match="cannot be read"):
        read(path)
