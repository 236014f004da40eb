"""Weights as X's published rules give them, compared with an independent reading of the same rules."""

import json
import unicodedata
import warnings

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from dispatcher.channels import links, social
from dispatcher.channels.social import thread, weigh


@pytest.fixture(scope="module")
def oracle():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from twitter_text import parse_tweet
    return parse_tweet


@pytest.mark.parametrize(
    ("text", "weight"),
    [
        ("hello", 5),
        ("日本", 4),
        ("é", 1),
        ("e\u0301", 1),
        ("“quoted” – dash", 15),
        ("…", 2),
        ("😀", 2),
        ("👩‍👩‍👧‍👦", 2),
        ("👍🏽", 2),
        ("🧑🏽‍💻", 2),
        ("🇬🇧", 2),
        ("🇦🇦", 4),
        ("🏴󠁧󠁢󠁷󠁬󠁳󠁿", 2),
        ("1️⃣", 2),
        ("❤️", 2),
        ("⚡️", 2),
        ("©", 1),
        ("©️", 2),
        ("👩‍🐕", 5),
        ("a\r\nb", 4),
        ("https://example.com", 23),
        ("https://example.com/a/very/long/path?with=query&and=more#fragment", 23),
        ("example.com", 23),
        ("see example.com.", 28),
        ("Example.CO.UK/x", 23),
        ("user@example.com", 16),
        ("version 2.0", 11),
        ("e.g. this", 9),
        ("foo.invalidtld", 14),
        ("日本語example.com", 29),
        ("مرحباexample.com", 28),
        ("https://t.co/abc?x=1", 23),
        ("http://example.com/日本", 27),
        ("a.co b.co", 47),
        ("example.com/a(b)c.((d))", 29),
        ("@user😀.co.uk!", 32),
    ],
)
def test_weights(text, weight):
    assert weigh(text).weight == weight


def test_two_hundred_and_eighty_and_no_more():
    assert weigh("a" * 280).fits
    assert not weigh("a" * 281).fits
    assert weigh("日" * 140).fits
    assert not weigh("日" * 141).fits
    assert weigh("a" * 281).left == -1


def test_nothing_said_is_no_post():
    assert not weigh("").fits


@pytest.mark.parametrize("char", "\ufffe\ufeff\uffff")
def test_code_points_that_x_refuses_are_named(char):
    refused = weigh(f"hello{char}")
    assert not refused.fits
    assert refused.invalid == (f"U+{ord(char):04X}",)


def test_permillage_is_rounded_down():
    assert weigh("a" * 3).permillage == 10


def test_a_text_longer_than_any_post_is_not_weighed_but_does_not_fit():
    assert not weigh("a." * 20_000).fits


SCALE = (
    "日" * 20000 + "-.com",
    "日." * 10000 + "-.com",
    "http://a.com/" + "." * 20000,
    "http://a.com/" + "(a" * 10000,
    "a.com " * 4000,
    "xn--" * 6000 + ".com",
)


@pytest.mark.timeout(60)
@pytest.mark.parametrize("text", SCALE, ids=range(len(SCALE)))
def test_no_text_takes_long(text):
    assert weigh(text).weight > 280


def test_links_are_found_with_their_place():
    text = "Go to example.org/help (or https://example.com/a_(b)), not user@example.net."
    assert [text[slice(*link)] for link in links.find(text)] == ["example.org/help", "https://example.com/a_(b)"]


def test_a_label_too_long_to_exist_is_no_link():
    assert links.find("é" * 64 + ".com") == []
    assert links.find("https://" + "a" * 64 + ".com") == []


pieces = st.sampled_from(
    [
        "https://example.com",
        "https://example.org/a(b)c?d=e#f",
        " ",
        "\n",
        "word",
        "it’s",
        "日本",
        "😀",
        "👍🏽",
        "🇬🇧",
        "é",
        "e\u0301",
        "…",
        "–",
        "@user",
        "#tag",
        "1️⃣",
        "👩‍👩‍👧",
        "ﬁ",
        "¿",
        "Ω",
        "привет",
    ]
)


@given(st.lists(pieces, max_size=40).map("".join))
def test_the_same_weight_as_an_independent_reading(oracle, text):
    told = oracle(text)
    assert (weigh(text).weight, weigh(text).fits, weigh(text).permillage) == (
        told.weightedLength, told.valid, told.permillage,
    )  # fmt: skip


@given(st.text(st.characters(exclude_categories=("Cs",), exclude_characters="©®\r"), max_size=60))
def test_any_letters_weigh_the_same(oracle, text):
    assume("." not in text and "\ufe0f" not in text and "\u200d" not in text)
    assert weigh(text).weight == oracle(text).weightedLength


@given(st.lists(pieces, max_size=60).map("".join))
def test_the_mark_stands_where_the_post_is_full(text):
    normal = unicodedata.normalize("NFC", text)
    at = social.fitting(text)
    assert weigh(normal[:at]).weight <= 280 or links.find(normal[:at]) != links.find(normal)
    assert (at == len(normal)) == (weigh(text).weight <= 280)


def test_a_text_that_fits_is_one_post():
    assert thread("  All systems work again.\n") == ("All systems work again.",)
    assert thread("") == ()
    assert thread(" \n ") == ()


def test_paragraphs_stay_whole_where_they_can():
    first, second, third = (" ".join([word] * 20) for word in ("First.", "Second.", "Third."))
    made = thread(f"{first} \n\n{second}\n\n{third[:69]}")
    assert made == (first, f"{second}\n\n{third[:69]}")


def test_a_long_paragraph_is_cut_between_sentences():
    sentence = "The shops are open and the tills take cards again."
    made = thread(" ".join([sentence] * 8))
    assert made == (" ".join([sentence] * 5), " ".join([sentence] * 3))


def test_a_link_is_never_cut():
    link = "https://example.com/" + "a" * 300
    made = thread(f"{'word ' * 55}{link} end")
    assert any(link in post for post in made)
    assert all(weigh(post).fits for post in made)


def test_a_word_longer_than_a_post_is_cut_between_graphemes():
    made = thread("👩‍👩‍👧‍👦" * 200)
    assert made == ("👩‍👩‍👧‍👦" * 140, "👩‍👩‍👧‍👦" * 60)


@given(st.lists(st.one_of(pieces, st.sampled_from(["\n\n", ". ", " ", "! ", "。"])), max_size=250).map("".join))
def test_a_thread_loses_nothing_but_space_and_every_post_fits(text):
    made = thread(text)
    assert all(weigh(post).fits for post in made)
    assert all(post == post.strip() for post in made)
    plain = unicodedata.normalize("NFC", text)
    assert "".join("".join(made).split()) == "".join(plain.split())


def test_the_lists_are_in_the_form_that_the_rules_read():
    tlds = [name for name in links._tlds()[0] if not name.islower() and not name.isdigit()]
    assert tlds == []
    assert json.dumps(sorted(social._sequences())) == '["flags", "joined", "pictured", "tagged"]'
