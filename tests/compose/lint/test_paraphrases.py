"""The same said in other words: found all the same; and what only sounds alike is let pass."""

import pytest

from tests.compose.lint.bench import found, mail, services

SAID_OTHERWISE = [
    ("L05", "We will write later today."),
    ("L05", "We hope to be back next week."),
    ("L06", "We have seen nothing to suggest that data was taken."),
    ("L06", "At this stage we do not believe any data was accessed."),
    ("L06", "Nothing indicates that cards were used."),
    ("L07", "We guarantee your information is secure."),
    ("L07", "This will not occur again."),
    ("L07", "Nothing of yours is at risk."),
    ("L07", "Rest assured, your account is in safe hands."),
    ("L08", "You don't have to do anything. We ask that you change your password."),
    ("L08", "There's nothing for you to do right now. Keep an eye on your statements."),
    ("L08", "You need take no action. Please be on your guard."),
    ("L18", "You can get hold of our team under refunds@care.example.net."),
    ("L18", "Reply to care@example.net instead of this number."),
    ("L20", "Let us know your password so we can help."),
    ("L20", "We require your card number."),
    ("L20", "What is your date of birth?"),
    ("L27", "Act without delay."),
    ("L27", "You have 24 hours to respond."),
    ("L27", "You have twenty-four hours to reply."),
    ("L27", "Respond now or lose access."),
    ("L33", "We apologise for the inconvenience."),
    ("L33", "We are sorry to anyone who was upset."),
    ("L34", "Just a fraction of our customers were touched."),
    ("L34", "A tiny minority of accounts."),
    ("L34", "Very few people are affected."),
    ("L35", "We will have everything fixed by 6pm GMT."),
    ("L35", "Services resume at 18:00 GMT."),
    ("L35", "Orders will return on Monday."),
]
ONLY_ALIKE = [
    ("L05", "We meet every week."),
    ("L06", "As of 14:00 GMT on 3 May we have seen nothing to suggest that data was taken. We are still checking."),
    ("L07", "We cannot promise that this will never happen again."),
    ("L07", "Your order is in the hands of the carrier."),
    ("L08", "There is nothing for you to do."),
    ("L18", "We do not use care@example.net."),
    ("L18", "Mails of care@example.net are fake."),
    ("L20", "We will never ask for your PIN."),
    ("L20", "Let us know if you need help."),
    ("L27", "We acted without delay."),
    ("L27", "Our shops have 24 hours of stock."),
    ("L33", "We are sorry that you could not order."),
    ("L34", "The fraction of customers is 4 per cent."),
    ("L35", "We aim to have everything fixed by 6pm GMT."),
    ("L35", "Orders returned on Monday 4 May."),
]


@pytest.mark.parametrize(("rule", "text"), SAID_OTHERWISE)
def test_found_all_the_same(rule, text):
    assert found(rule, mail(text))


@pytest.mark.parametrize(("rule", "text"), ONLY_ALIKE)
def test_let_pass(rule, text):
    assert found(rule, mail(text)) == []


@pytest.mark.parametrize(
    "text", ["We are fully operational.", "It is business as usual.", "We are up and running again."]
)
def test_all_is_well_in_other_words(text):
    assert found("L36", mail(text), facts=[services(orders="down")])
