"""The weighted length agrees with an independent reading of the vendor's rules."""

import pytest
from twitter_text import parse_tweet

from dispatcher.sandbox.x_text import LIMIT, valid, weighted_length

TEXTS = [
    "Hello",
    "Card payments are down in our shops. We are working on it.",
    "a" * 280,
    "é" * 140,
    "日本語のお知らせ",
    "Ukraïna: оновлення",
    "Read https://example.com/a/very/long/path/indeed?with=query and http://example.org",
    "Thanks 👍🏽 and 👨‍👩‍👧‍👦 and 🇬🇧",
    "“Quoted” – dashed…",
    "한국어 안내",
]


@pytest.mark.parametrize("text", TEXTS)
def test_it_weighs_like_the_published_parser(text):
    assert weighted_length(text) == parse_tweet(text).weightedLength


def test_the_limit():
    assert valid("a" * LIMIT)
    assert not valid("a" * (LIMIT + 1))
    assert valid("日" * 140)
    assert not valid("日" * 141)
    assert valid("a" * 256 + " https://example.com/" + "x" * 200)
    assert not valid("")
    assert not valid(" \n")
    assert not valid("Hello\ufeff")
