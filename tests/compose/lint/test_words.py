"""Rules that read sentences: each on texts that must fail and on texts that must pass, in English and in French."""

import pytest

from dispatcher.compose.lint import phrases
from dispatcher.model.fact import Fact, FactKind
from dispatcher.model.template import Profile
from tests.compose.lint.bench import found, mail, page_of

BAD = {
    "L01": [
        "Hello {{ name }}, we are sorry.",
        "We expect to be back by [TIME].",
        "Online orders are down. TODO: add the workaround.",
        "Lorem ipsum dolor sit amet.",
        "Call us on XXXX.",
        "Dear *first_name*, please read this.",
        "Your order <insert number> waits.",
    ],
    "L05": [
        "We will write again tomorrow.",
        "Online orders will return shortly.",
        "The problem began on 04/05/2026.",
        "It will be fixed soon.",
        "We stopped orders last night.",
    ],
    "L06": [
        "There is no evidence at this stage that customer data has been stolen.",
        "We are not aware of any misuse.",
        "We have not found any sign that cards were used.",
        "There is no indication that passwords were taken, as of 14:00 BST on 3 May.",
        "We have no reason to believe that your account was opened. We are still checking.",
    ],
    "L07": [
        "Your data is safe.",
        "Our systems are fully secure.",
        "There is no risk to customers.",
        "This cannot happen again.",
        "Your card details remain 100% safe.",
        "You can be one hundred per cent certain. All customer accounts are protected.",
        'The chief executive said: "Your information is secure."',
    ],
    "L20": [
        "Please confirm your password.",
        "Reply with your card number and we will refund you.",
        "To get your refund, enter your bank details on the next page.",
        "We need your date of birth to find your order.",
        "Send us a photo of the card and the security code.",
        "Please text us your full PIN.",
    ],
    "L26": [
        "PLEASE READ THIS NOTICE.",
        "Orders are back!!",
        "Online orders are DOWN at the moment.",
    ],
    "L27": [
        "Act now to protect your account.",
        "Your account will be suspended.",
        "You must reply within 24 hours.",
        "Urgent: read this message.",
        "Change it immediately.",
    ],
    "L31": [
        "A threat actor got in.",
        "Data was exfiltrated.",
        "The fault is in web-frontend-prod-014.",
        "Please switch on MFA.",
        "We saw HTTP 503 errors.",
    ],
    "L33": [
        "We are sorry if you were affected.",
        "We apologise for any inconvenience caused.",
        "We regret that you feel let down.",
        "Mistakes were made.",
        "Sorry for the trouble this may have caused.",
    ],
    "L34": [
        "A small number of orders were lost.",
        "A limited amount of member data was copied.",
        "Some customers cannot log in.",
        "There was a minor fault.",
        "Only a few stores are affected.",
    ],
    "L35": [
        "Online orders will be back by Friday 3 May.",
        "Everything will be fixed within two hours.",
        "Click and collect will be available again on 4 June.",
    ],
    "L37": [
        "The attackers asked for a ransom.",
        "The hackers linked to a known gang took the files.",
        "We accept no legal liability.",
        "The share price is not affected.",
    ],
    "L39": [
        "As a thank-you, here is a voucher for your next shop.",
        "Get 20% off when you come back.",
        "Shop now while stocks last.",
        "Earn double loyalty points this week.",
        "See our new collection.",
        "Enjoy £5 off with this code.",
    ],
}  # fmt: skip

GOOD = {
    "L01": [
        "Call 0161 496 0000 (8am to 10pm every day).",
        "The codes [1] and [2] refer to our notes.",
        "We sold 5 * 3 boxes < 20 kg. Sizes: XL, XXL.",
    ],
    "L05": [
        "We will write again by 18:30 GMT on Friday 20 November 2026.",
        "We will tell you as soon as we know more.",
        "We are here 24/7.",
        "The day after is 21 November.",
    ],
    "L06": [
        "We found no evidence that card details were taken as of 14:00 BST on 3 May. We are still checking.",
        "As of 14:00 GMT on 3 May we have not found any sign of misuse. Our investigation continues.",
        "We have evidence that names were copied.",
    ],
    "L07": [
        "We cannot say that your data is safe.",
        "Scammers may tell you that your money is safe.",
        "Keep your password safe.",
        "No company can guarantee that. We promise to tell you what we find.",
    ],
    "L20": [
        "We will never ask you for your password, your PIN or your full card number.",
        "Do not give anyone your card number.",
        "Criminals may ask you to confirm your bank details.",
        "If anyone asks you to confirm your PIN, hang up.",
        "Change your password. Type our address into your browser yourself.",
        "Enter the code KM47QX on our website.",
        "Tell your bank if you do not recognise a payment.",
    ],
    "L26": [
        "We have told the NCSC and HMRC. Reference INC-1, code KM47QX.",
        "We are sorry! Please read on.",
        "Write to us: Example Stores Ltd, EC1A 1BB.",
    ],
    "L27": [
        "We responded immediately.",
        "There is no need to act now.",
        "Swindlers say that your account will be closed: fake messages press you.",
        "We will answer within 24 hours.",
    ],
    "L31": [
        "Somebody copied files from our systems.",
        "You will be asked for a code from your phone when you sign in.",
        "Click-and-collect orders wait in store. Reference INC-2026.",
    ],
    "L33": [
        "We are sorry that you could not order for three days.",
        "You waited in our stores for orders that never came. We are sorry.",
        "Please call us if you need help.",
    ],
    "L34": [
        "A small number of customers, 214 in all, received the wrong order.",
        "We do not know yet how many people are affected.",
        "Two stores are closed.",
        "This is no minor matter.",
    ],
    "L35": [
        "We aim to be back by Friday 3 May. This depends on tests.",
        "Our target: online orders will be working by 18:00 GMT on 3 May.",
        "Online orders were back at 18:00 GMT on 3 May.",
    ],
    "L37": [
        "We have told the police and the regulator.",
        "Somebody who had no right to do so got into our systems.",
        "You can share this page.",
    ],
    "L39": [
        "Gift cards still work in all stores.",
        "We offer help by telephone every day.",
        "You can buy in our stores as usual. Refunds are free.",
        "We cannot accept a voucher at the till at the moment.",
    ],
}  # fmt: skip

FRENCH_BAD = {
    "L05": "Nous vous écrirons demain.",
    "L06": "Il n'y a aucune preuve de vol.",
    "L07": "Vos données sont en sécurité.",
    "L20": "Envoyez-nous votre mot de passe.",
    "L27": "Votre compte sera suspendu.",
    "L31": "Des données ont été exfiltrées.",
    "L33": "Veuillez nous excuser pour la gêne occasionnée.",
    "L34": "Quelques clients sont touchés.",
    "L35": "Le site sera rétabli d'ici lundi.",
    "L37": "Les pirates demandent une rançon.",
    "L39": "Profitez de 20 % de réduction.",
}
FRENCH_GOOD = {
    "L05": "Nous vous écrirons le vendredi 20 novembre 2026.",
    "L06": "Au 3 mai à 14 h 00 GMT, nous n'avons aucune preuve de vol. Nous vérifions encore.",
    "L07": "Nous ne pouvons pas dire que vos données sont en sécurité.",
    "L20": "Nous ne vous demanderons jamais de confirmer votre mot de passe. Ne donnez jamais votre mot de passe.",
    "L27": "Nous avons réagi immédiatement.",
    "L31": "Des fichiers ont été copiés.",
    "L33": "Vous n'avez pas pu commander. Nous vous prions de nous excuser.",
    "L34": "Quelques clients, 214 au total, sont touchés.",
    "L35": "Notre objectif : le site sera rétabli d'ici lundi.",
    "L37": "Nous avons prévenu la police.",
    "L39": "Les cartes cadeaux fonctionnent dans tous les magasins.",
}


def _pairs(table):
    return [pytest.param(rule, text, id=f"{rule}-{text[:30]}") for rule, texts in table.items() for text in texts]


@pytest.mark.parametrize(("rule", "text"), _pairs(BAD))
def test_these_must_fail(rule, text):
    assert found(rule, mail(text))


@pytest.mark.parametrize(("rule", "text"), _pairs(GOOD))
def test_these_must_pass(rule, text):
    assert found(rule, mail(text)) == []


@pytest.mark.parametrize(("rule", "text"), FRENCH_BAD.items())
def test_french_that_must_fail(rule, text):
    assert found(rule, mail(text, locale="fr"))


@pytest.mark.parametrize(("rule", "text"), FRENCH_GOOD.items())
def test_french_that_must_pass(rule, text):
    assert found(rule, mail(text, locale="fr")) == []


@pytest.mark.parametrize("rule", BAD)
def test_every_rule_has_three_of_each(rule):
    assert len(BAD[rule]) >= 3
    assert len(GOOD[rule]) >= 3


@pytest.mark.parametrize(
    ("rule", "body"),
    [
        ("L07", "<p>Your da<b>ta</b> is sa\u00adfe.</p>"),
        ("L20", "<p>Please confirm your <span>pass</span>word.</p>"),
        ("L20", "<p>Please confirm\n  your password.</p>"),
        ("L33", "<p>We are sorry&nbsp;if you were affected.</p>"),
        ("L07", "<p>Your data is sa\u200bfe.</p>"),
    ],
)
def test_markup_hides_nothing(rule, body):
    assert found(rule, mail("Plain.", html=page_of(body)))


def test_what_nobody_reads_is_not_read():
    html = page_of("<p>Hello.</p><script>your data is safe</script>")
    assert found("L07", mail("Plain.", html=html)) == []


def test_curly_quotes_and_capitals_change_nothing():
    assert found("L34", mail("A Small Number of orders don’t arrive."))
    assert found("L08", mail("You don’t need to do anything. Please change your password."))


def test_no_rule_matches_whole_sentences():
    for language in phrases.languages():
        for name, text in phrases._lists(language).items():
            longest = max(text.split("|"), key=lambda one: len(one.split(" ")))
            assert len(longest.split(" ")) <= 16, (language, name, longest)


def test_every_language_has_every_list():
    names = [set(phrases._lists(language)) for language in phrases.languages()]
    assert all(one == names[0] for one in names)


def test_a_language_without_words_is_left_in_peace():
    assert found("L07", mail("Ihre Daten sind sicher.", locale="de")) == []


@pytest.mark.parametrize(
    ("text", "locale"),
    [
        ("No customer data is affected.", "en"),
        ("No data was stolen, and our shops are open.", "en"),
        ("Your personal details have not been taken.", "en"),
        ("Aucune donnée de clients n'a été volée.", "fr"),
        ("Vos données ne sont pas touchées.", "fr"),
    ],
)
def test_a_flat_denial_while_we_still_look_is_told_as_such(text, locale):
    """While it is investigated nobody can know; a breach notice and a last word say what was confirmed."""
    assert [weight for weight, _ in found("L06", mail(text, locale=locale), profile=Profile.UPDATE)] == ["warn"]
    assert found("L06", mail(text, locale=locale), profile=Profile.BREACH) == []
    assert found("L06", mail(text, locale=locale), profile=Profile.CLOSING) == []


@pytest.mark.parametrize(
    "text",
    [
        "As of 14:00 GMT on 3 May no customer data was taken. We are still checking.",
        "We do not know yet whether customer data was taken.",
        "Customer data was taken.",
        "No data centre of ours is affected.",
        "No data is needed to collect your order.",
    ],
)
def test_a_denial_with_its_time_and_a_question_are_no_flat_denial(text):
    assert found("L06", mail(text), profile=Profile.UPDATE) == []


def test_a_correction_may_repeat_the_code_and_the_words_that_it_takes_back():
    """A code without a digit looks like shouting, and the wrong words like a new claim."""
    text = "Our message VJKLMNP was wrong. We said that no customer data is affected."
    wrong = Fact("wrong", FactKind.LINE, "We said that no customer data is affected.")
    taken_back = {"profile": Profile.CORRECTION, "facts": [wrong], "corrects": ("VJKLMNP", "B-1")}
    assert found("L26", mail(text), **taken_back) == []
    assert found("L26", mail(text)) == [("warn", "VJKLMNP")]
    again = "We said that there is no sign of a theft. There is no sign of another theft."
    wrong = Fact("wrong", FactKind.LINE, "We said that there is no sign of a theft.")
    assert found("L06", mail(again), **taken_back | {"facts": [wrong]}) == [("warn", "no sign")]


def test_no_evidence_blocks_in_a_breach_notice_and_warns_elsewhere():
    text = "There is no evidence that data was taken."
    assert found("L06", mail(text)) == [("warn", "no evidence")]
    assert found("L06", mail(text), profile=Profile.BREACH) == [("block", "no evidence")]
