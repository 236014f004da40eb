"""Each rule of words against each way in which its words come."""

import pytest

from dispatcher.model.template import Profile
from tests.compose.lint.bench import matrix, services
from tests.compose.lint.ways import NO_NUMBER, WHY_NOT, agrees, cases

TEXTS = {
    "L01": {
        "otherwise": "Call us on ______ before DD/MM/YYYY.", "denied": WHY_NOT + "a blank is a blank.",
        "quoted": 'Our director said: "Hello [NAME]."', "cut": "Hello {{ na<b>me</b> }}.", "in words": NO_NUMBER,
        "french": "Rappelez-nous avant le [date à compléter].",
    },
    "L04": {
        "otherwise": "From 5pm orders failed.", "denied": "It did not begin at 17:40.",
        "quoted": 'Our director said: "It began at 17:40."', "cut": "It began at 17:<b>40</b>.",
        "in words": "We stopped all orders at six o'clock.", "french": "Tout s'est arrêté à 17 h 40.",
    },
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
    "L13": {
        "otherwise": "Treat yourself: we have put £10 to spend on your card.",
        "denied": "-You will find no discount code in this message.",
        "quoted": 'Our director said: "Get 10% off."', "cut": "Here is a vou<b>cher</b> for you.",
        "in words": "Take ten per cent off your next shop.", "french": "Économisez dix pour cent sur tout.",
    },
    "L20": {
        "otherwise": "Let us know your password so we can help.", "denied": "-We will never ask you for your password.",
        "quoted": 'Our helpdesk says: "Please send us your password."', "cut": "Send us your pass<b>word</b>.",
        "in words": NO_NUMBER, "french": "Envoyez-nous votre mot de passe.",
    },
    "L26": {
        "otherwise": "W A R N I N G of false calls.", "denied": "This changes NOTHING for you.",
        "quoted": 'Our director said: "PLEASE wait."', "cut": "PLE<b>ASE</b> wait.", "in words": NO_NUMBER,
        "french": "ATTENTION aux faux appels.",
    },
    "L27": {
        "otherwise": "Respond now or lose access.", "denied": "-You do not need to act now.",
        "quoted": 'Our director said: "Act now."', "cut": "Act im<b>mediate</b>ly.",
        "in words": "You have twenty-four hours to reply.", "french": "Agissez immédiatement.",
    },
    "L28": {
        "otherwise": "Your card details are in the hands of criminals.", "denied": "-Your card details were not taken.",
        "quoted": 'A manager said: "Card details were stolen."', "cut": "Your card de<b>tails</b> were <i>taken</i>.",
        "in words": ("We told 214 people.", "We told two hundred and forty-one people."),
        "french": "Vos mots de passe ont été volés.",
    },
    "L31": {
        "otherwise": "It was a brute-force attack.", "denied": "No data was exfiltrated.",
        "quoted": 'Our engineer said: "We saw HTTP 503 errors."', "cut": "Data was ex<b>filtrated</b>.",
        "in words": WHY_NOT + "machines write the numbers of their errors in figures.",
        "french": "Des données ont été exfiltrées.",
    },
    "L32": {
        "otherwise": "-The fault is ours alone. Your delivery charges have been refunded.",
        "denied": "We are not responsible. We will not refund you.",
        "quoted": '-Our director says: "We let you down. We will refund you."',
        "cut": "-We are respon<b>sible</b>. We will re<b>fund</b> you.", "in words": NO_NUMBER,
        "french": "Nous vous demandons pardon.",
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
    "L36": {
        "otherwise": "We are fully operational.", "denied": "-We are not back to normal.",
        "quoted": 'A colleague said: "We are back to normal."', "cut": "We are back to nor<b>mal</b>.",
        "in words": "All five services are back.", "french": "Tout fonctionne de nouveau.",
    },
    "L37": {
        "otherwise": "They demanded money for our files.", "denied": "No ransom was paid.",
        "quoted": 'Our director said: "We accept no liability."', "cut": "The ran<b>som</b> was not paid.",
        "in words": NO_NUMBER, "french": "Les pirates demandent une rançon.",
    },
    "L39": {
        "otherwise": "Come back and save up to 15% on everything.",
        "denied": "-We cannot accept a voucher at the till at the moment.",
        "quoted": 'Our director said: "Enjoy £5 off."', "cut": "Shop n<b>ow</b> while stocks last.",
        "in words": "Five pounds off your next order.", "french": "Cinq euros offerts sur votre prochaine commande.",
    },
}  # fmt: skip
SETTINGS = {
    "L13": {"profile": Profile.BREACH},
    "L28": {
        "profile": Profile.BREACH,
        "facts": [matrix(("payment_full", "not_taken", "confirmed"), ("password_hash", "checking", "unknown"))],
    },
    "L32": {"profile": Profile.APOLOGY, "beside": "We are responsible. We will refund you."},
    "L36": {"facts": [services(orders="down")]},
}
"""The kind of message, or the facts, in which a rule bites."""


@pytest.mark.parametrize(("rule", "way", "text"), cases(TEXTS))
def test_each_way_is_found_or_let_pass(rule, way, text):
    assert agrees(rule, way, text, **SETTINGS.get(rule, {}))
