"""The report: one file that fetches nothing, runs nothing, and says its mode in every heading."""

import re
from html.parser import HTMLParser

import pytest

from dispatcher.reporting import page
from tests.reporting.story_of import EMAIL, story


class Reader(HTMLParser):
    """What a browser would meet."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.texts, self.open = [], {}, []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        self.open.append(tag)

    def handle_endtag(self, tag):
        while self.open and self.open.pop() != tag:
            pass

    def handle_data(self, data):
        for tag in set(self.open):
            self.texts.setdefault(tag, []).append(data)


@pytest.fixture(scope="module")
def html():
    return page.render(story())


def test_nothing_is_fetched_and_nothing_runs(html):
    tags = Reader(html).tags
    assert not {tag for tag, _ in tags} & {"script", "link", "img", "iframe", "object", "form", "base"}
    for _, attributes in tags:
        assert not [name for name in attributes if name.startswith("on") or name in ("style", "src")]
        assert (attributes.get("href") or "#").startswith("#")
    assert not re.search(r"@import|url\(\s*['\"]?(?!#)", html)


def test_the_policy_allows_the_style_and_nothing_else(html):
    policy = re.search(r'http-equiv="Content-Security-Policy" content="([^"]+)"', html)[1]
    style = re.search(r"<style>(.*?)</style>", html, re.DOTALL)[1]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert page._csp_hash(style) in policy


def test_every_heading_carries_the_mode_word(html):
    headings = re.findall(r"<h2.*?</h2>", html, re.DOTALL)
    assert len(headings) == 7
    assert all("DRILL" in heading for heading in headings)
    assert "<title>DRILL: " in html


@pytest.mark.parametrize(
    ("changes", "word"), [({"mode": "live"}, "LIVE"), ({"mode": "live", "test_endpoint": True}, "LIVE · TEST ENDPOINT")]
)
def test_live_and_drill_differ_in_words(changes, word):
    html = page.render(story(**changes))
    assert f"<title>{word}: " in html
    assert "DRILL" not in html


def test_a_normal_report_is_small(html):
    assert len(html.encode()) < 60_000


def test_the_sum_is_written_out_and_a_gap_is_shouted(html):
    assert "The sums reconcile." in html
    assert "1,400 planned = 12 suppressed + 5 held + 380 accepted + 960 delivered + 35 failed + 8 unknown." in html
    lost = {**EMAIL.terms, "planned": 1003}
    torn = page.render(story(channels=(type(EMAIL)("email", lost, EMAIL.reasons),)))
    assert "The sums do not reconcile." in torn
    assert "3 unaccounted for" in torn


def test_hostile_words_stay_words():
    html = page.render(story(title="<img src=x onerror=alert(1)> {{ 7*7 }}", audience='"><b>'))
    assert "<img" not in html
    assert "{{ 7*7 }}" in html


def test_an_unsent_broadcast_has_a_report_too():
    html = page.render(story(curve=(), spreads=(), acts=(), words=(), proofs=(), released_at=None, state="approved"))
    assert "Nothing has been accepted yet." in html
    assert "Two records" not in html


def test_every_region_that_scrolls_can_be_reached_by_keyboard_and_every_table_announces_itself(html):
    tags = Reader(html).tags
    scrolling = [attributes for tag, attributes in tags if attributes.get("class") == "scroll"]
    assert scrolling
    assert all(a.get("tabindex") == "0" and a.get("aria-label") for a in scrolling)
    assert html.count("<table>") == html.count("<caption>")
    assert all(attributes.get("scope") for tag, attributes in tags if tag == "th")
