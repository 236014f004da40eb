"""The ways in which the words of a rule come, and how one text is laid before a rule in each of them.

A table names for every rule a text for each way: it must be found, or let pass where it begins with `-`. A pair is the
text of a mail and its HTML. A way that makes no sense for a rule says why instead.
"""

import pytest

from tests.compose.lint.bench import found, mail, page_of, posts, sms

WAYS = ("otherwise", "denied", "quoted", "cut", "in words", "french")
"""Said otherwise, denied, quoted, cut by markup, with numbers in words, in the second language."""

WHY_NOT = "why not: "
NO_NUMBER = WHY_NOT + "it looks for no number."
NO_MARKUP = WHY_NOT + "such a text has no markup."


def no_words(what):
    """Every way of a rule that reads no words at all."""
    return dict.fromkeys(WAYS, f"{WHY_NOT}{what}")


def cases(table):
    """The texts of a table as parameters: rule, way, text."""
    return [
        pytest.param(rule, way, text, id=f"{rule} {way}")
        for rule, ways in table.items()
        for way, text in ways.items()
        if not text[0].startswith(WHY_NOT) and not str(text).startswith(WHY_NOT)
    ]


def agrees(rule, way, text, *, made=mail, beside="x", **setting):
    """Whether the rule finds what it must find, and lets pass what it must let pass. `beside` is the text of a mail
    whose HTML is in question."""
    passes = text[0].startswith("-")
    pair = text if isinstance(text, tuple) else (text.removeprefix("-"), None)
    locale = "fr" if way == "french" else "en"
    if made in (sms, posts):
        laid = made(pair[0], locale=locale)
    elif way == "cut" and pair[1] is None:
        laid = mail(beside, html=page_of(f"<p>{pair[0]}</p>", lang=locale))
    else:
        html = None if pair[1] is None else page_of(f"<p>{pair[1]}</p>", lang=locale)
        laid = mail(pair[0], html=html, locale=locale)
    return bool(found(rule, laid, locales=(locale,), **setting)) is not passes
