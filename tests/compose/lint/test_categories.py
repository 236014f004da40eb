"""Each rule of words against each way in which its words come: said otherwise, denied, quoted, cut by markup, with
numbers in words, in the second language. A way that makes no sense for a rule says why."""

import pytest

from dispatcher.compose.lint.checking import rules
from tests.compose.lint.bench import found, mail, page_of

WAYS = ("otherwise", "denied", "quoted", "cut", "in words", "french")
WHY_NOT = "why not: "
NO_NUMBER = WHY_NOT + "it looks for no number."
TEXTS = {
      # A text that begins with - is let pass; all others are found.
    "L05": {
        "otherwise": "We hope to be back next week.", "denied": "We will not be back tomorrow.",
        "quoted": 'Our head of service said: "We will be back tomorrow."', "cut": "We are back to<b>mor</b>row.",
        "in words": WHY_NOT + "a date in figures is what it looks for; in words it is clear.",
        "french": "Nous revenons demain.",
    },
    "L06": {
        "otherwise": "We have seen nothing to suggest that data was taken.",
        "denied": WHY_NOT + "the finding is a denial by itself.",
        "quoted": 'Our director said: "There is no evidence that data was taken."',
        "cut": "There is no evi<i>dence</i> that data was taken.", "in words": NO_NUMBER,
        "french": "Rien n'indique que des données ont été copiées.",
    },
    "L07": {
        "otherwise": "We guarantee your information is secure.",
        "denied": "-We cannot promise that this will never happen again.",
        "quoted": 'Our director said: "Your data is safe."', "cut": "Your data is <b>sa</b>fe.",
        "in words": "We are one hundred per cent secure.", "french": "Vos données sont en sécurité.",
    },
    "L08": {
        "otherwise": "There's nothing for you to do right now. Keep an eye on your statements.",
        "denied": "-No action is needed. You do not need to reset your password.",
        "quoted": 'We say: "No action is needed." Please change your password.',
        "cut": "No ac<b>tion</b> is needed. Please ch<i>ange</i> your password.", "in words": NO_NUMBER,
        "french": "Vous n'avez rien à faire. Changez votre mot de passe.",
    },
    "L20": {
        "otherwise": "Let us know your password so we can help.", "denied": "-We will never ask you for your password.",
        "quoted": 'Our helpdesk says: "Please send us your password."', "cut": "Send us your pass<b>word</b>.",
        "in words": NO_NUMBER, "french": "Envoyez-nous votre mot de passe.",
    },
    "L27": {
        "otherwise": "Respond now or lose access.", "denied": "-You do not need to act now.",
        "quoted": 'Our director said: "Act now."', "cut": "Act im<b>mediate</b>ly.",
        "in words": "You have twenty-four hours to reply.", "french": "Agissez immédiatement.",
    },
    "L33": {
        "otherwise": "We are sorry to anyone who was upset.",
        "denied": WHY_NOT + "the word is none of an apology, denied or not.",
        "quoted": 'Our director said: "We apologise for any inconvenience."',
        "cut": "We apologise for any incon<b>venience</b>.", "in words": NO_NUMBER,
        "french": "Veuillez nous excuser pour la gêne occasionnée.",
    },
    "L34": {
        "otherwise": "Very few people are affected.", "denied": WHY_NOT + "to deny smallness makes nothing small.",
        "quoted": 'Our director said: "A small number of customers is affected."',
        "cut": "A sm<b>all</b> number of customers is affected.",
        "in words": "-A small number of customers, two hundred in all, is affected.",
        "french": "Un petit nombre de clients est touché.",
    },
    "L35": {
        "otherwise": "Services resume at 18:00 GMT.", "denied": WHY_NOT + "what will not be back is no promise.",
        "quoted": 'Our director said: "We will be back by Monday."', "cut": "We will be ba<b>ck</b> by Monday.",
        "in words": "We will be back by six o'clock.", "french": "Tout sera rétabli lundi.",
    },
}  # fmt: skip
CASES = [
    pytest.param(rule, way, text, id=f"{rule} {way}")
    for rule, ways in TEXTS.items()
    for way, text in ways.items()
    if not text.startswith(WHY_NOT)
]


def _finds(rule, way, text):
    if way == "cut":
        return found(rule, mail("x", html=page_of(f"<p>{text}</p>")))
    if way == "french":
        return found(rule, mail(text, locale="fr"), locales=("fr",))
    return found(rule, mail(text))


@pytest.mark.parametrize(("rule", "way", "text"), CASES)
def test_each_way_is_found_or_let_pass(rule, way, text):
    assert bool(_finds(rule, way, text.removeprefix("-"))) is not text.startswith("-")


def test_every_rule_of_the_table_has_every_way_or_says_why_not():
    assert set(TEXTS) <= {one.id for one in rules()}
    assert {rule: set(WAYS) - set(ways) for rule, ways in TEXTS.items() if set(ways) != set(WAYS)} == {}
