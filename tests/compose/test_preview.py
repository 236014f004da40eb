"""Previews: who is shown, what is measured, and that neither a terminal nor a browser can be commanded."""

import re
from html.parser import HTMLParser

import pytest

from dispatcher.compose.lint.rules import Finding, Weight
from dispatcher.compose.preview.frames import Sample, changed, compare, frames, plain
from dispatcher.compose.preview.page import Comparison, as_html
from dispatcher.compose.preview.terminal import as_text, changes_as_text
from dispatcher.compose.rendering import compose
from dispatcher.model.kinds import Channel
from dispatcher.model.rendition import Rendition, Slot, SlotForm
from dispatcher.model.template import Document
from tests.compose.sample import brief_for, catalogue

pytestmark = pytest.mark.usefixtures("uncaged")

HOLDING = catalogue().get("holding-statement")
TAG = "Qk3v9q7x2mz00tQ"
ANA, NOBODY, LI = Sample("", {"first_name": "Ana"}), Sample("", {"first_name": " "}), Sample("", {"first_name": "李雷"})


def sms(text, *slots):
    return Rendition(Channel.SMS, "en", "", {"text": text}, tuple(slots))


def test_each_sample_gets_its_own_message():
    slot = Slot(TAG, "first_name", SlotForm.TEXT, "you")
    made = frames([sms(f"Dear {TAG}", slot)], [ANA, NOBODY, LI])
    assert [frame.parts["text"] for frame in made] == ["Dear Ana", "Dear  ", "Dear 李雷"]
    assert [frame.measures[0].note.split(" ")[0] for frame in made] == ["GSM-7", "GSM-7", "UCS-2"]
    assert "cjk unified ideograph-674e (U+674E)" in made[2].measures[0].note


def test_a_text_for_everybody_is_shown_once():
    made = frames([sms("Hello")], [ANA, LI])
    assert [(frame.sample, frame.parts["text"]) for frame in made] == [("everybody", "Hello")]


def test_people_see_their_own_language():
    slot = Slot(TAG, "first_name", SlotForm.TEXT)
    both = [sms(f"Dear {TAG}", slot), Rendition(Channel.SMS, "fr", "", {"text": f"Bonjour {TAG}"}, (slot,))]
    made = frames(both, [Sample("longest", {"first_name": "Ana"}, "fr")])
    assert [frame.parts["text"] for frame in made] == ["Dear ", "Bonjour Ana"]


def test_a_value_that_cannot_stand_in_a_header_is_told():
    slot = Slot(TAG, "name", SlotForm.HEADER)
    mail = Rendition(Channel.EMAIL, "en", "", {"subject": f"For {TAG}", "html": "<p></p>", "text": "x"}, (slot,))
    (frame,) = frames([mail], [Sample("hostile", {"name": "a\nBcc: b@example.com"})])
    assert "cannot stand in a header" in frame.refusal
    assert "cannot stand in a header" in as_text([frame])
    assert "cannot stand in a header" in as_html("t", [frame])


def test_a_narrow_column_wraps_the_measure_and_cuts_none_of_it():
    shown = as_text(frames([sms("Dear 李雷 " * 20)], []), width=30)
    assert "segments" in shown
    assert "UCS-2" in shown
    assert ">" not in shown


def test_segments_are_marked_where_they_break():
    (frame,) = frames([sms("a" * 200)], [])
    assert (frame.measures[0].pieces, frame.measures[0].cuts) == (2, (153,))
    html = as_html("t", [frame])
    assert html.index("a" * 153 + "<span") < html.index("a" * 47 + "</p>")
    assert "200 of 1600 characters, 2 segments. GSM-7" in html


def test_posts_are_weighed():
    post = Rendition(Channel.SOCIAL, "en", "", {"post.1": "a" * 281, "post.2": "ok"})
    (frame,) = frames([post], [])
    assert [(m.used, m.fits) for m in frame.measures] == [(281, False), (2, True)]
    assert 'class="over"' in as_html("t", [frame])


def test_the_terminal_shows_columns_where_there_is_room():
    slot = Slot(TAG, "first_name", SlotForm.TEXT, "you")
    made = frames(
        [sms(f"Dear {TAG}, hello", slot)],
        [Sample("longest", {"first_name": "Ana"}), Sample("other", {"first_name": "李"})],
    )
    wide, narrow = as_text(made, 100).split("\n"), as_text(made, 40).split("\n")
    assert wide[0].split() == ["sms", "en,", "longest", "sms", "en,", "other"]
    assert re.match(r"Dear Ana, hello {2,}Dear 李, hello", wide[2])
    assert narrow[0] == "sms en, longest"
    assert all(len(line) <= 40 for line in narrow)


def test_a_value_cannot_command_the_terminal():
    slot = Slot(TAG, "first_name", SlotForm.TEXT)
    (frame,) = frames([sms(f"{TAG}", slot)], [Sample("hostile", {"first_name": "\x1b[2J\u202eevil"})])
    shown = as_text([frame])
    assert "\x1b" not in shown
    assert "<U+001B>" in shown
    assert "<U+202E>" in shown


class _Walk(HTMLParser):
    def __init__(self):
        super().__init__()
        self.tags, self.frames = [], []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        if tag == "iframe":
            self.frames.append(dict(attrs))


def page(**more):
    brief = brief_for(HOLDING, locales=("en", "fr"))
    made = compose(HOLDING, brief)
    shown = frames(made.renditions, [Sample("hostile", {"first_name": "<script>alert(1)</script>"})])
    return as_html("B-1 <preview>", shown, made.documents, **more)


def test_the_page_needs_nothing_else_and_runs_nothing():
    html = page()
    walk = _Walk()
    walk.feed(html)
    assert "script" not in walk.tags
    assert not re.search(r'(?:src|href)="(?!data:|#)', re.sub(r'srcdoc="[^"]*"', "", html))
    assert "default-src 'none'" in html
    assert "<title>B-1 &lt;preview&gt;</title>" in html
    assert all(frame["sandbox"] is None or frame["sandbox"] == "" for frame in walk.frames)
    assert {"en hostile, light", "en hostile, dark", "fr hostile, light", "page · en"} <= {
        f["title"] for f in walk.frames
    }


def test_mail_is_shown_in_both_palettes():
    walk = _Walk()
    walk.feed(page())
    light, dark = (
        next(f["srcdoc"] for f in walk.frames if f["title"] == f"en hostile, {name}") for name in ("light", "dark")
    )
    assert "@media not all" in light
    assert "@media all" in dark
    assert "prefers-color-scheme" not in light
    assert 'name="color-scheme" content="light"' in light
    assert 'name="color-scheme" content="dark"' in dark


def test_pictures_can_be_off():
    mail = Rendition(Channel.EMAIL, "en", "", {"subject": "s", "text": "t", "html": '<img alt="Map" src="data:x">'})
    walk = _Walk()
    walk.feed(as_html("t", frames([mail], [])))
    off = next(f["srcdoc"] for f in walk.frames if f["title"] == "en everybody, images off")
    assert off == '<img alt="Map">'


def test_documents_and_findings_are_shown():
    finding = Finding("L01", Weight.BLOCK, "Left <b>.", "{{", "email", "text", "en", "", 3, "w", "s", "Fill it.")
    html = as_html(
        "t",
        [],
        [Document("page", "en", "", "md", "# <x>"), Document("letter", "en", "", "html", "<p>a</p>")],
        [finding],
    )
    assert "&lt;h1&gt;&amp;lt;x&amp;gt;&lt;/h1&gt;" in html
    assert 'title="letter · en"' in html
    assert "email text en, line 3" in html
    assert "Left &lt;b&gt;." in html
    assert "Findings: 1 block, 0 warn" in html


def test_the_line_in_which_a_mail_is_listed():
    assert '<p class="inbox"><strong>' in page()
    assert re.search(r'<span class="first">[^<]{20,}</span>', page())


def test_what_changed_since_the_last_update():
    changes = [(c.kind, c.words) for c in compare("Orders are down.", "Orders are back now.")]
    assert changes == [("kept", "Orders are "), ("removed", "down."), ("added", "back now.")]
    slot = Slot(TAG, "first_name", SlotForm.TEXT, "you")
    (one,) = changed([sms(f"{TAG}: orders are <down>.", slot)], [sms(f"{TAG}: orders are back now.", slot)])
    html = as_html("t", [], compared=Comparison("B-1", [one]))
    assert "Changed since B-1" in html
    assert "you: orders are <del>&lt;down&gt;.</del><ins>back now.</ins>" in html
    assert "[-<down>.-]{+back now.+}" in changes_as_text([one], "B-1")
    assert "Changed since" not in as_html("t", frames([sms("x")], []), compared=Comparison("", []))


def test_a_text_without_one_new_word_is_told():
    (one,) = changed([sms("Down.")], [sms("Down.")])
    assert one.is_same
    assert "No word has changed." in as_html("t", [], compared=Comparison("B-1", [one]))
    assert "no word has changed" in changes_as_text([one], "B-1")
    assert changed([Rendition(Channel.SMS, "fr", "", {"text": "x"})], [sms("x")]) == []


def test_a_thread_is_compared_whole():
    assert plain(Rendition(Channel.SOCIAL, "en", "", {"post.1": "a", "post.2": "b"})) == "a\n\nb"
