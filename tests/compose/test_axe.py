"""Every shipped mail, in both palettes and each language, as axe-core finds it in a real Chromium: no violation."""

import shutil
from dataclasses import replace

import pytest

from dispatcher.compose import pictures
from dispatcher.compose.rendering import compose
from dispatcher.model.kinds import Channel
from tests.compose.portrait import png
from tests.compose.sample import STORES, brief_for, catalogue
from tests.compose.test_templates import IDS, made

pytestmark = pytest.mark.usefixtures("uncaged")

WIDTH, HEIGHT = 400, 900
"""A phone, where most mails are read."""
_OF_A_PAGE = ("landmark-one-main", "page-has-heading-one", "region")
"""Landmarks are the page's in which a mail program shows the mail, and a second main there would be wrong."""
EVERY_RULE = {"rules": {rule: {"enabled": False} for rule in _OF_A_PAGE}}
CONTRAST = {"runOnly": ["color-contrast"]}
"""All that another palette changes."""


@pytest.fixture(scope="module")
def browser():
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    if chromium is None:
        pytest.skip("no Chromium here: install it to look at the mails as readers do")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as player:
        opened = player.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-dev-shm-usage"])
        yield opened
        opened.close()


@pytest.fixture
def violations(browser):
    """What axe finds in a mail: each rule with the first element."""
    from axe_playwright_python.sync_playwright import Axe

    with browser.new_context(viewport={"width": WIDTH, "height": HEIGHT}, offline=True) as context:
        page, axe = context.new_page(), Axe()

        def look(html, palette, options):
            page.emulate_media(color_scheme=palette)
            page.set_content(html, wait_until="load")
            found = axe.run(page, options=options).response
            assert found["passes"] or found["violations"], "axe has looked at nothing"
            return [(one["id"], one["nodes"][0]["html"]) for one in found["violations"]]

        yield look


@pytest.mark.parametrize("template_id", IDS)
def test_axe_finds_nothing_in_any_mail(violations, template_id):
    mails = [one for one in made(template_id)[2].renditions if one.channel is Channel.EMAIL]
    found = {
        (one.locale, one.variant, palette): violations(one.parts["html"], palette, rules)
        for one in mails
        for palette, rules in (("light", EVERY_RULE), ("dark", CONTRAST))
    }
    assert {place: rules for place, rules in found.items() if rules} == {}


def test_axe_finds_nothing_in_a_mail_with_a_picture(violations):
    speaks = replace(STORES, signatory_picture=pictures.read(png(96, 120)))
    template = catalogue().get("apology")
    said = compose(template, brief_for(template, organisation=speaks, locales=("en", "fr"), channels=(Channel.EMAIL,)))
    for one in said.renditions:
        html = one.parts["html"].replace(f"cid:{one.picture.cid}", one.picture.url)
        assert "<img" in html
        assert violations(html, "light", EVERY_RULE) == violations(html, "dark", CONTRAST) == []


def test_axe_sees_a_mail_that_cannot_be_read(violations):
    pale = '<p style="color:#999;background:#fff">Pale words.</p>'
    poor = f'<html><head><title>x</title></head><body><img src="x">{pale}</body></html>'
    found = {rule for rule, _ in violations(poor, "light", EVERY_RULE)}
    assert found == {"html-has-lang", "image-alt", "color-contrast"}
    assert [rule for rule, _ in violations(poor, "dark", CONTRAST)] == ["color-contrast"]
