"""Segments: the two alphabets, the limits, what never straddles two parts, who forces UCS-2."""

import pytest
import regex
from hypothesis import given
from hypothesis import strategies as st

from dispatcher.channels import sms
from dispatcher.channels.sms import Encoding

GSM = "".join(sorted(sms.BASIC))
FAMILY = "👩‍👩‍👧‍👦"
WALES = "🏴󠁧󠁢󠁷󠁬󠁳󠁿"

gsm_text = st.text(st.sampled_from(GSM + "".join(sms.EXTENSION) * 4), max_size=700)
any_text = st.lists(
    st.sampled_from([*"ab €^é’日\r\n", "😀", FAMILY, WALES, "क्षि", "e\u0301", "\r\n"]), max_size=300
).map("".join)


def utf16(text):
    return len(text.encode("utf-16-le")) // 2


def test_the_alphabet_is_whole():
    assert len(sms.BASIC) == 127  # 128 positions, one of them the escape
    assert len(sms.EXTENSION) == 10
    assert not sms.BASIC & sms.EXTENSION


@pytest.mark.parametrize("char", "çáíóúâê`\tÀ’–…“€"[:-1])
def test_letters_that_look_plain_and_are_not(char):
    counted = sms.count("a" + char)
    assert counted.encoding is Encoding.UCS2
    assert [offender.char for offender in counted.offenders] == [char]


@pytest.mark.parametrize(
    ("text", "encoding", "units", "parts"),
    [
        ("", "GSM-7", 0, 1),
        ("a" * 160, "GSM-7", 160, 1),
        ("a" * 161, "GSM-7", 161, 2),
        ("a" * 306, "GSM-7", 306, 2),
        ("a" * 307, "GSM-7", 307, 3),
        ("€" * 80, "GSM-7", 160, 1),
        ("€" * 81, "GSM-7", 162, 2),
        ("€" * 152, "GSM-7", 304, 2),
        ("€" * 153, "GSM-7", 306, 3),  # 76 pairs fit into 153 septets, so two parts hold 152
        ("日" * 70, "UCS-2", 70, 1),
        ("日" * 71, "UCS-2", 71, 2),
        ("日" * 134, "UCS-2", 134, 2),
        ("日" * 135, "UCS-2", 135, 3),
        ("😀" * 35, "UCS-2", 70, 1),
        ("😀" * 36, "UCS-2", 72, 2),
        ("😀" * 67, "UCS-2", 134, 3),  # 33 pairs to a part: one unit of each part stays empty
        ("Ð" + "€" * 69, "UCS-2", 70, 1),
    ],
)
def test_limits(text, encoding, units, parts):
    counted = sms.count(text)
    assert (counted.encoding, counted.units, counted.segments) == (encoding, units, parts)
    assert sms.segments(text) == parts


def test_an_escape_pair_moves_to_the_next_part_whole():
    text = "a" * 152 + "€" + "b" * 20
    counted = sms.count(text)
    assert counted.splits == (152,)
    assert sms.parts(text, counted) == ("a" * 152, "€" + "b" * 20)


def test_a_grapheme_moves_to_the_next_part_whole():
    text = "日" * 60 + FAMILY + "日" * 10
    assert sms.parts(text, sms.count(text)) == ("日" * 60, FAMILY + "日" * 10)


def test_cr_lf_may_be_parted():
    text = "日" * 66 + "\r\n" + "日" * 20
    assert sms.parts(text, sms.count(text))[0] == "日" * 66 + "\r"


def test_a_conjunct_may_be_parted_as_twilio_does():
    text = "日" * 65 + "क्षि" + "日" * 20
    assert sms.parts(text, sms.count(text))[0] == "日" * 65 + "क्"


def test_stacked_marks_longer_than_a_part_are_cut():
    text = "a" + "\u0301" * 150
    counted = sms.count(text)
    assert counted.segments == 3
    assert "".join(sms.parts(text, counted)) == text


def test_every_offender_is_named_once_with_count_and_place():
    counted = sms.count("it’s “so” late…")
    told = [(o.char, o.count, o.first) for o in counted.offenders]
    assert told == [("’", 1, 2), ("“", 1, 5), ("”", 1, 8), ("…", 1, 14)]
    assert counted.offenders[0].name == "right single quotation mark (U+2019)"


def test_an_invisible_offender_has_a_name():
    assert sms.count("a\u200bb").offenders[0].name == "zero width space (U+200B)"
    assert sms.count("a\x07").offenders[0].name == "unnamed character (U+0007)"


def test_left_is_what_the_last_part_still_takes():
    assert sms.count("a" * 150).left == 10
    assert sms.count("a" * 161).left == 153 - 8
    assert sms.count("日" * 69).left == 1


def test_sixteen_hundred_characters_and_no_more():
    assert sms.count("a" * 1600).fits
    assert not sms.count("a" * 1601).fits


@given(gsm_text)
def test_gsm_parts_hold_the_text_and_their_limit(text):
    counted = sms.count(text)
    parts = sms.parts(text, counted)
    assert "".join(parts) == text
    assert counted.encoding is Encoding.GSM7
    septets = [sum(2 if char in sms.EXTENSION else 1 for char in part) for part in parts]
    assert sum(septets) == counted.units
    assert all(size <= (160 if len(parts) == 1 else 153) for size in septets)
    assert all(size >= 152 for size in septets[:-1])
    assert sms.segments(text) == counted.segments


@given(any_text)
def test_ucs2_parts_hold_whole_graphemes(text):
    counted = sms.count(text)
    parts = sms.parts(text, counted)
    assert "".join(parts) == text
    if counted.encoding is Encoding.UCS2:
        assert sum(map(utf16, parts)) == counted.units
        assert all(utf16(part) <= (70 if len(parts) == 1 else 67) for part in parts)
        edges = {found.start() for found in regex.finditer(r"\r|\n|\X", text)}
        conjuncts = {found.start() for found in regex.finditer("ष", text)}
        assert set(counted.splits) <= edges | conjuncts


@given(any_text, any_text)
def test_more_text_never_takes_fewer_parts(text, more):
    assert sms.segments(text + more) >= sms.segments(text)


def test_typography_is_offered_in_plain_form_and_marked_safe():
    offered = sms.proposals("It’s back – really…")
    assert [(p.char, p.replacement, p.safe) for p in offered] == [
        ("’", "'", True),
        ("–", "-", True),
        ("…", "...", True),
    ]


def test_an_accent_is_offered_but_not_as_safe():
    (offered,) = sms.proposals("São")
    assert (offered.char, offered.replacement, offered.safe) == ("ã", "a", False)


def test_what_has_no_plain_form_is_not_offered():
    assert sms.proposals("日本 😀 привет") == ()


def test_only_accepted_proposals_change_the_text():
    text = "São Paulo – it’s"
    offered = sms.proposals(text)
    assert sms.rewritten(text, [p for p in offered if p.safe]) == "São Paulo - it's"
    assert sms.rewritten(text, []) == text


@given(st.text(max_size=200))
def test_accepted_proposals_leave_only_what_had_none(text):
    offered = sms.proposals(text)
    left = {offender.char for offender in sms.count(sms.rewritten(text, offered)).offenders}
    assert left.isdisjoint(proposal.char for proposal in offered)
