"""Messages that were written without looking at the words of the rules: bad ones are found, good ones let pass."""

import pytest

from dispatcher.compose.lint.rules import RULES
from dispatcher.model.template import Profile
from tests.compose.lint.bench import case, found, mail, matrix, services, sms

DOWN = {"facts": [services(orders="down")]}
TAKEN = {"profile": Profile.BREACH, "facts": [matrix(("name", "taken", "confirmed"))]}
SPARED = {
    "profile": Profile.BREACH,
    "facts": [matrix(("name", "taken", "confirmed"), ("payment_full", "not_taken", "confirmed"))],
}
FR = {"locales": ("fr",)}
BOTH = {"locales": ("en", "fr")}


def fr(text):
    return mail(text, locale="fr")


BAD = [
    ("L08", [sms("You need do nothing."), mail("At your next visit we will ask you to pick a new password.")], {}),
    ("L08", [mail("Nothing is required of you. You will be prompted to create a new password.")], {}),
    ("L08", [sms("You don't need to do a thing."), mail("We recommend that you set another new password.")], {}),
    ("L08", [fr("Aucune action de votre part n'est nécessaire. Choisissez un nouveau mot de passe.")], FR),
    ("L28", [sms("Six of our shops are shut."), mail("Seven shops are shut.")], {}),
    ("L28", [sms("Three of our sites are closed."), mail("Four sites are closed, all in Wales.")], {}),
    ("L28", [sms("Down since 4 March."), mail("It is down since 3 March. We write again on 5 March.")], {}),
    ("L28", [sms("Depuis le 2 mai nos caisses sont en panne.", "fr"), fr("En panne depuis le 3 mai.")], FR),
    ("L28", [mail("Twelve thousand orders are late."), fr("Douze cents commandes sont en retard.")], BOTH),
    ("L28", [mail("We refunded orders of the 9th of May."), fr("Les commandes du 19 mai sont remboursées.")], BOTH),
    ("L28", [mail("Your card numbers got out.")], SPARED),
    ("L28", [mail("Nobody saw your names.")], TAKEN),
    ("L28", [mail("Orders work.")], DOWN),
    ("L28", [mail("A software hiccup stopped orders. Hackers entered our network.")], {}),
    ("L35", [mail("By 6pm GMT on 4 March everything will work again.")], {}),
    ("L35", [mail("You will be able to order again at 09:00 GMT on 4 March.")], {}),
    ("L35", [fr("La boutique rouvrira lundi à 9 h 00 GMT.")], FR),
    ("L34", [mail("A portion of our customers cannot log in.")], {}),
    ("L34", [mail("Only a very small share of people is hit.")], {}),
    ("L07", [mail("You have nothing to worry about.")], {}),
    ("L07", [mail("There is no cause for concern about your data.")], {}),
    ("L07", [fr("Vous n'avez aucune inquiétude à avoir.")], FR),
    ("L06", [fr("À ce stade, nous n'avons constaté aucune fuite de données.")], FR),
    ("L06", [mail("So far nothing points towards data having been taken.")], {}),
    ("L06", [mail("We have no knowledge of any data having left us.")], {}),
    ("L20", [mail("Have your card and PIN ready when you call us.")], {}),
    ("L20", [mail("Text back the six digits we sent you.")], {}),
    ("L20", [mail("Please call us and read out your PIN.")], {}),
    ("L20", [fr("Donnez-nous les six chiffres reçus par SMS.")], FR),
    ("L27", [mail("Your account closes on Friday unless you reply.")], {}),
    ("L27", [mail("Do it now, or you lose your points.")], {}),
    ("L33", [mail("We are sorry for any trouble this might have caused.")], {}),
    ("L33", [mail("We apologise to those who feel let down.")], {}),
    ("L33", [fr("Nous sommes désolés si cela vous a gêné.")], FR),
    ("L36", [mail("All systems are running as they should again.")], DOWN),
    ("L36", [mail("The outage has ended.")], DOWN),
    ("L36", [mail("The problem is behind us.")], DOWN),
    ("L04", [mail("We are back online at 6 in the evening.")], {}),
    ("L05", [mail("We will be back first thing.")], {}),
    ("L39", [mail("As a thank-you, take a fifth off your next order.")], {}),
    ("L39", [mail("Enjoy free delivery on your next shop.")], {}),
    ("L37", [mail("The hackers want us to pay.")], {}),
    ("L31", [mail("Our SSO and IdP failed over.")], {}),
]
GOOD = [
    ([mail("You do not need to change your password. Nothing else needs doing.")], {}),
    ([mail("92 stores are shut."), fr("Quatre-vingt-douze magasins sont fermés.")], BOTH),
    ([mail("At some point on 3 March our orders stopped. It took us some time to find out why.")], {}),
    ([mail("Our stores in Leeds are open. Click and collect comes back once we have tested it.")],
     {"facts": [services(**{"stores": "operational", "click and collect": "down"})]}),
    ([mail("If your card was charged twice, we will refund you.")], {}),
    ([mail("A voucher for 50 pounds off that you may see on social media is a scam. It is not from us.")],
     {"profile": Profile.WARNING}),
    ([mail("Criminals offer a special discount in our name. Do not open it.")], {"profile": Profile.WARNING}),
    ([sms("6 shops are shut."), mail("Six shops are shut: 4 in Wales and 2 in Kent. 12 shops are open.")], {}),
    ([sms("214 customers are affected."), mail("Two hundred and fourteen customers are affected.")], {}),
    ([sms("Down since 4 March."), mail("It is down since 06:10 GMT on 4 March. We found out on 5 March.")], {}),
    ([mail("We have reset every password. When you sign in, type our address yourself.")], {}),
    ([mail("Brief our staff before you open. The minor road to the depot is shut.")], {}),
    ([mail("Your account is not safe yet. We are working on it.")], {}),
    ([mail("We never ask you to text back a code.")], {}),
    ([mail("We cannot say that all systems are running. Orders are still down.")], DOWN),
    ([fr("Nous ne disons pas que tout est réglé : les commandes sont en panne.")], DOWN | FR),
    ([mail("You may get a call that seems to be from us. Hang up and call 0161 496 0000.")],
     {"profile": Profile.WARNING}),
    ([mail("This only affects customers in Wales.")], {}),
    ([mail("Your order will be refunded if you cancelled it.")], {}),
    ([mail("This is how click and collect works. We are checking whether click and collect works.")],
     {"facts": [services(**{"click and collect": "down"})]}),
    ([mail("A technical fault stopped orders. Hackers were not involved, and this is not a cyber attack.")], {}),
    ([fr("Nous ne demandons jamais les chiffres reçus par SMS.")], FR),
    ([mail("The outage of 3 March is not over.")], DOWN),
    ([mail("We do not say that there is nothing to worry about.")], {}),
]  # fmt: skip
OF_THE_WHOLE = {"L02", "L09", "L10", "L11", "L12", "L21", "L25", "L29", "L30", "L42", "L44"}
"""Rules about what one sentence cannot hold."""


@pytest.mark.parametrize(("rule", "made", "setting"), BAD, ids=lambda one: one if isinstance(one, str) else "")
def test_a_bad_message_is_found(rule, made, setting):
    assert found(rule, *made, **setting)


@pytest.mark.parametrize(("made", "setting"), GOOD)
def test_a_good_message_is_let_pass(made, setting):
    laid = case(*made, **setting)
    told = [(one.rule, one.words) for rule in RULES.values() for one in rule.findings(laid)]
    assert [one for one in told if one[0] not in OF_THE_WHOLE] == []


def test_channels_that_count_differently_are_told_and_may_be_let_pass():
    made = [sms("Six of our shops are shut."), mail("Seven shops are shut.")]
    [told] = RULES["L28"].findings(case(*made))
    assert (told.weight, told.what) == ("warn", "sms says 6 of our shops are shut; email says 7 shops are shut.")
