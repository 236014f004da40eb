"""E.164 or a reason; the quick way and the library's way are one."""

import phonenumbers
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from phonenumbers import PhoneNumberType as T

from dispatcher.channels import phone
from dispatcher.channels.phone import Kind
from dispatcher.errors import Refused

KINDS = {
    T.FIXED_LINE: Kind.FIXED, T.MOBILE: Kind.MOBILE, T.FIXED_LINE_OR_MOBILE: Kind.EITHER, T.TOLL_FREE: Kind.FREE,
    T.PREMIUM_RATE: Kind.PREMIUM, T.SHARED_COST: Kind.SHARED, T.VOIP: Kind.VOIP, T.PERSONAL_NUMBER: Kind.PERSONAL,
    T.PAGER: Kind.PAGER, T.UAN: Kind.COMPANY, T.VOICEMAIL: Kind.VOICEMAIL,
}  # fmt: skip
REGIONS = sorted(phonenumbers.SUPPORTED_REGIONS)


@pytest.mark.parametrize(
    ("written", "region", "stored"),
    [
        ("+447700900123", "", "+447700900123"),
        ("07700 900123", "GB", "+447700900123"),
        ("07700-900-123", "GB", "+447700900123"),
        ("+44 (0)7700 900123", "", "+447700900123"),
        ("0044 7700 900123", "GB", "+447700900123"),
        ("447700900123", "GB", "+447700900123"),
        ("7700900123", "GB", "+447700900123"),
        ("＋４４７７００９００１２３", "", "+447700900123"),
        ("+1 (202) 555-0123", "", "+12025550123"),
        ("202.555.0123", "US", "+12025550123"),
        ("1-202-555-0123", "US", "+12025550123"),
        ("+44 7700 900123", "US", "+447700900123"),
    ],
)
def test_the_form_that_is_stored(written, region, stored):
    assert phone.canonical(written, region) == stored
    assert phone.canonical(stored) == stored


@pytest.mark.parametrize(
    ("written", "region", "why"),
    [
        ("07700 900123", "", "no country code"),
        ("+44 20 7946 0000", "", "a landline"),
        ("+44 909 879 0000", "", "premium-rate"),
        ("+1 900 555 0123", "", "premium-rate"),
        ("+44 808 157 0000", "", "freephone"),
        ("+999 123456", "", ""),
        ("+44 7700", "", ""),
        ("1-800-FLOWERS", "US", "digits"),
        ("+44 7700 900123 x5", "", "digits"),
        ("+44 7700 900123; +44 7700 900124", "", "digits"),
        ("12", "GB", "digits"),
        ("", "GB", "digits"),
        ("+", "GB", "digits"),
        ("++447700900123", "", "digits"),
        ("=+447700900123", "", "digits"),
        ("+44\u200b7700900123", "", "U+200B"),
        ("+4477009001234", "", ""),
    ],
)
def test_what_is_refused_and_why(written, region, why):
    with pytest.raises(Refused) as caught:
        phone.canonical(written, region)
    assert why in caught.value.why
    assert caught.value.mend


def by_the_library(digits, region):
    try:
        parsed = phonenumbers.parse(digits, region or None)
    except phonenumbers.NumberParseException:
        return None
    if not phonenumbers.is_valid_number(parsed):
        return None
    e164 = phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.E164)
    return e164, KINDS[phonenumbers.number_type(parsed)], phonenumbers.region_code_for_number(parsed)


@st.composite
def numbers(draw):
    """Real example numbers, some damaged, written in the ways that people write them."""
    region = draw(st.sampled_from(REGIONS))
    example = phonenumbers.example_number_for_type(region, draw(st.sampled_from(sorted(KINDS))))
    example = example or phonenumbers.example_number(region)
    digits = list(phonenumbers.national_significant_number(example))
    for _ in range(draw(st.integers(0, 4))):
        digits[draw(st.integers(0, len(digits) - 1))] = draw(st.sampled_from("0123456789"))
    code, national = str(example.country_code), "".join(digits)
    trunk = phonenumbers.PhoneMetadata.metadata_for_region(region).national_prefix or ""
    forms = [
        f"+{code}{national}",
        trunk + national,
        national,
        f"00{code}{national}",
        code + national,
        f"+{code}{trunk}{national}",
    ]
    return draw(st.sampled_from(forms)), draw(st.sampled_from([region, region, "GB", ""]))


@given(numbers())
def test_the_quick_way_and_the_library_agree(number):
    digits, region = number
    told = by_the_library(digits, region)
    try:
        ours = phone.parse(digits, region)
    except Refused:
        ours = None
    assume(ours is None or not ours.e164.startswith("+447700900"))
    assert (tuple(ours) if ours else None) == told


def example(region, kind):
    return phonenumbers.format_number(
        phonenumbers.example_number_for_type(region, kind), phonenumbers.PhoneNumberFormat.E164
    )


def test_a_personal_number_that_bills_like_premium_is_refused():
    with pytest.raises(Refused) as caught:
        phone.canonical(example("GB", T.PERSONAL_NUMBER))
    assert "billed as premium" in caught.value.why


def test_a_network_of_no_country_is_refused():
    satellite = phonenumbers.example_number_for_non_geo_entity(881)
    with pytest.raises(Refused) as caught:
        phone.canonical(phonenumbers.format_number(satellite, phonenumbers.PhoneNumberFormat.E164))
    assert "no country" in caught.value.why


def test_common_forms_never_reach_the_library(monkeypatch):
    monkeypatch.setattr(phonenumbers, "parse", None)
    for written, region in [
        ("+447700900123", ""),
        ("07700 900123", "GB"),
        ("(202) 555-0123", "US"),
    ]:
        assert phone.canonical(written, region).startswith("+")
    with pytest.raises(Refused, match="no telephone number"):
        phone.canonical("+44 7700 1", "")


def test_a_landline_is_told_from_a_mobile_where_the_tables_can():
    assert phone.parse("+442079460000").kind is Kind.FIXED
    assert phone.parse(example("DE", T.MOBILE)).kind is Kind.MOBILE
    assert phone.parse("+12025550123").kind is Kind.EITHER


def test_countries_that_share_a_code_are_told_apart():
    assert phone.parse(example("GG", T.MOBILE)).region == "GG"
    assert phone.parse("+18765550123").region == "JM"
    assert phone.parse("+12025550123").region == "US"


def test_regions():
    assert phone.is_region("GB")
    assert not phone.is_region("UK")
    assert not phone.is_region("gb")
