"""The shipped messages: clean under every rule in every language, accessible, short enough, alike in all parts."""

import re
from functools import cache
from itertools import pairwise

import pytest

from dispatcher.channels import sms, social
from dispatcher.compose import paper
from dispatcher.compose.lint.checking import lint
from dispatcher.compose.lint.numerals import differences
from dispatcher.compose.lint.passages import read
from dispatcher.compose.rendering import compose
from dispatcher.model.kinds import Channel, Mode, Purpose
from tests.compose.sample import SHIPPED, brief_for, catalogue

pytestmark = pytest.mark.usefixtures("uncaged")

IDS = catalogue().ids()


@cache
def made(template_id, **changes):
    """Rendered once for all tests that look at it."""
    template = catalogue().get(template_id)
    variants = ("", *sorted(template.variants()))
    brief = brief_for(template, locales=tuple(sorted(template.locales())), variants=variants, **changes)
    return template, brief, compose(template, brief)


@pytest.mark.parametrize(
    ("template_id", "mode"),
    [
        (one.id, mode)
        for one in catalogue().all()
        for mode in Mode
        if one.purpose is not Purpose.DRILL or mode is Mode.DRILL
    ],
)
def test_clean_under_every_rule(template_id, mode):
    findings = lint(*made(template_id, mode=mode))
    assert [(f.rule, f.channel, f.part, f.locale, f.what, f.words) for f in findings if not _drill_room(f, mode)] == []


def _drill_room(finding, mode):
    """The mark of a drill needs room: subjects may grow over the advice, never over the limit."""
    return mode is Mode.DRILL and finding.rule in ("L22", "L45") and finding.weight == "warn"


@pytest.mark.parametrize("template_id", IDS)
def test_text_messages_take_two_cheap_segments_at_most(template_id):
    for one in made(template_id)[2].renditions:
        if one.channel is Channel.SMS:
            counted = sms.count(one.parts["text"])
            assert (str(counted.encoding), counted.segments <= 2) == ("GSM-7", True)


@pytest.mark.parametrize("template_id", IDS)
def test_the_first_post_stands_alone(template_id):
    _, brief, composed = made(template_id)
    for one in composed.renditions:
        if one.channel is Channel.SOCIAL:
            assert all(social.weigh(post).weight <= social.ADVISED for post in one.posts)
            assert brief.organisation.status_url in one.posts[0]
            assert brief.code in one.posts[-1]


@pytest.mark.parametrize("template_id", IDS)
def test_every_message_can_be_placed_and_checked(template_id):
    _, brief, composed = made(template_id)
    for passage in read(composed):
        if passage.target in ("email", "page", "letter") and passage.part != "subject":
            assert brief.code in passage.text
            assert brief.incident_ref in passage.text
            assert "18:30 GMT" in passage.text or "18 h 30 GMT" in passage.text
            assert brief.organisation.contact_phone in passage.text


@pytest.mark.parametrize("template_id", IDS)
def test_the_text_part_says_what_the_html_says(template_id):
    passages = {(p.locale, p.variant, p.part): p for p in read(made(template_id)[2]) if p.target == "email"}
    for (locale, variant, part), html in passages.items():
        if part == "html":
            text = passages[locale, variant, "text"]
            assert differences(html, text) == set()
            said = set(re.findall(r"\w{4,}", html.text)) - set(re.findall(r"\w{4,}", text.text))
            assert said <= set(re.findall(r"\w{4,}", passages[locale, variant, "subject"].text + _preview(html.raw)))


def _preview(html):
    return " ".join(re.findall(r'<div style="display:none[^>]*>(.*?)</div>', html, re.DOTALL))


def _luminance(colour):
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    red, green, blue = (c / 12.92 if c <= 0.03928 else ((c + 0.055) / 1.055) ** 2.4 for c in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _contrast(one, other):
    lighter, darker = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


@pytest.mark.parametrize("template_id", IDS)
def test_contrast_in_both_palettes(template_id):
    for one in made(template_id)[2].renditions:
        if one.channel is Channel.EMAIL:
            light, dark = one.parts["html"].split("@media (prefers-color-scheme: dark)")
            ink = re.search(r"text-align:left;color:(#\w{6})", one.parts["html"])[1]
            link = re.search(r"a \{ color: (#\w{6})", light)[1]
            assert min(_contrast(colour, "#ffffff") for colour in (ink, link)) >= 4.5
            sheet = re.search(r"\.sheet td \{ background-color: (#\w{6})", dark)[1]
            inks = (
                re.search(rf"{selector} \{{ color: (#\w{{6}})", dark)[1] for selector in (r"\.sheet div", r"\.sheet a")
            )
            assert min(_contrast(colour, sheet) for colour in inks) >= 4.5


PAPERS = ("dispatcher/compose/paper.css", "dispatcher/compose/preview/page.css")


@pytest.mark.parametrize("path", PAPERS)
def test_contrast_of_documents_and_previews(path):
    """Every ink on every ground, in both palettes: 4.5 for words, 3 for lines that mean something."""
    text = (SHIPPED.parent / path).read_text(encoding="utf-8")
    light, dark = re.findall(r":root \{[^}]*--ink[^}]*\}", text)[:2]
    for palette in (light, dark):
        colours = dict(re.findall(r"--([a-z]+): (#\w{6})", palette))
        grounds = [colours[name] for name in ("paper", "card", "shade", "bubble") if name in colours]
        inks = [colours[name] for name in ("ink", "link", "soft", "warn", "block") if name in colours]
        assert (
            min(_contrast(ink, ground) for ink in inks for ground in grounds if ground != colours.get("bubble")) >= 4.5
        )
        assert min(_contrast(colours["ink"], ground) for ground in grounds) >= 4.5
        assert _contrast(colours["line"], colours["paper"]) >= 3


@pytest.mark.parametrize("template_id", IDS)
def test_documents_are_accessible(template_id):
    for one in made(template_id)[2].documents:
        html = paper.as_html(one)
        assert f'<html lang="{one.locale}"' in html
        assert re.search(r"<title>[^<]+</title>", html)
        assert "<img" not in html
        levels = [int(level) for level in re.findall(r"<h([1-6])[ >]", html)]
        assert levels.count(1) <= 1
        assert all(after - before <= 1 for before, after in pairwise(levels))


@pytest.mark.parametrize("template_id", IDS)
def test_mail_is_accessible(template_id):
    for one in made(template_id)[2].renditions:
        if one.channel is not Channel.EMAIL:
            continue
        html = one.parts["html"]
        assert f'<html lang="{one.locale}" dir="ltr"' in html
        assert re.search(r"<title>[^<]+</title>", html)
        assert html.count("<h1>") == 1
        headings = [int(level) for level in re.findall(r"<h([1-6])>", html)]
        assert all(after - before <= 1 for before, after in pairwise(headings))
        tables = re.findall(r"<table[^>]*>", html)
        assert all('role="presentation"' in table for table in tables)
        assert "<img" not in html
        assert 'name="color-scheme" content="light dark"' in html


def test_the_catalogue_is_whole():
    assert len(IDS) >= 24
    spoken = [template.id for template in catalogue().all() if "fr" in template.locales()]
    assert len(spoken) >= 6


def test_only_what_is_confirmed_is_said_to_be_not_taken():
    template = catalogue().get("data-breach")
    _, _, composed = made("data-breach")
    text = next(one.parts["text"] for one in composed.renditions if one.channel is Channel.EMAIL and one.locale == "en")
    taken, rest = text.split("Data that was not taken")
    not_taken, checking = rest.split("Data we are still checking")
    assert "your date of birth" in taken
    assert "your full payment card details (we do not keep them)" in not_taken
    assert "your password in scrambled form" in checking.split("What this could mean for you")[0]
    assert template.approvals


def test_colleagues_are_spoken_to_as_colleagues():
    letters = {one: letter_of(made(one)[2]) for one in ("data-breach", "data-breach-employee")}
    shared = [line for line in letters["data-breach-employee"] if line in letters["data-breach"] and len(line) > 60]
    assert "You work with us, and you trusted us with your data." in " ".join(letters["data-breach-employee"])
    assert "Dear colleague," in letters["data-breach-employee"]
    assert not [line for line in shared if "customer" in line]
    assert "At work" in letters["data-breach-employee"]


def letter_of(composed):
    return next(p.lines for p in read(composed) if (p.target, p.locale, p.variant) == ("letter", "en", ""))


def test_the_variant_for_the_united_states_has_its_layout():
    mails = {(r.locale, r.variant): r for r in made("data-breach")[2].renditions if r.channel is Channel.EMAIL}
    assert set(mails) == {("en", ""), ("en", "us"), ("fr", ""), ("fr", "us")}
    assert "What Information Was Involved" in mails["en", "us"].parts["text"]
    assert "What Information Was Involved" not in mails["en", ""].parts["text"]
    texts = [r.variant for r in made("data-breach")[2].renditions if r.channel is Channel.SMS]
    assert set(texts) == {""}


@pytest.mark.parametrize("template_id", [one.id for one in catalogue().all() if "fr" in one.locales()])
def test_what_speaks_french_speaks_it_everywhere(template_id):
    _, _, composed = made(template_id)
    assert composed.fallbacks == ()
    for passage in read(composed):
        assert passage.locale == passage.language
