"""L38: the name under a message is senior enough and stands in the directory."""

import pytest

from dispatcher.compose.brief import Signature
from dispatcher.model.person import Level
from tests.compose.lint.bench import document, found, mail, posts, sms

LETTER = document("letter", "<p>We let you down.</p>", format="html")


@pytest.mark.parametrize(
    ("made", "signature"),
    [
        (mail("We let you down."), Signature("Ana Example", Level.COMMS, Level.DIRECTOR)),
        (LETTER, Signature("Ana Example", Level.DPO, Level.DIRECTOR)),
        (document("press", "We let people down."), Signature("somebody", None, Level.COMMS)),
        (mail("Nous vous avons déçus.", locale="fr"), Signature("Ana Example", Level.COMMS_LEAD, Level.LEGAL)),
    ],
)
def test_who_may_not_sign_blocks(made, signature):
    [(weight, words)] = found("L38", made, signature=signature)
    assert (weight, words) == ("block", signature.name)


@pytest.mark.parametrize(
    ("made", "signature"),
    [
        (mail("We let you down."), Signature("Cleo Example", Level.DIRECTOR, Level.DIRECTOR)),
        (LETTER, Signature("Cleo Example", Level.DIRECTOR, Level.COMMS)),
        (sms("We let you down."), Signature("Ana Example", Level.COMMS, Level.DIRECTOR)),
        (posts("We let you down."), Signature("Ana Example", None, Level.DIRECTOR)),
        (mail("We let you down."), None),
    ],
)
def test_who_may_sign_and_what_nobody_signs_pass(made, signature):
    assert found("L38", made, signature=signature) == []
