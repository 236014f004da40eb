"""Which column is what: by heading, by map, never by guess."""

import pytest

from dispatcher.errors import AudienceError
from dispatcher.tables.columns import recognised


@pytest.mark.parametrize(
    ("heading", "field"),
    [
        ("E-Mail", "email"), ("EMAIL ADDRESS", "email"), ("e_mail", "email"), ("Courriel", "email"),
        ("Mobile Number", "phone"), ("Tel.", "phone"), ("Handy", "phone"), ("Full Name", "name"),
        ("Prénom", "first_name"), ("First-Name", "first_name"), ("Language", "locale"), ("Lang", "locale"),
        ("Order Number", "order_number"), ("Order  №", "order_no"), ("E\u200bmail", "email"), ("订单号", "订单号"),
        ("2nd line", "column_2nd_line"), ("???", "column"),
    ],
)  # fmt: skip
def test_headings(heading, field):
    other = "phone" if field == "email" else "email"
    assert recognised([heading, other]).meaning()[heading] == field


def test_further_columns_are_fields_in_order():
    found = recognised(["Name", "E-Mail", "Shop", "Order Number"])
    assert (found.email, found.phone, found.locale) == (1, None, None)
    assert found.fields == (("name", 0), ("shop", 2), ("order_number", 3))


def test_a_map_wins_and_may_ignore():
    found = recognised(["Contact", "Email", "Secret"], {"contact": "email", "EMAIL": "ignore", "Secret": "ignore"})
    assert found.email == 0
    assert found.fields == ()
    assert found.meaning() == {"Contact": "email", "Email": "ignore", "Secret": "ignore"}


def test_two_columns_for_one_thing_are_refused_with_the_way_out():
    with pytest.raises(AudienceError) as caught:
        recognised(["Email", "Mail"])
    assert caught.value.what == "The columns 'Email' and 'Mail' both hold the email."
    assert caught.value.mend == ("Say which one counts: --map 'Mail'=ignore",)


def test_no_address_at_all_is_refused():
    with pytest.raises(AudienceError, match="No column holds") as caught:
        recognised(["Name", "City"])
    assert caught.value.why == "Its columns are: Name, City."


def test_a_map_of_a_column_that_is_not_there_is_refused():
    with pytest.raises(AudienceError, match="no column 'Mobil'"):
        recognised(["Email"], {"Mobil": "phone"})


@pytest.mark.parametrize("field", ["", "1st", "a b", "a-b", "{{x}}"])
def test_a_field_is_a_name(field):
    with pytest.raises(AudienceError, match="is no field name"):
        recognised(["Email", "X"], {"X": field})
