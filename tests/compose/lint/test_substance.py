"""What is left of a text once the sentences are gone that only say that work goes on."""

import pytest

from dispatcher.compose.lint.substance import substance

FILLERS = [
    ("en", "We are still working on it."),
    ("en", "Our engineers are working around the clock to fix the problem."),
    ("en", "Our teams continue to investigate."),
    ("en", "We are working to restore service as quickly as possible."),
    ("en-GB", "There is no further information at this time."),
    ("en", "There is no news yet!"),
    ("en", "Nothing has changed since our last update."),
    ("en", "We will keep you updated."),
    ("en", "We\u2019ll tell you more as soon as we can."),
    ("en", "Thank you for your patience."),
    ("fr", "Nos \u00e9quipes travaillent toujours sur ce probl\u00e8me."),
    ("fr", "Il n\u2019y a pas de nouvelles pour le moment."),
    ("fr", "Rien n'a chang\u00e9 depuis notre dernier message."),
]  # fmt: skip
NEWS = [
    ("en", "We are working with our bank to test the link."),
    ("en", "Our engineers have found the cause."),
    ("en", "We are working on the tills in Scotland first."),
    ("en", "Nothing has changed for orders placed before noon."),
    ("en", "We will refund you on Monday."),
    ("en", "We have no orders left to send again."),
    ("fr", "Nos \u00e9quipes ont remplac\u00e9 le disque."),
    ("fr", "Nous travaillons avec notre banque."),
    ("de", "Wir arbeiten daran."),
]


@pytest.mark.parametrize(("language", "text"), FILLERS)
def test_a_sentence_that_only_says_that_work_goes_on_is_none(language, text):
    assert substance(text, language) == ()


@pytest.mark.parametrize(("language", "text"), NEWS)
def test_a_sentence_that_says_more_is_kept_and_so_is_every_one_of_a_language_we_do_not_know(language, text):
    assert substance(text, language) == (text.rstrip(".").lower(),)


def test_sentences_are_compared_without_regard_to_case_blanks_and_lines():
    text = "Tills are down.\nWe are still working on it.  CARD payments   work again!"
    assert substance(text, "en") == ("tills are down", "card payments work again")
