"""Telephone numbers in one form: E.164, and only such as can take a text message.

Validity and type are judged by the tables of `phonenumbers`; the common ways of writing a number are judged straight
from those tables, everything else by the library itself, with the same result (a test compares the two).
"""

import re
import unicodedata
from collections.abc import Callable
from enum import StrEnum
from functools import cache
from typing import Any, NamedTuple, TypeAlias

from dispatcher.errors import Refused

_WRITTEN = re.compile(r"\+?[0-9]{4,20}")
_PUNCTUATION = re.compile(r"[\s\-‐‑‒–—−.()/]+")
_FICTION = ("+447700900",)
"""Ranges that Ofcom keeps free for fiction: no table knows them, nobody has them, every rehearsal needs them."""

_NON_GEOGRAPHIC = "001"


_Test: TypeAlias = Callable[[str], object]


class Kind(StrEnum):
    """What a number is for; the value reads as what it is."""

    MOBILE = "a mobile number"
    EITHER = "a mobile number or a landline"
    FIXED = "a landline"
    PREMIUM = "a premium-rate number"
    SHARED = "a shared-cost number"
    FREE = "a freephone number"
    VOIP = "an internet telephone"
    PERSONAL = "a personal number, billed as premium"
    PAGER = "a pager"
    COMPANY = "a company-wide number"
    VOICEMAIL = "a voicemail box"

    @property
    def takes_texts(self) -> bool:
        """Whether an SMS can arrive there. In North America the tables cannot tell a landline from a mobile."""
        return self in (Kind.MOBILE, Kind.EITHER)


_TYPES = (
    (Kind.PREMIUM, "premium_rate"),
    (Kind.FREE, "toll_free"),
    (Kind.SHARED, "shared_cost"),
    (Kind.VOIP, "voip"),
    (Kind.PERSONAL, "personal_number"),
    (Kind.PAGER, "pager"),
    (Kind.COMPANY, "uan"),
    (Kind.VOICEMAIL, "voicemail"),
    (Kind.FIXED, "fixed_line"),
    (Kind.MOBILE, "mobile"),
)
"""In the library's order: the first that matches decides."""


class Number(NamedTuple):
    """A valid number, its kind and the country or area it belongs to (ISO 3166, or 001 for networks of no country)."""

    e164: str
    kind: Kind
    region: str


def canonical(written: str, region: str = "") -> str:
    """The number in E.164 if a text can reach it; raises Refused with what is wrong and how to mend it.

    `region` (ISO 3166, such as GB) reads numbers written without a country code.
    """
    digits = _digits(written)
    number = parse(digits, region)
    if number.region == _NON_GEOGRAPHIC:
        raise _refused("It belongs to a satellite or other network of no country.", "Give a mobile number.")
    if not number.kind.takes_texts:
        raise _refused(f"It is {number.kind}: no text arrives there.", "Give a mobile number or leave the cell empty.")
    return number.e164


def parse(digits: str, region: str = "") -> Number:
    """The valid number behind plain digits, with or without +, whatever its kind."""
    return _quickly(digits, region) or _by_the_library(digits, region)


def _digits(written: str) -> str:
    """The digits with a leading + if there is one; anything but digits and punctuation is refused."""
    text = written if written.isascii() else unicodedata.normalize("NFKC", written)
    hidden = sorted(
        {f"U+{ord(char):04X}" for char in text if unicodedata.category(char) == "Cf"} if not text.isascii() else ()
    )
    if hidden:
        raise _refused(f"It holds invisible characters: {', '.join(hidden)}.", "Type the number again by hand.")
    digits = _PUNCTUATION.sub("", text)
    if not _WRITTEN.fullmatch(digits):
        raise _refused("A number has 4 to 20 digits, with + and punctuation only.", "Write it like +447700900123.")
    return digits


def _refused(why: str, mend: str) -> Refused:
    return Refused("This is no telephone number we can text.", why=why, mend=mend, code="E-ADR")


def _by_the_library(digits: str, region: str) -> Number:
    """The long way; also the one that says what is wrong."""
    import phonenumbers

    if not digits.startswith("+") and not region:
        raise _refused(
            "It has no country code, and no region says which country it is in.",
            "Write it with + and country code, or name the region: --region GB.",
        )
    try:
        parsed = phonenumbers.parse(digits, region or None)
    except phonenumbers.NumberParseException as error:
        raise _refused(f"{error}.", "Write it like +447700900123.") from None
    e164 = f"+{parsed.country_code}{phonenumbers.national_significant_number(parsed)}"
    if _is_fiction(e164):
        return Number(e164, Kind.MOBILE, "GB")
    code = str(parsed.country_code)
    found = _located(code, e164.removeprefix(f"+{code}"))
    if found is None:
        raise _unused(code)
    return Number(e164, *found)


def _unused(code: str) -> Refused:
    return _refused(f"No such number is in use under +{code}.", "Check the digits and the country code.")


def _is_fiction(e164: str) -> bool:
    return e164.startswith(_FICTION) and len(e164) == 13


class _Plan:
    """The numbering plan of one country, its patterns compiled once and sorted by the length they apply to."""

    def __init__(self, metadata: Any) -> None:
        self.code = str(metadata.country_code)
        self.viable = re.compile(metadata.general_desc.national_number_pattern)
        self.same = bool(metadata.same_mobile_and_fixed_line_pattern)
        self.leading = re.compile(metadata.leading_digits) if metadata.leading_digits else None
        self.trunk = re.compile(metadata.national_prefix_for_parsing) if metadata.national_prefix_for_parsing else None
        self.transforms = bool(metadata.national_prefix_transform_rule)
        self.abroad = re.compile(metadata.international_prefix) if metadata.international_prefix else None
        self._tests = {length: self._of_length(metadata, length) for length in metadata.general_desc.possible_length}

    def _of_length(self, metadata: Any, length: int) -> list[tuple[Kind, _Test]]:
        named = ((kind, getattr(metadata, name)) for kind, name in _TYPES)
        fitting = ((kind, _test(described, length)) for kind, described in named)
        return [(kind, test) for kind, test in fitting if test is not None]

    def kind(self, national: str) -> Kind | None:
        """What the number is for, None if it is not valid here."""
        tests = self._tests.get(len(national))
        if tests is None or not self.viable.fullmatch(national):
            return None
        found = [kind for kind, test in tests if test(national)]
        if found[:1] == [Kind.FIXED] and (self.same or Kind.MOBILE in found):
            return Kind.EITHER
        return found[0] if found else None

    def without_trunk(self, digits: str) -> str | None:
        """The digits without the national prefix; None where only the library knows what to do."""
        found = self.trunk.match(digits) if self.trunk else None
        if found is None or not found.end():
            return digits
        if self.transforms and found.lastindex:
            return None
        bare = digits[found.end() :]
        return digits if self.viable.fullmatch(digits) and not self.viable.fullmatch(bare) else bare


def _test(described: Any, length: int) -> _Test | None:
    """The pattern of one kind of number, if numbers of this length can be of that kind."""
    pattern = described.national_number_pattern if described is not None else None
    if not pattern or (described.possible_length and length not in described.possible_length):
        return None
    return re.compile(pattern).fullmatch


@cache
def _plans(code: str) -> tuple[tuple[str, _Plan], ...]:
    """The countries that share a country code, the main one first, or the network of no country that has it."""
    from phonenumbers import COUNTRY_CODE_TO_REGION_CODE, PhoneMetadata

    regions = COUNTRY_CODE_TO_REGION_CODE.get(int(code), ())
    found = ((region, PhoneMetadata.metadata_for_region_or_calling_code(int(code), region)) for region in regions)
    return tuple((region, _Plan(metadata)) for region, metadata in found if metadata is not None)


@cache
def _plan(region: str) -> _Plan | None:
    from phonenumbers import PhoneMetadata

    metadata = PhoneMetadata.metadata_for_region(region, None)
    return None if metadata is None else _Plan(metadata)


def _located(code: str, national: str) -> tuple[Kind, str] | None:
    """Kind and country of a national number, None if it is valid in none of those that share the code."""
    plans = _plans(code)
    for region, plan in plans:
        named = plan.leading is not None and len(plans) > 1
        if named and plan.leading is not None and not plan.leading.match(national):
            continue
        kind = plan.kind(national)
        if kind or named:
            return (kind, region) if kind else None
    return None


def _quickly(digits: str, region: str) -> Number | None:
    """A number in a common form, or its refusal; None for whatever is not quite that."""
    if digits.startswith("+"):
        return _international(digits[1:])
    plan = _plan(region) if region else None
    if plan is None or digits.startswith(plan.code) or (plan.abroad and plan.abroad.match(digits)):
        return None
    return _national(plan, digits)


def _international(digits: str) -> Number | None:
    code = next((digits[:n] for n in (1, 2, 3) if _plans(digits[:n])), None)
    return _national(_plans(code)[0][1], digits[len(code) :]) if code and not code.startswith("0") else None


def _national(plan: _Plan, digits: str) -> Number | None:
    """The number, with or without its national prefix; refused at once where it is valid neither way."""
    national = plan.without_trunk(digits)
    if national is None:
        return None
    e164 = f"+{plan.code}{national}"
    if _is_fiction(e164):
        return Number(e164, Kind.MOBILE, "GB")
    if found := _located(plan.code, national):
        return Number(e164, *found)
    if national == digits or not _located(plan.code, digits):
        raise _unused(plan.code)
    return None


def is_region(region: str) -> bool:
    """Whether numbers of such a country are known (ISO 3166, two capitals)."""
    from phonenumbers import SUPPORTED_REGIONS

    return region in SUPPORTED_REGIONS
