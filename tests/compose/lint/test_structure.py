"""Rules about the broadcast as a whole: promises, links, lengths, breach notices, agreement between its texts."""

import dataclasses
from datetime import timedelta

import pytest

from dispatcher.compose.lint.checking import blocks, lint, rules
from dispatcher.compose.lint.rules import RULES, Weight, rule
from dispatcher.compose.rendering import Composed, compose
from dispatcher.model.fact import Fact, FactKind, FactSpec
from dispatcher.model.kinds import FactState, Mode, Purpose, Severity
from dispatcher.model.person import Level
from dispatcher.model.template import Profile
from tests.compose.lint.bench import HOLDING, document, found, mail, matrix, page_of, posts, services, sms
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
        one, *_ = RULES["L23"].findings(_case_of(sms("first\nit’s")))
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


def _case_of(*made, **more):
    from tests.compose.lint.bench import case

    return case(*made, **more)


class TestBreach:
    FULL = (
        matrix(("name", "taken", "confirmed"), ("payment_full", "not_taken", "confirmed")),
        Fact("consequences", FactKind.LIST, ["Somebody may pretend to be us."]),
        Fact("measures", FactKind.LIST, ["We closed the way in."]),
        Fact("steps", FactKind.STEPS, ["Choose a new password."]),
    )
    TEXT = "Write to privacy@example.com."

    @pytest.mark.parametrize("rule", ["L09", "L10", "L11", "L12", "L13", "L14"])
    def test_a_whole_notice_passes(self, rule):
        made = mail(self.TEXT, html=page_of(f"<p>{self.TEXT}</p>"))
        assert found(rule, made, profile=Profile.BREACH, facts=self.FULL) == []

    @pytest.mark.parametrize(
        ("rule", "lost"), [("L10", "data"), ("L11", "consequences"), ("L12", "measures"), ("L12", "steps")]
    )
    def test_each_duty(self, rule, lost):
        facts = [fact for fact in self.FULL if fact.name != lost]
        assert found(rule, mail(self.TEXT), profile=Profile.BREACH, facts=facts)
        assert found(rule, mail(self.TEXT), profile=Profile.UPDATE, facts=facts) == []

    def test_a_contact_in_every_part(self):
        assert found("L09", mail(self.TEXT, html=page_of("<p>Call somebody.</p>")), profile=Profile.BREACH)

    @pytest.mark.parametrize("state", ["believed", "unknown"])
    def test_not_taken_must_be_confirmed(self, state):
        facts = [matrix(("name", "taken", "confirmed"), ("payment_full", "not_taken", state))]
        assert found("L10", mail(self.TEXT), profile=Profile.BREACH, facts=facts) == [("block", "payment_full")]

    def test_nothing_taken_is_no_breach_notice(self):
        facts = [matrix(("name", "not_taken", "confirmed"))]
        assert found("L10", mail(self.TEXT), profile=Profile.BREACH, facts=facts)

    @pytest.mark.parametrize("text", ["Here is a voucher for you.", "Sign up for our newsletter.", "Get 10% off."])
    def test_promotion(self, text):
        assert found("L13", mail(text), profile=Profile.BREACH)

    def test_only_a_post_is_not_enough(self):
        assert found("L14", posts("We lost data."), profile=Profile.BREACH)
        assert found("L14", posts("We lost data."), mail(self.TEXT), profile=Profile.BREACH) == []

    def test_a_promotional_broadcast_may_promote(self):
        assert found("L39", mail("Get 10% off."), purpose=Purpose.PROMOTIONAL) == []

    def test_lawyers_may_let_attribution_pass(self):
        legal = dataclasses.replace(HOLDING, approvals=(Level.LEGAL,))
        assert found("L37", mail("They asked for a ransom."), template=legal) == []


class TestApology:
    @pytest.mark.parametrize(
        ("text", "missing"),
        [("We are sorry.", 2), ("We are responsible, and we are sorry.", 1), ("We are sorry. We will refund you.", 1)],
    )
    def test_half_of_one(self, text, missing):
        assert len(found("L32", mail(text), profile=Profile.APOLOGY)) == missing

    @pytest.mark.parametrize(
        "text",
        [
            "You rely on us and we let you down. We have refunded every delivery charge.",
            "This was our fault. We will replace what did not arrive.",
            "We take full responsibility. Here is how we are putting it right.",
        ],
    )
    def test_a_whole_one(self, text):
        assert found("L32", mail(text), profile=Profile.APOLOGY) == []

    def test_only_apologies_are_asked_for_one(self):
        assert found("L32", mail("We are sorry."), profile=Profile.UPDATE) == []


class TestPlain:
    HARD = (
        "Notwithstanding considerable organisational preparation, unauthorised individuals subsequently obtained "
        "administrative authorisation. Comprehensive investigation activities necessitate additional collaboration "
        "alongside independent specialists. Individuals experiencing difficulties accessing telecommunications should "
        "immediately consider alternative communication opportunities available internationally, notwithstanding "
        "associated expenditure. Organisational representatives continuously evaluate supplementary possibilities "
        "regarding authentication, authorisation, communication, documentation, administration and implementation. "
    )
    EASY = "We cannot take orders on our site. We know that this is hard for you. We will write as we learn more. " * 5

    def test_reading_level(self):
        assert found("L29", mail(self.HARD * 2))
        assert found("L29", mail(self.EASY)) == []

    def test_the_level_of_known_texts(self):
        from dispatcher.compose.lint.plain import grade

        case = _case_of(mail("The cat sat on the mat. The dog ran to the red door. " * 8))
        text = next(p for p in case.passages if p.part == "text")
        assert -2 < grade(text) < 2

    def test_a_short_text_is_not_judged(self):
        assert found("L29", mail("Organisational representatives deliberate.")) == []

    @pytest.mark.parametrize("size", [26, 30, 60])
    def test_long_sentences(self, size):
        assert found("L30", mail("We " + "really " * (size - 2) + "care."))

    @pytest.mark.parametrize(
        "text", ["We " + "really " * 23 + "care.", "Short. Very short. Done.", "word " * 24 + "end."]
    )
    def test_sentences_that_are_short_enough(self, text):
        assert found("L30", mail(text)) == []

    def test_long_paragraphs(self):
        assert found("L30", mail("One here. Two here. Three here. Four here. Five here."))
        assert found("L30", mail("One here. Two here. Three here.\n\nFour here. Five here.")) == []


class TestAgreement:
    @pytest.mark.parametrize(
        ("text", "html"),
        [
            ("It began at 17:40 GMT.", "It began at 17:45 GMT."),
            ("214 people", "241 people"),
            ("On 3 May.", "On 4 May."),
        ],
    )
    def test_text_against_html(self, text, html):
        assert found("L28", mail(text, html=page_of(f"<p>{html}</p>")))

    @pytest.mark.parametrize("text", ["It began at 17:40 GMT.", "6,500,000 people", "On 3 May 2026, 12 stores."])
    def test_the_same_in_both(self, text):
        assert found("L28", mail(text, html=page_of(f"<p>{text}</p>"))) == []

    def test_a_numbered_list_counts_nothing(self):
        assert found("L28", mail("1. Wait.\n2. Call.", html=page_of("<ol><li>Wait.</li><li>Call.</li></ol>"))) == []

    def test_one_language_against_the_other(self):
        english, wrong = mail("At 17:40 GMT 6,500 people."), mail("À 17 h 40 GMT, 650 personnes.", locale="fr")
        right = mail("À 17 h 40 GMT, 6 500 personnes.", locale="fr")
        assert found("L28", english, wrong, locales=("en", "fr"))
        assert found("L28", english, right, locales=("en", "fr")) == []

    def test_a_glitch_is_no_attack(self):
        assert found("L28", mail("A technical glitch stopped orders."), sms("We had a cyber incident."))
        assert found("L28", mail("A technical problem stopped orders."), sms("Orders stopped.")) == []

    @pytest.mark.parametrize(
        "text", ["Everything is working again.", "We are back to normal.", "All our services are back."]
    )
    def test_a_false_all_clear(self, text):
        assert found("L36", mail(text), facts=[services(stores="operational", orders="down")])
        assert found("L36", mail(text), facts=[services(stores="operational")]) == []

    @pytest.mark.parametrize("profile", [Profile.APOLOGY, Profile.CLOSING])
    def test_a_last_word_while_something_is_down(self, profile):
        said = [services(stores="operational", orders="degraded")]
        assert found("L36", mail("We are sorry."), profile=profile, facts=said) == [("block", "orders")]

    @pytest.mark.parametrize("text", ["We are not back to normal.", "Stores are working.", "Orders are back."])
    def test_a_partial_all_clear(self, text):
        assert found("L36", mail(text), facts=[services(orders="degraded")]) == []


class TestForm:
    def test_language_of_the_mail(self):
        assert found("L44", mail("x", html="<html><body>Hi</body></html>"))
        assert found("L44", mail("x", html=page_of("Bonjour", lang="fr")))
        assert found("L44", mail("x", html=page_of("Hi", lang="en-GB"))) == []

    def test_pictures_need_words(self):
        assert found("L44", mail("x", html=page_of('<img src="a.png">')))
        assert found("L44", mail("x", html=page_of('<img src="a.png" alt=""><img src="b.png" alt="Map">'))) == []


class TestDrill:
    @pytest.mark.parametrize("made", [mail("Down.", subject="Down"), sms("Example Stores: down."), posts("Down.")])
    def test_a_drill_without_its_mark(self, made):
        assert found("L40", made, mode=Mode.DRILL)
        assert found("L40", made, mode=Mode.LIVE) == []

    @pytest.mark.parametrize("text", ["EXERCISE: down.", "[EXERCISE] Down", "EXERCISE. This is an exercise."])
    def test_a_live_message_with_it(self, text):
        assert found("L40", sms(text), mode=Mode.LIVE)
        assert found("L40", sms(text), mode=Mode.DRILL) == []

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
        case = _case_of(mail("A fire."), facts=[fact])
        sure = dataclasses.replace(
            case.template, facts=(FactSpec("cause", FactKind.LINE, required=True, confirmed=True),)
        )
        (finding,) = RULES["L43"].findings(dataclasses.replace(case, template=sure))
        assert finding.weight is Weight.BLOCK

    def test_facts_without_translation(self):
        english, french = Fact("cause", FactKind.LINE, "A fire."), Fact("cause", FactKind.LINE, "Un feu.", locale="fr")
        text = mail("Un feu.", locale="fr")
        assert found("L42", text, facts=[english]) == [("warn", "cause")]
        assert found("L42", text, facts=[english, french]) == []
        assert found("L42", text, facts=[Fact("n", FactKind.NUMBER, 3)]) == []
        assert found("L42", text, facts=[matrix(("name", "taken", "confirmed"))]) == []
        assert found("L42", text, facts=[matrix(("shoe size", "taken", "confirmed"))])

    def test_a_missing_language_is_named(self):
        made = mail("Hello.", locale="fr")
        case = _case_of(made)
        fallen = dataclasses.replace(case.composed, fallbacks=(("email", "fr", "en"),))
        (finding,) = RULES["L41"].findings(dataclasses.replace(case, composed=fallen))
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
