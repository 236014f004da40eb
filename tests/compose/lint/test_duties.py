"""Rules about duties and about one truth: breach notices, apologies, readable text, agreement between the texts."""

import dataclasses

import pytest

from dispatcher.compose.lint.plain import grade
from dispatcher.model.fact import Fact, FactKind
from dispatcher.model.kinds import Purpose
from dispatcher.model.person import Level
from dispatcher.model.template import Profile
from tests.compose.lint.bench import HOLDING, case, document, found, mail, matrix, page_of, posts, services, sms


class TestBreach:
    FULL = (
        matrix(("name", "taken", "confirmed"), ("payment_full", "not_taken", "confirmed")),
        Fact("consequences", FactKind.LIST, ["Somebody may pretend to be us."]),
        Fact("measures", FactKind.LIST, ["We closed the way in."]),
        Fact("steps", FactKind.STEPS, ["Choose a new password."]),
    )
    TEXT = "Write to privacy@example.com."
    SAID = f"Somebody may pretend to be us.\n- We closed the way in\n1. Choose a new password.\n{TEXT}"

    @pytest.mark.parametrize("rule", ["L09", "L10", "L11", "L12", "L13", "L14"])
    def test_a_whole_notice_passes(self, rule):
        made = mail(self.SAID, html=page_of("".join(f"<p>{line}</p>" for line in self.SAID.splitlines())))
        assert found(rule, made, profile=Profile.BREACH, facts=self.FULL) == []

    @pytest.mark.parametrize(("rule", "missing"), [("L11", 1), ("L12", 2)])
    def test_a_fact_that_is_given_and_not_printed_tells_nobody(self, rule, missing):
        silent = found(rule, mail(self.TEXT), profile=Profile.BREACH, facts=self.FULL)
        assert silent == [("block", "")] * missing
        letter = document("letter", page_of(f"<p>{self.TEXT}</p>"), "html")
        assert len(found(rule, mail(self.SAID), letter, profile=Profile.BREACH, facts=self.FULL)) == missing

    @pytest.mark.parametrize(
        "text",
        [
            "Criminals could try to guess where you live. We have shut the page. Never give your code to a caller.",
            "You may receive more scam calls.\nOur engineers have revoked every key.\nPlease check your accounts.",
            "There is a risk of identity theft.\nAll servers were isolated.\nYou should tell your bank.",
        ],
    )
    def test_a_template_may_say_it_in_words_of_its_own(self, text):
        for rule in ("L11", "L12"):
            assert found(rule, mail(text), profile=Profile.BREACH, facts=self.FULL[:1]) == []
            assert found(rule, mail(text), profile=Profile.BREACH, facts=self.FULL) == []

    @pytest.mark.parametrize(
        "text",
        [
            "What this could mean for you\nWhat we are doing\nWhat you can do",
            "It cannot lead to fraud. We have not closed it yet. You do not have to change your password.",
            "We are sorry. We told the regulator. Please contact us with questions.",
        ],
    )
    def test_headings_denials_and_courtesies_say_nothing(self, text):
        assert found("L11", mail(text), profile=Profile.BREACH, facts=self.FULL)
        assert len(found("L12", mail(text), profile=Profile.BREACH, facts=self.FULL)) == 2

    def test_a_fact_of_another_language_is_no_words_for_its_readers(self):
        english = mail("Somebody may pretend to be us.", locale="fr")
        french = Fact("consequences", FactKind.LIST, ["On peut se faire passer pour nous."], locale="fr")
        facts = [*self.FULL, french]
        assert found("L11", english, profile=Profile.BREACH, facts=facts, locales=("fr",))
        told = mail("On peut se faire passer pour nous.", locale="fr")
        assert found("L11", told, profile=Profile.BREACH, facts=facts, locales=("fr",)) == []

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

    US = (
        "Notice of Data Breach\n\nWhat Happened\nx\nWhat Information Was Involved\nx\nWhat We Are Doing\nx\n"
        "What You Can Do\nx"
    )

    def test_the_californian_form(self):
        whole = f"{self.US}\nFor More Information\nx"
        assert found("L15", mail(whole), profile=Profile.BREACH_US) == []
        assert found("L15", mail(self.US), profile=Profile.BREACH_US) == [("block", "For More Information")]
        assert found("L15", mail(self.US), profile=Profile.BREACH) == []
        lines = whole.split("\n")
        swapped = "\n".join([lines[0], *lines[4:], *lines[2:4]])
        assert found("L15", mail(swapped), profile=Profile.BREACH_US) == [("block", "")]

    @pytest.mark.parametrize(("size", "fits"), [("12pt", True), ("10pt", True), ("9.5pt", False), ("8pt", False)])
    def test_the_californian_letter(self, size, fits):
        body = self.US.replace("\n", "<br>") + "<br>For More Information"
        letter = document(
            "letter", f"<html><style>p {{ font: {size}/1.5 Arial }}</style><body>{body}</body></html>", "html"
        )
        assert (found("L15", mail(f"{self.US}\nFor More Information"), letter, profile=Profile.BREACH_US) == []) is fits

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
        made = case(mail("The cat sat on the mat. The dog ran to the red door. " * 8))
        text = next(p for p in made.passages if p.part == "text")
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
