"""A shop is attacked and is back after twelve weeks: what it says to whom and when, what the rules keep it from saying,
which promises it keeps, and whom it thanks in the end. Invented names; the order of events is that of real cases."""

import pytest

from dispatcher.errors import Refused
from dispatcher.model.incident import Phase
from dispatcher.model.kinds import Channel, FactState, Severity
from dispatcher.model.outcome import Accepted
from dispatcher.model.promise import Circle
from dispatcher.services import accounting, codes, facts, incidents, recounting
from dispatcher.services.facts import Telling
from dispatcher.services.incidents import Change, Opening
from tests.services.replay_world import ON_ONE, House, days, hours, minutes, utc

START = utc(2026, 3, 2, 6, 40)
BOTH = (Channel.EMAIL, Channel.SMS)
HOLDING = {
    "problem": "Customers cannot order online.",
    "since": "2026-03-02 06:10 Europe/London",
    "affected": ["online orders"],
    "unknown": ["We do not know yet whether personal data is concerned."],
    "doing": "Our teams and specialists from outside look for the cause.",
}
BREACH = {
    "what_happened": "Somebody got into one of our systems without any right and copied files from it.",
    "breach_began": "2026-02-27 02:00 Europe/London",
    "discovered": "2026-03-02 06:10 Europe/London",
    "consequences": ["Somebody may write to you and pretend to be us."],
    "measures": ["We closed the way in on 2 March 2026.", "We ask everybody for a new password at the next sign-in."],
    "steps": ["Be wary of calls and messages that speak of this.", "Use a password that you use nowhere else."],
    "regulator": "We have told the Information Commissioner's Office.",
}
MATRIX = "name:taken, contact:taken, payment_full:not_taken:confirmed, password_hash:{}"
RESET = {
    "why_reset": "Somebody copied scrambled passwords from one of our systems.",
    "when_asked": "The next time you sign in on our website, we ask you to choose a new password.",
    "steps": ["Type example.com into your browser yourself.", "Choose a password that you use nowhere else."],
}
PARTLY = {
    "back": "You can order clothes online again.",
    "services": "clothes online@England:operational; clothes online@Wales:down; click and collect:down",
    "doing": "We bring each service back step by step, and test each step before the next one.",
}
WHOLE = {
    "restored": "You can order online and collect in store again.",
    "restored_at": "2026-05-20 08:00 Europe/London",
    "services": "online orders:operational; click and collect:operational",
}
VOUCHER = {
    "value": "5 pounds off your next shop, whatever you spend",
    "how_to_use": "Show the code at the till, or type it in when you order online.",
    "terms": "One code per person. It counts in all our stores. There is no least spend.",
    "ends": "2026-07-31 23:59 Europe/London",
}
THANKS = ()
"""Warnings of the voucher that legal lets pass."""
SUPPLIERS = {
    "what_happened": "Our ordering system stopped on 2 March 2026.",
    "orders_effect": "We place no new orders by computer.",
    "deliveries_effect": "Please deliver as agreed.",
    "payments_effect": "Payments are made as planned.",
    "manual_process": "Please bring two printed delivery notes.",
}
PRESS = {
    "summary": "Larkfield takes no online orders.",
    "what_happened": "Customers cannot order online. Files with names were copied.",
    "doing": "Teams of Larkfield bring the shop back.",
    "quote": "We let our customers down. We are responsible, and we are sorry.",
    "spokesperson": "Sam Example, Chief Executive",
}
LESSONS = {
    "cause": "Somebody used the account of a supplier to get in.",
    "course": ["On 2 March 2026 at 06:10 GMT the online shop stopped."],
    "changes_done": ["Every supplier now needs a second key to sign in."],
}


def sheet(house, state=FactState.CONFIRMED, **values):
    raw = {(name, None): value for name, value in values.items()}
    facts.set_facts(house.ctx, house.ana, house.incident, raw, Telling(state, source="forensics"))


def promise(house, span, circle=Circle.CUSTOMERS, **more):
    incidents.promise(house.ctx, house.ana, house.incident, house.now() + span, circle=circle, **more)


@pytest.fixture
def house(tmp_path, database_url):
    made = House(tmp_path, "Larkfield", START, database_url)
    made.listed("customers", 6)
    made.listed("employees", 4, first=31)
    made.listed("suppliers", 3, first=11)
    made.listed("press", 2, first=21, phones=False)
    made.listed("members", 5, consent=lambda i: "yes")
    made.incident = incidents.open_incident(
        made.ctx, made.ana, Opening("Online shop attacked", severity=Severity.CRITICAL)
    ).ref
    incidents.duty(made.ctx, made.ana, made.incident, "gdpr")
    yield made
    made.ctx.ledger.close()


def first_day(house):
    house.until(START + minutes(4))
    promise(house, minutes(20))
    sheet(house, FactState.UNKNOWN, data=None)
    return house.say("holding-statement", "customers", HOLDING, channels=BOTH)


def faults(house, template, audience, words, **more):
    return house.faults(house.drafted(template, audience, words, **more))


@ON_ONE
def test_what_is_unknown_is_not_told_as_known_and_the_notice_of_a_breach_keeps_to_itself(house):
    first_day(house)
    house.until(START + days(1), every=6 * 3600)
    promise(house, hours(6))
    assert faults(house, "data-breach", "customers", BREACH) == {"E-FACT"}, "which data is unknown"
    sheet(house, FactState.BELIEVED, data=MATRIX.format("checking"))
    assert faults(house, "data-breach", "customers", BREACH) == {"L43"}, "believed is not enough"
    sheet(house, data=MATRIX.format("checking"))
    assert faults(house, "data-breach", "customers", BREACH) == set()
    wrong = {
        "We offer you a voucher for your trouble.": "L13",
        "You do not need to take any action.": "L08",
        "Your card details are safe.": "L07",
        "There is no evidence that it was used.": "L06",
        "Payment details were taken.": "L28",
        "Go to https://example.com/login now.": "L16",
    }
    found = {words: faults(house, "data-breach", "customers", BREACH | {"support": words}) for words in wrong}
    assert found == {words: {code} for words, code in wrong.items()}
    reset = RESET | {"background": "Go to https://example.com/reset to change it."}
    assert faults(house, "password-reset", "customers", reset) == {"L16"}


def breach_week(house):
    """The eighth day: what was taken is confirmed; staff first, then customers, suppliers and the press."""
    house.until(START + days(8), every=6 * 3600)
    sheet(house, data=MATRIX.format("taken"))
    for circle in (Circle.CUSTOMERS, Circle.EMPLOYEES, Circle.SUPPLIERS, Circle.PRESS):
        promise(house, days(1), circle)
    staff = BREACH | {"personnel_contact": "Ask the personnel team at people@example.com."}
    return [
        house.say("data-breach-employee", "employees", staff),
        house.say("data-breach", "customers", BREACH, channels=BOTH),
        house.say("password-reset", "customers", RESET),
        house.say("supplier-notice", "suppliers", SUPPLIERS),
        house.say("press-statement", "press", PRESS),
    ]


@ON_ONE
def test_everybody_is_told_of_the_breach_once_by_those_who_may(house):
    first = first_day(house)
    told = breach_week(house)
    assert [len(house.told(one)) for one in told] == [4, 12, 6, 3, 2]
    assert all(set(sums) == {"accepted"} for one in told for sums in house.sums(one).values())
    verbs = [verb for verb, _ in acts(house, told[1])]
    assert {"submitted", "approved", "sent"} <= set(verbs)
    assert verbs.count("approved") == 3, "director, data protection officer, legal"
    notice = house.read(told[1])
    assert "dpo@example.com" in notice
    assert "Information Commissioner" in notice
    assert "password" in notice
    assert house.ends("gdpr") == ["open"]
    assert {one.clock for one in house.view().clocks if one.is_open and one.missed_at} >= {"gdpr"}, "72 hours are over"
    page = house.public()["incidents"][0]["incident_updates"]
    assert [one["id"] for one in page] == [told[4].ref, told[2].ref, told[1].ref, first.ref], (
        "no page of what staff read"
    )
    assert house.view().tally.people_reached == 4 + 6 + 3 + 2
    incidents.duty(house.ctx, house.ana, house.incident, "gdpr", done="Case 12")
    assert house.ends("gdpr") == ["missed"]


def test_part_of_it_is_back_then_all_then_thanks(house):
    first_day(house)
    house.until(START + days(50), every=24 * 3600)
    incidents.update(house.ctx, house.ana, house.incident, Change(phase=Phase.PARTLY_RESTORED))
    promise(house, days(5), every=days(7))
    assert "L36" in faults(house, "partial-restoration", "customers", PARTLY | {"doing": "We are back to normal."})
    partly = house.say("partial-restoration", "customers", PARTLY, passing=["L30"])
    parts = {one["name"]: one["status"] for one in house.public()["components"]}
    assert parts == {"clothes online (England)": "operational", "clothes online (Wales)": "major_outage",
                     "click and collect": "major_outage"}  # fmt: skip
    assert "Wales" in house.read(partly)
    pool(house, 6)
    assert faults(house, "goodwill-voucher", "members", VOUCHER, codes="thanks") == {"E-CODES"}, "not before it is over"
    house.until(utc(2026, 5, 20, 9), every=24 * 3600)
    assert faults(house, "full-restoration", "customers", WHOLE | {"services": PARTLY["services"]}) == {"L36"}
    incidents.update(house.ctx, house.ana, house.incident, Change(phase=Phase.RESOLVED))
    house.say("full-restoration", "customers", WHOLE)
    assert house.ends("closing") == ["kept"]
    [shown] = house.public("api/v2/incidents.json")["incidents"]
    assert (shown["status"], house.public()["status"]["indicator"]) == ("resolved", "none")
    thanks_and_lessons(house)


def thanks_and_lessons(house):
    seen = {}
    house.mail.script.append(lambda sent: [seen.update({e.address: e.values["code"]}) or Accepted("m") for e in sent])
    thanks = house.say("goodwill-voucher", "members", VOUCHER, codes="thanks", passing=THANKS)
    assert len(seen) == len(set(seen.values())) == 5, "one code a person, and no code twice"
    told = accounting.show(house.ctx, thanks.ref).as_dict()["codes"]
    assert told == {"pool": "thanks", "bound": 5, "given_back": 0, "issued": 5, "worth": 25}
    assert not any(code in str(house.public(f"verify/{thanks.code}/index.html")) for code in seen.values())
    assert faults(house, "goodwill-voucher", "members", VOUCHER, codes="thanks") == {"E-CODES"}, "one code for five"
    house.until(house.now() + days(7), every=24 * 3600)
    house.say("lessons", "customers", LESSONS)
    assert house.ends("lessons") == ["kept"]
    assert house.ends("apology") == ["open"]
    incidents.close(house.ctx, house.ana, house.incident)
    assert house.ends("apology") == ["missed"], "it was owed within a day, and nobody said it"
    assert recounting.recount(house.ctx).differences == ()
    with pytest.raises(Refused):
        promise(house, days(1))


def pool(house, count):
    path = house.settings.work_dir / "thanks.csv"
    path.write_text("code\n" + "\n".join(f"LARK-{i:04d}" for i in range(count)))
    codes.import_file(house.ctx, house.olu, path, pool="thanks", worth="5", budget="30")


def acts(house, made):
    with house.ctx.ledger.read() as tx:
        rows = tx.all("SELECT verb, detail FROM act WHERE broadcast_id = :b ORDER BY id", b=made.id)
    return [(row.verb, row.detail) for row in rows]
