"""Each rule of form (links, lengths, facts, names, marks) against each way in which words come, and no rule without."""

import pytest

from dispatcher.compose.lint.checking import rules
from dispatcher.model.fact import Fact, FactKind
from dispatcher.model.template import Profile
from tests.compose.lint.bench import posts, sms
from tests.compose.lint.test_categories import TEXTS as WORDS
from tests.compose.lint.ways import NO_MARKUP, NO_NUMBER, WAYS, WHY_NOT, agrees, cases, no_words

LINK = "a link is a link: phones make one of it, whatever is said of it."
HEADINGS = "Notice of Data Breach\nWhat Happened\nWhat Information Was Involved\nWhat We Are Doing\nWhat You Can Do\n"
FOLLOWS = "Fraudsters may use it to write to you."
DONE = "We have closed the way in. Please check your statements."
WHOLE = f"{HEADINGS}For More Information"

TEXTS = {
    "L02": {
        "otherwise": "-You hear from us by 8pm GMT on 20 November.",
        "denied": WHY_NOT + "it looks for the time; even if there is nothing new we write at that time.",
        "quoted": '-Our director says: "We write again at 20:00 GMT."', "cut": "-We write again at 20:<b>00</b> GMT.",
        "in words": "We write again at eight o'clock in the evening.", "french": "-Prochain point à 20h GMT.",
    },
    "L03": no_words("it compares two moments."),
    "L09": {
        "otherwise": "-Call us on 0161 4960000.", "denied": "Our data protection officer has no address.",
        "quoted": '-Our officer says: "Write to privacy@example.com."',
        "cut": "-Write to privacy@exa<b>mple.com</b>.", "in words": "Call zero one six one, four nine six.",
        "french": "-Écrivez à privacy@example.com.",
    },
    "L10": no_words("it reads the matrix of the fact sheet; what the texts say of it is L28."),
    "L11": {
        "otherwise": f"-{FOLLOWS}", "denied": "There is no risk of fraud.",
        "quoted": f'-Our director said: "{FOLLOWS}"', "cut": "-Whoever has it could <b>pre</b>tend to be us.",
        "in words": NO_NUMBER, "french": "-Des escrocs pourraient se faire passer pour nous.",
    },
    "L12": {
        "otherwise": "-We blocked the way in at once. You can freeze your credit.",
        "denied": "We have not closed the way in. Please choose a new password.",
        "quoted": f'-Our director said: "{DONE}"', "cut": "-We have clo<b>sed</b> the way in. Do not ans<i>wer</i>.",
        "in words": NO_NUMBER, "french": "-Nous avons fermé l'accès. Surveillez vos relevés.",
    },
    "L14": no_words("it looks at channels and documents."),
    "L15": {
        "otherwise": WHOLE.replace("What Happened", "What Took Place"),
        "denied": WHY_NOT + "the law prescribes headings, which deny nothing.",
        "quoted": f"-{WHOLE}\nOur director said that we are sorry.",
        "cut": "-" + WHOLE.replace("Happened", "Hap<b>pened</b>").replace("\n", "<br>"), "in words": NO_NUMBER,
        "french": "-Avis de violation de données. La loi prescrit la forme anglaise.",
    },
    "L16": {
        "otherwise": "Go to https://example.com/log%69n.", "denied": "Do not go to https://example.com/login.",
        "quoted": 'They wrote: "Go to https://example.com/login."',
        "cut": '<a href="https://example.com/login">our pa<b>ge</b></a>', "in words": NO_NUMBER,
        "french": "Allez sur https://example.com/mot-de-passe/nouveau.",
    },
    "L17": {
        "otherwise": "Go to https://0xC0000207/help.", "denied": "Never go to http://example.com/help.",
        "quoted": 'They wrote: "Go to http://example.com/help."', "cut": "Go to http://exa<b>mple.com</b>/help.",
        "in words": NO_NUMBER, "french": "Voir http://example.com/aide.",
    },
    "L18": {
        "otherwise": "See example-stores.co.uk.", "denied": "Never go to https://example.net/help.",
        "quoted": 'They wrote: "Go to https://example.net/help."', "cut": "Go to https://exa<b>mple.net</b>/help.",
        "in words": NO_NUMBER, "french": "Voir https://example.net/aide.",
    },
    "L19": {
        "otherwise": ("x", '<a href="https://example.net/a">Look at www.example.com for more</a>'),
        "denied": ("x", 'Do not use <a href="https://example.net/a">example.com</a>.'),
        "quoted": ("x", '"Use <a href="https://example.net/a">example.com</a>", they wrote.'),
        "cut": '<a href="https://example.net/a">www.exa<b>mple</b>.com</a>', "in words": NO_NUMBER,
        "french": ("x", 'Voir <a href="https://example.net/a">sur example.com/aide</a>'),
    },
    "L21": {
        "otherwise": "Look for this message on our website.",
        "denied": WHY_NOT + "it looks for the address or the code, which stand in no denial.",
        "quoted": '-Our helpdesk says: "Type example.com/verify."', "cut": "-Type example.com/ver<b>ify</b>.",
        "in words": WHY_NOT + "a code is spelt in letters and figures.", "french": "-Tapez example.com/verify.",
    },
    "L22": no_words("it counts characters.") | {"otherwise": "€" * 154, "french": "-" + "é" * 160},
    "L23": {
        "otherwise": "It\u2032s down", "denied": WHY_NOT + "a character denies nothing.", "quoted": "“Sorry”, we said.",
        "cut": NO_MARKUP, "in words": WHY_NOT + "it looks at characters, also those of numbers such as ½.",
        "french": "Prêt",
    },
    "L24": no_words("it weighs characters.") | {"otherwise": "字" * 141, "french": "é" * 281},
    "L25": {
        "otherwise": "Your shop: orders are down.", "denied": WHY_NOT + "who denies the name still gives it.",
        "quoted": '-"Example Stores" here: orders are down.', "cut": NO_MARKUP, "in words": NO_NUMBER,
        "french": "Les commandes sont en panne.",
    },
    "L29": no_words("it counts the syllables of words and the words of sentences, in English, whatever they say."),
    "L30": {
        "otherwise": "We are, " + "truly, " * 24 + "sorry.", "denied": "It is not " + "very " * 24 + "bad.",
        "quoted": 'He said: "' + "Very " * 25 + 'sorry."', "cut": WHY_NOT + "it reads the text part of a mail.",
        "in words": WHY_NOT + "words are what it counts.", "french": "Nous sommes " + "très " * 24 + "désolés.",
    },
    "L38": no_words("it compares the level of a name with what is needed."),
    "L40": {
        "otherwise": "This is only a test. Orders are down.", "denied": "-This is no exercise. Orders are down.",
        "quoted": '-Our director said: "This was no exercise."', "cut": "EXER<b>CISE</b>: orders are down.",
        "in words": NO_NUMBER, "french": "Ceci est un test. Les commandes sont en panne.",
    },
    "L41": no_words("it looks at which parts exist."),
    "L42": no_words("it looks at which facts have words in a language.") | {"french": "Un feu."},
    "L43": no_words("it looks at the state of facts."),
    "L44": {
        "otherwise": ("x", '<img src="a.png" title="Map">'), "denied": ("-x", '<img src="a.png" alt>'),
        "quoted": WHY_NOT + "it reads the tags.", "cut": '<b><img src="a.png"></b>', "in words": NO_NUMBER,
        "french": ("x", '<span><img src="a.png"></span>'),
    },
    "L45": no_words("it counts the characters of the subject, whatever they say."),
}  # fmt: skip
SETTINGS = {
    "L09": {"profile": Profile.BREACH, "beside": "privacy@example.com"},
    "L11": {"profile": Profile.BREACH, "beside": FOLLOWS}, "L12": {"profile": Profile.BREACH, "beside": DONE},
    "L15": {"profile": Profile.BREACH_US, "beside": WHOLE},
    "L16": {"profile": Profile.BREACH},
    "L21": {"beside": "KM47QX"},
    "L22": {"made": sms}, "L23": {"made": sms}, "L24": {"made": posts}, "L25": {"made": sms},
    "L42": {"facts": [Fact("cause", FactKind.LINE, "A fire.")]},
}  # fmt: skip


@pytest.mark.parametrize(("rule", "way", "text"), cases(TEXTS))
def test_each_way_is_found_or_let_pass(rule, way, text):
    assert agrees(rule, way, text, **SETTINGS.get(rule, {}))


def test_every_rule_has_every_way_or_says_why_not():
    tables = WORDS | TEXTS
    assert len(tables) == len(WORDS) + len(TEXTS)
    assert set(tables) == {one.id for one in rules()}
    assert {rule: set(WAYS) ^ set(ways) for rule, ways in tables.items() if set(ways) != set(WAYS)} == {}
