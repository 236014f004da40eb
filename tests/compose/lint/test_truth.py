"""One truth: numbers however they are written, claims against the fact sheet, promises against the cadence, and an
update that says something new."""

from datetime import timedelta

import pytest

from dispatcher.compose.brief import Said
from dispatcher.model.kinds import Channel
from dispatcher.model.template import Profile
from tests.compose.lint.bench import found, mail, matrix, page_of, posts, services, sms
from tests.compose.sample import NEXT, NOW

PROMISE = "Next update by 20:00 GMT on 20 November."


class TestNumbers:
    @pytest.mark.parametrize(
        ("text", "html"),
        [
            ("Six stores are closed.", "Seven stores are closed."),
            ("Two hundred and fourteen people.", "241 people."),
            ("6.5 million members.", "5.6 million members."),
            ("It began on 4 May.", "It began on 4 June."),
            ("Orders of 4 May.", "Orders of May 5."),
            ("Twenty-four hours.", "Forty-two hours."),
        ],
    )
    def test_must_fail(self, text, html):
        assert found("L28", mail(text, html=page_of(f"<p>{html}</p>")))

    @pytest.mark.parametrize(
        ("text", "html"),
        [
            ("Six stores are closed.", "6 stores are closed."),
            ("Two hundred and fourteen people.", "214 people."),
            ("6.5 million members.", "6,500,000 members."),
            ("It began on 4 May 2026.", "It began on May 4, 2026."),
            ("One store is closed.", "A store is closed."),
            ("Three thousand five hundred orders.", "3,500 or<b>ders</b>."),
        ],
    )
    def test_must_pass(self, text, html):
        assert found("L28", mail(text, html=page_of(f"<p>{html}</p>"))) == []

    @pytest.mark.parametrize(
        ("english", "french", "fails"),
        [
            ("On 4 May, 214 people.", "Le 4 mai, deux cent quatorze personnes.", False),
            ("On 4 May, 214 people.", "Le 4 mai, deux cent quarante personnes.", True),
            ("On 4 May.", "Le 4 juin.", True),
            ("6.5 million members.", "6,5 millions de membres.", False),
            ("Both stores are closed.", "Les deux magasins sont fermés.", False),
            ("97 stores.", "Quatre-vingt-dix-sept magasins.", False),
            ("71 stores, 20 per cent.", "Soixante et onze magasins, vingt pour cent.", False),
            ("Eighty stores.", "Quatre-vingts magasins.", False),
        ],
    )
    def test_across_languages(self, english, french, fails):
        assert bool(found("L28", mail(english), mail(french, locale="fr"), locales=("en", "fr"))) is fails


class TestData:
    SHEET = (
        matrix(
            ("name", "taken", "confirmed"), ("payment_full", "not_taken", "confirmed"),
            ("password_hash", "checking", "unknown"), ("health", "not_taken", "believed"),
        ),
    )  # fmt: skip

    @pytest.mark.parametrize(
        "text",
        [
            "Your card details were taken.",
            "Your password was not taken.",
            "The criminals copied payment details of customers.",
            "Your name has not been taken.",
            "No health records were accessed.",
            'A manager said: "Passwords were stolen."',
        ],
    )
    def test_must_fail(self, text):
        assert found("L28", mail(text), profile=Profile.BREACH, facts=self.SHEET)

    @pytest.mark.parametrize(
        "text",
        [
            "Your name was taken.",
            "Your card details were not taken.",
            "We do not know yet whether passwords were taken.",
            "We are still checking if your password was copied.",
            "Please choose a new password.",
            "Nobody took your card details.",
        ],
    )
    def test_must_pass(self, text):
        assert found("L28", mail(text), profile=Profile.BREACH, facts=self.SHEET) == []

    def test_a_word_cut_by_markup(self):
        html = page_of("<p>Your card de<b>tails</b> were <i>taken</i>.</p>")
        assert found("L28", mail("x", html=html), profile=Profile.BREACH, facts=self.SHEET)

    @pytest.mark.parametrize(
        ("text", "fails"),
        [
            ("Vos mots de passe ont été volés.", True),
            ("Vos noms n'ont pas été volés.", True),
            ("Vos noms ont été volés.", False),
            ("Nous ne savons pas si vos mots de passe ont été volés.", False),
        ],
    )
    def test_french(self, text, fails):
        made = found("L28", mail(text, locale="fr"), profile=Profile.BREACH, facts=self.SHEET, locales=("fr",))
        assert bool(made) is fails


class TestServices:
    SHEET = (services(**{"click and collect": "down", "stores": "operational"}),)

    @pytest.mark.parametrize(
        "text",
        [
            "Click and collect is back.",
            "Click and collect works again.",
            "Our stores are closed.",
            "The stores are still down.",
            'A colleague wrote: "Click and collect is now available."',
        ],
    )
    def test_must_fail(self, text):
        assert found("L28", sms(text), facts=self.SHEET)

    @pytest.mark.parametrize(
        "text",
        [
            "Click and collect is not back.",
            "Click and collect is down. Our stores are open.",
            "We will write again when click and collect is back.",
            "We aim to say more once click and collect is working.",
            "Gift cards are back.",
            "Until Monday our stores are closed at night.",
        ],
    )
    def test_must_pass(self, text):
        assert found("L28", sms(text), facts=self.SHEET) == []

    def test_two_states_by_region_are_left_to_the_reader(self):
        rows = [services(orders="down"), services(Orders="operational")]
        assert found("L28", sms("Orders is back."), facts=[rows[0]])
        both = services(orders="down", Orders="operational")
        assert found("L28", sms("Orders is back."), facts=[both]) == []


class TestCadence:
    @pytest.mark.parametrize("late", [timedelta(minutes=2), timedelta(hours=1), timedelta(days=3)])
    def test_later_than_the_cadence_allows(self, late):
        made = found("L03", mail(PROMISE), next_update_at=NEXT, latest_update_at=NEXT - late)
        assert [weight for weight, _ in made] == ["block"]

    @pytest.mark.parametrize("early", [timedelta(0), timedelta(minutes=30), timedelta(days=1)])
    def test_within_the_cadence(self, early):
        assert found("L03", mail(PROMISE), next_update_at=NEXT, latest_update_at=NEXT + early) == []

    def test_where_only_a_change_is_told_there_is_no_limit(self):
        assert found("L03", mail(PROMISE), next_update_at=NOW + timedelta(days=6), latest_update_at=None) == []

    def test_a_closed_incident_promises_nothing(self):
        late = {"next_update_at": NEXT, "latest_update_at": NOW}
        assert found("L03", mail(PROMISE), profile=Profile.CLOSING, **late) == []


def told(text, channel=Channel.SMS, locale="en"):
    return (Said(channel, locale, "", text),)


class TestNothingNew:
    OLD = "Example Stores: orders are down. We work on it. Next update by 20:00 GMT on 20 November. Code KM47QX"

    @pytest.mark.parametrize(
        "text",
        [
            OLD,
            "Example Stores: orders are down. We work on it. Next update by 21:30 GMT on 21 November. Code BCDFGHJ",
            "Example Stores: orders are down.  We work on it.",
        ],
    )
    def test_must_fail(self, text):
        assert [w for w, _ in found("L40", sms(text), previous=told(self.OLD))] == ["block"]

    @pytest.mark.parametrize(
        "text",
        [
            "Example Stores: orders are down. We have found the cause. Next update by 21:30 GMT on 20 November.",
            "Example Stores: orders are back in Wales. We work on the rest. Next update by 21:30 GMT.",
            "Example Stores: no orders are down. We work on it.",
        ],
    )
    def test_must_pass(self, text):
        assert found("L40", sms(text), previous=told(self.OLD)) == []

    def test_other_readers_and_other_messages_are_not_compared(self):
        assert found("L40", sms(self.OLD), previous=told(self.OLD, locale="fr")) == []
        assert found("L40", sms(self.OLD), previous=told(self.OLD, channel=Channel.EMAIL)) == []
        assert found("L40", sms(self.OLD), previous=told(self.OLD), profile=Profile.WARNING) == []
        assert found("L40", sms(self.OLD)) == []

    def test_in_french_and_in_a_thread(self):
        old = "Les commandes sont en panne. Prochain point à 20 h 00 GMT, vendredi 20 novembre."
        new = "Les commandes sont en panne. Prochain point à 21 h 30 GMT, samedi 21 novembre."
        assert found("L40", sms(new, locale="fr"), previous=told(old, locale="fr"))
        thread = told("Down.\n\nCheck us at example.com.", channel=Channel.SOCIAL)
        assert found("L40", posts("Down.", "Check us at example.com."), previous=thread)
        assert found("L40", posts("Back in Wales.", "Check us at example.com."), previous=thread) == []


class TestCorrection:
    @pytest.mark.parametrize(
        "text", ["We told you something wrong.", "Correction.", "In our message KM47 we were wrong."]
    )
    def test_a_correction_must_name_what_it_corrects(self, text):
        made = found("L40", mail(text), profile=Profile.CORRECTION, corrects=("BCD2345", "B-7"))
        assert [weight for weight, _ in made] == ["warn"]

    @pytest.mark.parametrize("text", ["In our message BCD2345 we were wrong.", "B-7 was wrong.", "see bcd2345"])
    def test_one_that_does(self, text):
        assert found("L40", mail(text), profile=Profile.CORRECTION, corrects=("BCD2345", "B-7")) == []
