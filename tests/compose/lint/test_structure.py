"""Rules about the broadcast as a whole: promises, links, lengths, breach notices, agreement between its texts."""

import dataclasses
from datetime import timedelta

import pytest

from dispatcher.compose.lint.checking import blocks, lint, rules
from dispatcher.compose.lint.rules import RULES, Weight, rule
from dispatcher.compose.rendering import Composed, compose
from dispatcher.model.fact import Fact, FactKind, FactSpec
from dispatcher.model.kinds import FactState, Mode, Purpose, Severity
from dispatcher.model.template import Profile
from tests.compose.lint.bench import HOLDING, case, document, found, mail, matrix, page_of, posts, sms
from tests.compose.sample import NEXT, NOW, STORES, brief_for

PROMISE = "Next update by 20:00 GMT on 20 November."


class TestNextUpdate:
    def test_without_a_promise(self):
        assert found("L02", mail(PROMISE), next_update_at=None)

    @pytest.mark.parametrize(
        "silent", [mail("We are working on it."), sms("Example Stores: it is down."), posts("Down.")]
    )
    def test_each_channel_must_tell_it(self, silent):
        assert found("L02", silent)

    def test_another_time_is_not_the_promise(self):
        assert found("L02", sms("Example Stores: next update by 21:00 GMT."))

    def test_where_it_is_told(self):
        assert found("L02", mail(PROMISE), sms(PROMISE), posts("Down.", PROMISE)) == []

    def test_in_summer_time_of_the_organisation(self):
        summer = {"as_of": NOW.replace(month=7), "next_update_at": NEXT.replace(month=7)}
        assert found("L02", sms("Next update by 21:00 BST."), **summer) == []

    @pytest.mark.parametrize("profile", [Profile.APOLOGY, Profile.CLOSING, Profile.WARNING])
    def test_no_promise_where_it_is_over(self, profile):
        assert found("L02", mail("It is over."), profile=profile, next_update_at=None) == []

    def test_a_breach_promises_while_it_still_checks(self):
        checking = matrix(("name", "taken", "confirmed"), ("health", "checking", "unknown"))
        done = matrix(("name", "taken", "confirmed"))
        text = mail("Notice.")
        assert found("L02", text, profile=Profile.BREACH, facts=[checking], next_update_at=None)
        assert found("L02", text, profile=Profile.BREACH, facts=[done], next_update_at=None) == []

    @pytest.mark.parametrize("away", [timedelta(0), timedelta(minutes=-5), timedelta(days=8)])
    def test_times_that_cannot_be_kept(self, away):
        assert found("L03", mail(PROMISE), next_update_at=NOW + away)

    @pytest.mark.parametrize("profile", [Profile.CORRECTION, Profile.BREACH])
    def test_what_need_not_promise_tells_no_time_that_has_passed_either(self, profile):
        past, ahead = ({"next_update_at": NOW + timedelta(hours=h)} for h in (-8, 8))
        assert found("L03", mail(PROMISE), profile=profile, **past)
        assert found("L03", mail(PROMISE), profile=profile, **ahead) == []
        assert found("L03", mail(PROMISE), profile=profile, next_update_at=None) == []

    @pytest.mark.parametrize("away", [timedelta(minutes=5), timedelta(days=1), timedelta(days=7)])
    def test_times_that_can(self, away):
        assert found("L03", mail(PROMISE), next_update_at=NOW + away) == []


class TestZones:
    @pytest.mark.parametrize(
        "text",
        [
            "It began at 17:40.",
            "From 5pm orders failed.",
            "Back at 14:20 PDT.",
            "At 9.30 am we stopped.",
            "At 14.20 we stopped.",
            "Meet at 14:00 IST.",
        ],
    )
    def test_must_fail(self, text):
        assert found("L04", mail(text))

    @pytest.mark.parametrize(
        "text",
        [
            "It began at 17:40 GMT.",
            "It began at 18:40 BST (17:40 UTC) on 4 May.",
            "AWS: back at 14:20 PDT (21:20 UTC).",
            "Call us (8am to 10pm every day).",
            "Version 2.10 costs £5.20, ratio 3:1. Room 12.",
            "It was 17:40 UTC.",
            "Open Monday to Friday, 09:00 to 17:30.",
        ],
    )
    def test_must_pass(self, text):
        assert found("L04", mail(text)) == []

    def test_the_organisations_own_zone_is_known(self):
        paris = dataclasses.replace(STORES, zone="Europe/Paris")
        assert found("L04", mail("At 17:40 CET."))
        assert found("L04", mail("At 17:40 CET, or 18:40 CEST in summer."), organisation=paris) == []

    def test_french(self):
        assert found("L04", mail("À 17 h 40.", locale="fr"))
        assert found("L04", mail("À 17 h 40 GMT. Ouvert de 8 h à 22 h, tous les jours.", locale="fr")) == []


class TestLinks:
    @pytest.mark.parametrize(
        "url",
        [
            "http://example.com/help", "https://bit.ly/x", "https://192.0.2.7/a", "https://user@example.com/a",
            "https://xn--exmple-cua.com/", "https://example.com/?utm_source=mail", "https://ехample.com/",
            "https://example.com/go?url=https://example.net/",
        ],
    )  # fmt: skip
    def test_disguised(self, url):
        assert found("L17", mail("x", html=page_of(f'<a href="{url}">more</a>')))

    @pytest.mark.parametrize("url", ["https://example.com/help", "https://status.example.com", "mailto:a@example.com"])
    def test_open(self, url):
        html = page_of(f'<a href="{url}">more</a>')
        assert [found(rule, mail("x", html=html)) for rule in ("L17", "L18", "L19")] == [[], [], []]

    @pytest.mark.parametrize(
        "text", ["See https://example.net/a.", "See example-stores.co.uk", "https://example.com.evil.org/"]
    )
    def test_strange_hosts(self, text):
        assert found("L18", mail(text))

    @pytest.mark.parametrize(
        "text", ["See https://example.com/a.", "Type status.example.com", "https://ico.org.uk/make-a-complaint"]
    )
    def test_hosts_of_ours_and_of_authorities(self, text):
        assert found("L18", mail(text)) == []

    @pytest.mark.parametrize(
        "text",
        [
            "Write to press@evil.example.net.",
            "Questions: help@stores.example.org",
            "Schreiben Sie an hilfe@example.com.evil.example.org!",
            "Write to help@exаmple.com.",  # the second a is Cyrillic
            "Write to help (at) example (dot) net.",
            "We could not reach you, so please write to help@example.net.",
            'Our director said: "Write to help@example.net."',
            "If it is not clear, ask care@example.net; we answer within the day.",
        ],
    )
    def test_strange_mail_addresses(self, text):
        assert {weight for weight, _ in found("L18", mail(text))} == {"block"}
        assert found("L18", sms(text))

    def test_a_strange_mail_address_behind_a_link_or_cut_by_markup(self):
        assert found("L18", mail("x", html=page_of('<a href="mailto:Help@Example.net?subject=a">write</a>')))
        assert found("L18", mail("x", html=page_of("<p>Write to press@exa<b>mple.net</b>.</p>"))) == [
            ("block", "press@example.net")
        ]
        assert found("L18", mail("Écrivez à presse@example.net.", locale="fr"), locales=("fr",))

    @pytest.mark.parametrize(
        "text",
        [
            "Write to press@example.com.",
            "Write to help@care.example.com, or to REPORT@phishing.gov.uk.",
            "Follow @examplestores on X, or buy 3 @ 2.50 each.",
            "We never write from help@example.net.",
            "Please do not answer messages from help@example.net.",
            "Never send money to an address such as refunds@example.net.",
            "refunds@example.net is not ours.",
            "Fake mails come from refunds@example.net.",
            "Somebody who claims to be us writes from refunds@example.net.",
        ],
    )
    def test_mail_addresses_of_ours_and_those_we_warn_of(self, text):
        assert found("L18", mail(text)) == []

    def test_french_warnings(self):
        for text in ("Nous n'écrivons jamais de aide@example.net.", "De faux messages viennent de aide@example.net."):
            assert found("L18", mail(text, locale="fr"), locales=("fr",)) == []

    def test_addresses_that_the_fact_sheet_has_confirmed(self):
        partner = Fact("partner_mail", FactKind.EMAIL, "desk@example.net")
        assert found("L18", mail("Write to Desk@example.net."), facts=[partner]) == []
        believed = dataclasses.replace(partner, state=FactState.BELIEVED)
        assert found("L18", mail("Write to desk@example.net."), facts=[believed])
        assert found("L18", mail("Write to other@example.net."), facts=[partner])

    @pytest.mark.parametrize("label", ["https://example.com/help", "www.example.com", "status.example.com/a"])
    def test_false_labels(self, label):
        assert found("L19", mail("x", html=page_of(f'<a href="https://example.net/a">{label}</a>')))

    @pytest.mark.parametrize("label", ["https://help.example.com/a", "our help page", "help.example.com"])
    def test_true_labels(self, label):
        assert found("L19", mail("x", html=page_of(f'<a href="https://help.example.com/b">{label}</a>'))) == []

    @pytest.mark.parametrize("path", ["/login", "/account/reset?token=1", "/signin", "/password/new"])
    def test_doors_in_a_breach_notice(self, path):
        text = mail(f"Go to https://example.com{path}")
        assert found("L16", text, profile=Profile.BREACH)
        assert found("L16", text, profile=Profile.UPDATE) == []

    @pytest.mark.parametrize("path", ["/verify", "/help", "/data-breach"])
    def test_other_pages_in_a_breach_notice(self, path):
        assert found("L16", mail(f"Go to https://example.com{path}"), profile=Profile.BREACH) == []


class TestContradiction:
    @pytest.mark.parametrize(
        "texts",
        [
            ("No action is needed. You will be asked to reset your password.",),
            ("There is no need for you to take any action. Be alert to strange calls.",),
            ("You have nothing to do.", "Please check your statements."),
        ],
    )
    def test_must_fail(self, texts):
        assert found("L08", *(mail(text) for text in texts))

    @pytest.mark.parametrize(
        "text",
        [
            "No action is needed.",
            "You do not need to reset your password. There is nothing to do.",
            "Please change your password and be alert.",
        ],
    )
    def test_must_pass(self, text):
        assert found("L08", mail(text)) == []


class TestChecks:
    def test_a_message_nobody_can_check(self):
        assert (
            found("L21", mail("Hello.", html=page_of("<p>Hello.</p>")), sms("Example Stores: hello."))
            == [("warn", "")] * 3
        )

    @pytest.mark.parametrize("text", ["Type example.com/verify.", "The code is KM47QX.", "https://example.com/verify"])
    def test_one_that_can_be_checked(self, text):
        assert found("L21", mail(text), posts("No check here.")) == []

    @pytest.mark.parametrize("text", ["Online orders are down.", "We are sorry.", "x" * 70 + " Example Stores"])
    def test_a_nameless_text_message(self, text):
        assert found("L25", sms(text))

    @pytest.mark.parametrize(
        "text", ["Example Stores: down.", "EXERCISE: Example Stores: down.", "From EXAMPLE STORES"]
    )
    def test_a_text_message_with_its_name(self, text):
        assert found("L25", sms(text)) == []


class TestLengths:
    @pytest.mark.parametrize(
        ("text", "weight"), [("a" * 307, "warn"), ("a" * 460, "block"), ("é" * 0 + "ж" * 135, "warn")]
    )
    def test_long_text_messages(self, text, weight):
        assert [w for w, _ in found("L22", sms(text))] == [weight]

    @pytest.mark.parametrize("text", ["a" * 160, "a" * 306, "ж" * 134])
    def test_text_messages_that_fit(self, text):
        assert found("L22", sms(text)) == []

    @pytest.mark.parametrize(("text", "char"), [("It’s down", "’"), ("Sorry 🙏", "🙏"), ("Prêt", "ê")])
    def test_characters_that_cost(self, text, char):
        assert found("L23", sms(text)) == [("warn", char)]

    @pytest.mark.parametrize("text", ["It's down", "Nous sommes désolés à 5 €", "Мы работаем над этим"])
    def test_characters_that_do_not(self, text):
        assert found("L23", sms(text)) == []

    def test_the_mend_names_the_plain_form(self):
        one, *_ = RULES["L23"].findings(case(sms("first\nit’s")))
        assert (one.line, one.mend) == (2, 'Write "\'".')

    @pytest.mark.parametrize("text", ["a" * 281, "字" * 141, "🙏" * 141])
    def test_posts_that_are_too_long(self, text):
        assert [w for w, _ in found("L24", posts("Fine.", text))] == ["block"]

    @pytest.mark.parametrize("text", ["a" * 275, "字" * 137, "a" * 250 + " https://example.com/" + "b" * 60])
    def test_posts_that_fit(self, text):
        assert found("L24", posts(text)) == []

    def test_a_post_that_only_just_fits_warns(self):
        assert [w for w, _ in found("L24", posts("a" * 278))] == ["warn"]

    @pytest.mark.parametrize(("size", "weight"), [(91, "warn"), (150, "warn"), (201, "block")])
    def test_long_subjects(self, size, weight):
        assert [w for w, _ in found("L45", mail("x", subject="s" * size))] == [weight]

    @pytest.mark.parametrize("size", [1, 40, 90])
    def test_short_subjects(self, size):
        assert found("L45", mail("x" * 500, subject="s" * size)) == []


class TestDrill:
    @pytest.mark.parametrize("made", [mail("Down.", subject="Down"), sms("Example Stores: down."), posts("Down.")])
    def test_a_drill_without_its_mark(self, made):
        assert found("L40", made, mode=Mode.DRILL)
        assert found("L40", made, mode=Mode.LIVE) == []

    @pytest.mark.parametrize("text", ["EXERCISE: down.", "[EXERCISE] Down", "EXERCISE. This is an exercise."])
    def test_a_live_message_with_it(self, text):
        assert found("L40", sms(text), mode=Mode.LIVE)
        assert found("L40", sms(text), mode=Mode.DRILL) == []

    def test_a_template_for_drills_stays_in_drills(self):
        drill = dataclasses.replace(HOLDING, purpose=Purpose.DRILL)
        assert found("L40", sms("Hello."), template=drill, mode=Mode.LIVE) == [("block", "holding-statement")]
        assert found("L40", sms("EXERCISE: hello."), template=drill, mode=Mode.DRILL) == []

    def test_the_mark_does_not_shout(self):
        assert found("L26", sms("EXERCISE: down."), mode=Mode.DRILL) == []

    def test_life_safety_may_press(self):
        assert found("L27", sms("Leave the building immediately."), severity=Severity.LIFE_SAFETY) == []
        assert found("L26", sms("Leave 🔥"), severity=Severity.LIFE_SAFETY)


class TestFacts:
    def test_believed_facts_are_named(self):
        fact = Fact("cause", FactKind.LINE, "A fire.", FactState.BELIEVED)
        assert found("L43", mail("A fire."), facts=[fact]) == [("warn", "cause")]
        assert found("L43", mail("A fire."), facts=[dataclasses.replace(fact, state=FactState.CONFIRMED)]) == []

    def test_believed_where_certainty_is_asked_blocks(self):
        fact = Fact("cause", FactKind.LINE, "A fire.", FactState.BELIEVED)
        made = case(mail("A fire."), facts=[fact])
        sure = dataclasses.replace(
            made.template, facts=(FactSpec("cause", FactKind.LINE, required=True, confirmed=True),)
        )
        (finding,) = RULES["L43"].findings(dataclasses.replace(made, template=sure))
        assert finding.weight is Weight.BLOCK

    def test_facts_without_translation(self):
        english, french = Fact("cause", FactKind.LINE, "A fire."), Fact("cause", FactKind.LINE, "Un feu.", locale="fr")
        text = mail("Un feu.", locale="fr")
        assert found("L42", text, facts=[english]) == [("warn", "cause")]
        assert found("L42", text, facts=[english, french]) == []
        assert found("L42", text, facts=[Fact("n", FactKind.NUMBER, 3)]) == []
        assert found("L42", text, facts=[matrix(("name", "taken", "confirmed"))]) == []
        assert found("L42", text, facts=[matrix(("shoe size", "taken", "confirmed"))])

    def test_words_of_the_organisation_without_translation(self):
        said = STORES.never_ask["en"]
        silent = dataclasses.replace(STORES, never_ask={"en": said})
        assert found("L42", mail(f"Bonjour. {said}", locale="fr"), organisation=silent) == [("warn", "never_ask")]
        assert found("L42", mail("Bonjour.", locale="fr"), organisation=silent) == []
        assert found("L42", mail(f"Bonjour. {said}", locale="fr")) == []
        assert found("L42", mail(f"Hello. {said}"), organisation=silent) == []

    def test_a_missing_language_is_named(self):
        made = mail("Hello.", locale="fr")
        made = case(made)
        fallen = dataclasses.replace(made.composed, fallbacks=(("email", "fr", "en"),))
        (finding,) = RULES["L41"].findings(dataclasses.replace(made, composed=fallen))
        assert (finding.channel, finding.locale, finding.words) == ("email", "fr", "en")


@pytest.mark.usefixtures("uncaged")
def test_findings_name_their_place_and_come_in_order():
    brief = brief_for(HOLDING)
    composed = compose(HOLDING, brief)
    first = composed.renditions[0]
    spoilt = dataclasses.replace(
        first, parts={**first.parts, "text": first.parts["text"] + "\nSome customers. {{ when }}"}
    )
    findings = lint(HOLDING, brief, Composed((spoilt, *composed.renditions[1:]), composed.documents))
    assert [(f.rule, str(f.weight)) for f in findings] == [("L01", "block"), ("L01", "block"), ("L34", "warn")]
    last = spoilt.parts["text"].count("\n") + 1
    assert [(f.channel, f.part, f.locale, f.line, f.words) for f in findings] == [
        ("email", "text", "en", last, "{{"),
        ("email", "text", "en", last, "}}"),
        ("email", "text", "en", last, "Some customers"),
    ]
    assert blocks(findings)
    assert not blocks(findings[2:])
    assert findings[0].as_dict()["mend"] == "Fill the blank or take it out."


def test_a_document_is_read_as_well():
    assert found("L34", mail("x"), document("page", "A small number of \\[orders\\].")) == [("warn", "small number of")]


def test_rules_have_ids_of_their_own():
    with pytest.raises(ValueError, match="L01"):
        rule("L01", Weight.WARN, "again", why="", mend="")(lambda case: [])
    for one in rules():
        assert one.title.endswith(".")
        assert one.why
        assert one.mend
        assert one.source
