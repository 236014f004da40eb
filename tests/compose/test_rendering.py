"""Rendering: what comes out, what is refused, and that recipients and facts stay data."""

import dataclasses
import re

import pytest

from dispatcher.compose.brief import Brief
from dispatcher.compose.rendering import compose, render
from dispatcher.compose.slotcheck import check_html
from dispatcher.errors import TemplateError
from dispatcher.model.fact import Fact, FactKind, FactSpec, sheet
from dispatcher.model.kinds import Channel, FactState, Mode
from dispatcher.model.rendition import Envelope, Slot, SlotForm
from dispatcher.provider import fill
from tests.compose.sample import ALL_CHANNELS, NONCE, STORES, brief_for, catalogue

pytestmark = pytest.mark.usefixtures("uncaged")

HOLDING = catalogue().get("holding-statement")
MJML = "<mjml lang='en'><mj-body><mj-section><mj-column>{}</mj-column></mj-section></mj-body></mjml>"
LINE = Fact("problem", FactKind.LINE, "Down.")


def small(**sources):
    """A template of a few parts, with one optional fact of each of a few kinds."""
    files = {name.replace("__", "."): text for name, text in sources.items()}
    specs = (
        FactSpec("problem", FactKind.LINE, required=False),
        FactSpec("story", FactKind.TEXT, required=False),
        FactSpec("since", FactKind.MOMENT, required=False),
        FactSpec("items", FactKind.LIST, required=False),
    )
    return dataclasses.replace(HOLDING, sources=files, facts=specs, documents=())


def text_of(source, *facts, **more):
    template = small(sms__txt=source)
    (one,) = render(template, brief_for(HOLDING, channels=(Channel.SMS,), facts=sheet(list(facts)), **more))
    return one.parts["text"]


def html_of(body, *facts):
    files = {
        "email.subject.txt": "S",
        "email.txt": "T",
        "email.mjml": MJML.format(body),
    }
    template = dataclasses.replace(small(), sources=files)
    (one,) = render(template, brief_for(HOLDING, channels=(Channel.EMAIL,), facts=sheet(list(facts))))
    return one


def test_every_channel_has_its_parts():
    found = {one.channel: set(one.parts) for one in render(HOLDING, brief_for(HOLDING))}
    assert found == {
        Channel.EMAIL: {"subject", "html", "text"},
        Channel.SMS: {"text"},
        Channel.SOCIAL: {"post.1", "post.2"},
    }


def test_the_same_brief_gives_the_same_bytes():
    first, second = (compose(HOLDING, brief_for(HOLDING)) for _ in range(2))
    assert first == second
    assert [r.sha256() for r in first.renditions] == [r.sha256() for r in second.renditions]


def test_slots_become_values_only_when_filled():
    mail = next(one for one in render(HOLDING, brief_for(HOLDING)) if one.channel is Channel.EMAIL)
    assert {(s.name, s.form, s.default) for s in mail.slots} == {
        ("first_name", SlotForm.HTML, "customer"),
        ("first_name", SlotForm.TEXT, "customer"),
    }
    assert all(slot.tag in mail.parts["html"] + mail.parts["text"] and NONCE in slot.tag for slot in mail.slots)
    hostile = Envelope("k", "a@example.com", {"first_name": "{{ 7*7 }}<script>&"})
    assert "Dear {{ 7*7 }}<script>&," in fill(mail.parts["text"], mail, hostile)
    assert "Dear {{ 7*7 }}&lt;script&gt;&amp;," in fill(mail.parts["html"], mail, hostile)
    assert "Dear customer," in fill(mail.parts["text"], mail, Envelope("k", "a@example.com", {"first_name": ""}))


def test_one_field_has_one_tag_and_each_default_its_own():
    template = small(sms__txt="{{ recipient.a }}{{ recipient.a }}{{ recipient.a or 'x' }}{{ recipient.a or 'y' }}")
    (one,) = render(template, brief_for(HOLDING, channels=(Channel.SMS,), facts={}))
    assert [slot.default for slot in one.slots] == [None, "x", "y"]
    tags = [slot.tag for slot in one.slots]
    assert one.parts["text"] == tags[0] * 2 + tags[1] + tags[2]
    assert all(re.fullmatch(rf"Q{NONCE}\d\dtQ", tag) for tag in tags)


def test_a_slot_in_a_subject_is_bound_to_a_header():
    files = {
        "email.subject.txt": "For {{ recipient.name }}",
        "email.txt": "T",
        "email.mjml": "<mjml><mj-body></mj-body></mjml>",
    }
    template = dataclasses.replace(small(), sources=files)
    (one,) = render(template, brief_for(HOLDING, channels=(Channel.EMAIL,), facts={}))
    assert [slot.form for slot in one.slots] == [SlotForm.HEADER]


@pytest.mark.parametrize(
    "hostile", ["{{ 7*7 }}", "{% for x in y %}", "<script>alert(1)</script>", "</mj-text>", "a & b", '" onload="x']
)
def test_facts_print_themselves(hostile):
    fact = Fact("problem", FactKind.LINE, hostile)
    assert text_of("{{ problem }}", fact) == hostile
    html = html_of("<mj-text>{{ problem }}</mj-text>", fact).parts["html"]
    assert hostile not in html or hostile == "{{ 7*7 }}" or hostile.startswith("{%")
    assert "<script" not in html
    assert 'onload="x' not in html


def test_facts_are_escaped_in_markdown():
    page = next(d for d in compose(HOLDING, brief_for(HOLDING)).documents if d.name == "page")
    assert "\\" not in page.text
    facts = {**brief_for(HOLDING).facts, ("problem", None): Fact("problem", FactKind.LINE, "[x](https://a) *b* <i>")}
    page = next(d for d in compose(HOLDING, brief_for(HOLDING, facts=facts)).documents if d.name == "page")
    assert r"\[x\](https://a) \*b\* \<i\>" in page.text


def test_a_text_partial_included_in_a_mail_is_escaped():
    template = small(email__subject__txt="S", email__txt="T", note__txt="{{ problem }}")
    mjml = MJML.format("<mj-text>{% include 'note.txt' %}</mj-text>")
    template = dataclasses.replace(template, sources={**template.sources, "email.mjml": mjml})
    fact = Fact("problem", FactKind.LINE, "<b>")
    (one,) = render(template, brief_for(HOLDING, channels=(Channel.EMAIL,), facts=sheet([fact])))
    assert "&lt;b&gt;" in one.parts["html"]


def test_a_fact_that_holds_a_tag_is_refused():
    with pytest.raises(TemplateError, match="mark of a slot"):
        text_of("{{ problem }}", Fact("problem", FactKind.LINE, f"Q{NONCE}00tQ"))


@pytest.mark.parametrize(
    ("source", "says"),
    [
        ("{{ problem }}", "problem was not given"),
        ("a\n\n{{ words.nope }}", "line 3: 'dict object' has no attribute 'nope'"),
        ("{{ items }}", "loop over a list"),
        ("{{ items.index }}", "cannot be printed"),
        ("{{ 'x'.upper }}", "cannot be printed"),
        ("{{ words.items }}", "cannot be printed"),
        ("{{ none }}", "cannot be printed"),
        ("{{ true }}", "cannot be printed"),
        ("{% if x %}{% endif %}", "nothing is called x"),
        ("\n{% if problem %}", "sms.txt, line 2"),
        ("{{ problem", "sms.txt, line 1"),
        ("{{ problem|safe }}", "No filter named 'safe'"),
        ("{{ problem|attr('x') }}", "No filter named 'attr'"),
        ("{{ 'x' is callable }}", "No test named 'callable'"),
        ("{% include 'nope.txt' %}", "includes nope.txt, which does not exist"),
        ("{% include '/etc/passwd' %}", "which does not exist"),
        ("{% include 'sms.txt' %}", "without end"),
        ("{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}", "without end"),
        ("  \n ", "comes out empty"),
        ("{{ problem['__class__'] }}", "unsafe"),
        ("{{ words['__class__'] }}", "unsafe"),
    ],
)
def test_templates_that_go_wrong_are_told_where(source, says):
    facts = [Fact("items", FactKind.LIST, ["a"])] if source.startswith("{{ items") else []
    with pytest.raises(TemplateError) as caught:
        text_of(source, *facts)
    assert says in caught.value.what
    assert caught.value.mend


@pytest.mark.parametrize(
    ("subject", "says"),
    [("a\nb", "cannot stand in a header"), ("=?utf-8?q?a?=", "cannot stand in a header"), ("", "comes out empty")],
)
def test_subjects_that_cannot_be_headers(subject, says):
    template = dataclasses.replace(HOLDING, sources={**HOLDING.sources, "email.subject.txt": subject or " "})
    with pytest.raises(TemplateError, match=says):
        compose(template, brief_for(HOLDING))


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ("<mj-text>", "MJML cannot be read"),
        ("<mj-txet>x</mj-txet>", "no MJML tag is called <mj-txet>"),
        ("<mj-include path='/etc/passwd' />", "no MJML tag is called <mj-include>"),
        ("<mj-text><a href='https://example.com/{{ recipient.name }}'>x</a></mj-text>", "the attribute href of <a>"),
        ("<mj-text><script>x</script></mj-text>", "holds a script"),
        ("<mj-text><p onclick='x'>y</p></mj-text>", "holds a script"),
        ("<mj-text><style>{{ recipient.name }}</style></mj-text>", "stands in <style>"),
    ],
)
def test_mail_that_could_do_harm_is_refused(body, says):
    with pytest.raises(TemplateError) as caught:
        html_of(body)
    assert says in caught.value.what


def test_a_slot_in_a_comment_is_refused():
    slot = Slot("Qabcdefgh00mQ", "name", SlotForm.HTML)
    with pytest.raises(TemplateError, match="a comment"):
        check_html("<p>x</p><!-- Qabcdefgh00mQ -->", [slot])
    check_html("<p>Qabcdefgh00mQ</p><style>p {}</style>", [slot])


def test_a_public_text_has_no_single_reader():
    template = dataclasses.replace(HOLDING, sources={**HOLDING.sources, "post.txt": "Dear {{ recipient.name }}"})
    with pytest.raises(TemplateError) as caught:
        compose(template, brief_for(HOLDING))
    assert "recipient.name cannot stand here" in caught.value.what


class TestPosts:
    def posts(self, source, *facts):
        template = small(post__txt=source)
        (one,) = render(template, brief_for(HOLDING, channels=(Channel.SOCIAL,), facts=sheet(list(facts))))
        return one.posts

    def test_a_line_of_dashes_begins_the_next(self):
        assert self.posts("One --- still one.\n---\nTwo.\n --- \n\n---  \nThree.\n") == (
            "One --- still one.",
            "Two.\n ---",
            "Three.",
        )

    def test_a_later_post_without_facts_is_left_out(self):
        assert self.posts("One.\n---\n{% if problem %}{{ problem }}{% endif %}\n---\nThree.") == ("One.", "Three.")

    def test_the_first_must_say_something(self):
        with pytest.raises(TemplateError, match="comes out empty"):
            self.posts("{% if problem %}x{% endif %}\n---\nTwo.")

    def test_a_thread_has_an_end(self):
        with pytest.raises(TemplateError, match="makes 26 posts"):
            self.posts("\n---\n".join("x" * 26))


def test_blank_lines_are_tidied():
    assert text_of("  a  \n\n\n\n b \n") == "a\n\n b"


class TestLocales:
    def test_each_locale_is_its_own_rendition(self):
        made = compose(HOLDING, brief_for(HOLDING, locales=("en", "fr")))
        texts = {one.locale: one.parts["text"] for one in made.renditions if one.channel is Channel.SMS}
        assert "We are sorry" in texts["en"]
        assert "Nous nous excusons" in texts["fr"]
        assert made.fallbacks == ()

    def test_the_html_names_its_language_and_direction(self):
        made = compose(HOLDING, brief_for(HOLDING, locales=("fr",)))
        html = next(one.parts["html"] for one in made.renditions if one.channel is Channel.EMAIL)
        assert '<html lang="fr" dir="ltr"' in html

    def test_a_missing_locale_falls_back_whole_and_visibly(self):
        made = compose(HOLDING, brief_for(HOLDING, locales=("de",), channels=(Channel.EMAIL,)))
        (mail,) = made.renditions
        assert mail.locale == "de"
        assert "We are sorry" in mail.parts["text"]
        assert '<html lang="en"' in mail.parts["html"]
        assert ("email", "de", "en") in made.fallbacks

    def test_one_missing_part_takes_the_whole_message_back(self):
        sources = {name: text for name, text in HOLDING.sources.items() if name != "email.subject.fr.txt"}
        template = dataclasses.replace(HOLDING, sources=sources)
        made = compose(template, brief_for(HOLDING, locales=("fr",)))
        mail = next(one for one in made.renditions if one.channel is Channel.EMAIL)
        sms = next(one for one in made.renditions if one.channel is Channel.SMS)
        assert "We are sorry" in mail.parts["text"]
        assert "Nous nous excusons" in sms.parts["text"]
        assert made.fallbacks == (("email", "fr", "en"),)

    def test_a_region_reads_its_language(self):
        made = compose(HOLDING, brief_for(HOLDING, locales=("fr-CA",), channels=(Channel.SMS,)))
        assert "Nous nous excusons" in made.renditions[0].parts["text"]
        assert made.fallbacks == ()

    def test_texts_of_the_organisation_fall_back(self):
        assert STORES.said(STORES.never_ask, "fr-CA").startswith("Nous ne vous")
        assert STORES.said(STORES.never_ask, "de").startswith("We will never")
        assert STORES.said({}, "de") == ""


class TestVariants:
    def test_a_variant_has_its_own_words_where_it_has_any(self):
        template = small(sms__txt="Dear customer", **{"sms+staff__txt": "Dear colleague"})
        made = render(template, brief_for(HOLDING, channels=(Channel.SMS,), facts={}, variants=("", "staff", "other")))
        assert {one.variant: one.parts["text"] for one in made} == {
            "": "Dear customer", "staff": "Dear colleague",
        }  # fmt: skip


class TestDrill:
    def test_everything_begins_with_the_mark(self):
        made = compose(HOLDING, brief_for(HOLDING, mode=Mode.DRILL))
        texts = [text for one in made.renditions for name, text in one.parts.items() if name != "html"]
        assert all(text.lstrip("[").startswith("EXERCISE") for text in texts)
        assert all(document.text.startswith("EXERCISE") for document in made.documents)

    def test_the_mail_shows_it_first_and_last(self):
        made = render(HOLDING, brief_for(HOLDING, mode=Mode.DRILL, channels=(Channel.EMAIL,)))
        html = made[0].parts["html"]
        body = html[html.index("<body") :]
        assert re.match(r"<body[^>]*><div[^>]*><strong>EXERCISE</strong>", body)
        assert body.count("<strong>EXERCISE</strong>") == 2
        assert made[0].parts["text"].startswith("EXERCISE. ")
        assert made[0].parts["text"].rstrip().endswith("Nothing of this has happened.")

    def test_in_the_language_of_the_text(self):
        made = compose(HOLDING, brief_for(HOLDING, mode=Mode.DRILL, locales=("fr", "de"), channels=(Channel.SMS,)))
        assert [one.parts["text"].split(":")[0] for one in made.renditions] == ["EXERCICE", "EXERCISE"]

    def test_a_letter_is_marked_too(self):
        template = catalogue().get("data-breach")
        made = compose(template, brief_for(template, mode=Mode.DRILL))
        letter = next(document.text for document in made.documents if document.name == "letter")
        assert letter.count("<strong>EXERCISE</strong>") == 2

    def test_a_live_message_has_none(self):
        made = compose(HOLDING, brief_for(HOLDING))
        assert not any("EXERCISE" in text for one in made.renditions for text in one.parts.values())


class TestFacts:
    def test_a_missing_fact_is_named(self):
        with pytest.raises(TemplateError, match="5 required facts are missing"):
            compose(HOLDING, brief_for(HOLDING, facts={}))

    @pytest.mark.parametrize("state", [FactState.UNKNOWN, FactState.RETRACTED])
    def test_what_is_unknown_or_taken_back_is_not_said(self, state):
        assert text_of("{{ problem if problem else 'silence' }}", dataclasses.replace(LINE, state=state)) == "silence"

    def test_a_fact_of_another_kind_is_read_again(self):
        assert text_of("{{ story }}", Fact("story", FactKind.LINE, "One.")) == "One."
        with pytest.raises(TemplateError, match="The fact since is no date and time"):
            text_of("{{ since }}", Fact("since", FactKind.LINE, "just now"))

    def test_facts_that_no_part_asks_for_are_left_alone(self):
        assert text_of("Hello.", Fact("strange", FactKind.LINE, "x")) == "Hello."


def test_a_channel_without_a_part_is_refused():
    with pytest.raises(TemplateError, match="has no part for chat"):
        compose(HOLDING, brief_for(HOLDING, channels=(Channel.CHAT,)))


@pytest.mark.parametrize(
    "change",
    [{"nonce": "short"}, {"nonce": "UPPERCASE1"}, {"locales": ()}, {"locales": ("english",)}, {"locales": ("EN",)}],
)
def test_briefs_that_make_no_sense(change):
    with pytest.raises(TemplateError):
        brief_for(HOLDING, **change)


@pytest.mark.parametrize("template_id", catalogue().ids())
@pytest.mark.parametrize("mode", list(Mode))
def test_every_template_renders_with_its_example(template_id, mode):
    template = catalogue().get(template_id)
    locales = tuple(sorted(template.locales()))
    made = compose(template, brief_for(template, mode=mode, locales=locales))
    assert len(made.renditions) == len(template.channels) * len(locales)
    assert len(made.documents) == len(template.documents) * len(locales)
    assert made.fallbacks == ()


def test_all_channels_are_known_to_the_sample():
    assert set(ALL_CHANNELS) == set(HOLDING.channels)
    assert isinstance(brief_for(HOLDING), Brief)
