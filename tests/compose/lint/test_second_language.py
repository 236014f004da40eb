"""Rules about the whole, in French, in paraphrase, denied, quoted, and cut by markup."""

import pytest

from dispatcher.model.kinds import Channel
from dispatcher.model.template import Profile
from tests.compose.lint.bench import found, mail, matrix, page_of, posts, services, sms

DOWN = services(**{"click and collect": "down", "stores": "operational"})
TAKEN = matrix(("name", "taken", "confirmed"))


def french(text, html=None):
    return mail(text, html=html, locale="fr")


@pytest.mark.parametrize(
    "text",
    [
        "Vous n'avez rien à faire. Changez votre mot de passe.",
        "Aucune action n'est nécessaire. Veuillez vérifier vos relevés.",
        "Vous n'avez pas besoin d'agir. Restez vigilants.",
    ],
)
def test_nothing_to_do_and_something_to_do(text):
    assert found("L08", french(text), locales=("fr",))


@pytest.mark.parametrize(
    "text",
    ["Vous n'avez rien à faire.", "Changez votre mot de passe.", "Restez vigilants : de faux messages circulent."],
)
def test_one_of_the_two(text):
    assert found("L08", french(text), locales=("fr",)) == []


@pytest.mark.parametrize(
    "text", ["Tout fonctionne de nouveau.", "Tous nos services sont rétablis.", "Nous sommes revenus à la normale."]
)
def test_all_is_well_while_something_is_down(text):
    assert found("L36", french(text), facts=[DOWN], locales=("fr",))


@pytest.mark.parametrize(
    "text",
    ["Nous ne sommes pas revenus à la normale.", "Les magasins sont ouverts.", "Tout ne fonctionne pas encore."],
)
def test_what_is_said_of_a_part(text):
    assert found("L36", french(text), facts=[DOWN], locales=("fr",)) == []


@pytest.mark.parametrize(
    ("text", "missing"),
    [
        ("Nous vous demandons pardon.", 2),
        ("Nous sommes responsables et nous vous demandons pardon.", 1),
        ("Nous sommes responsables. Nous vous remboursons vos frais de livraison.", 0),
    ],
)
def test_an_apology(text, missing):
    assert len(found("L32", french(text), profile=Profile.APOLOGY, locales=("fr",))) == missing


@pytest.mark.parametrize(
    "text", ["Voici un bon d'achat pour vous.", "Profitez de 10 % de réduction.", "Inscrivez-vous à notre newsletter."]
)
def test_promotion_in_a_breach_notice(text):
    assert found("L13", french(text), profile=Profile.BREACH, facts=[TAKEN], locales=("fr",))


@pytest.mark.parametrize(
    "text", ["Un technicien a dit : « Tout est rétabli. »", "« Tout fonctionne de nouveau », dit-il."]
)
def test_quoted_speech_is_said_by_us_all_the_same(text):
    assert found("L36", french(text), facts=[DOWN], locales=("fr",))


def test_a_word_cut_by_markup():
    html = page_of("<p>Tout fonc<b>tionne</b> de nou\u00adveau.</p>", lang="fr")
    assert found("L36", french("x", html), facts=[DOWN], locales=("fr",))


@pytest.mark.parametrize(
    "texts",
    [
        (mail("No action is needed."), sms("Example Stores: reset your password.")),
        (posts("There is nothing you need to do."), mail("Beware of calls.")),
        (sms("You do not need to do anything."), mail("x", html=page_of("<p>Please ch<i>ange</i> your password.</p>"))),
    ],
)
def test_one_channel_against_another(texts):
    assert found("L08", *texts)


def test_each_text_of_a_post_is_read():
    made = found("L07", posts("Fine.", "Your data is safe."))
    assert [words for _, words in made] == ["Your data is safe"]
    assert Channel.SOCIAL in {one.target for one in _targets(posts("Fine."))}


def _targets(*made):
    from tests.compose.lint.bench import case

    return case(*made).passages
