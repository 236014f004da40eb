"""The admin API as `Control` speaks it, and what it refuses."""

import json

import pytest

from dispatcher.sandbox.config import EventPlan, Fates, Fault, Faults
from dispatcher.sandbox.control import Control, Unstaged
from dispatcher.sandbox.loopback import NotLoopback
from tests.sandbox.conftest import a_mail, accounts


def test_state_tells_everything_but_secrets(plain):
    plain.mail(a_mail("ann@example.com", "ben@example.com"))
    plain.text(Body=None)
    state = plain.sandbox.state()
    assert state["accounts"]["sendgrid"]["counters"] == {"requests": 1, "accepted": 2}
    assert state["accounts"]["twilio"]["counters"] == {"requests": 1, "refused.400": 1}
    assert state["accounts"]["x"]["kind"] == "x"
    assert state["public_key"] == plain.sandbox.public_key
    for secret in ("SG.sandbox", "sandbox-token", "ann@example.com"):
        assert secret not in json.dumps(state)


def test_faults_are_set_and_taken_back(stage):
    caller = stage(faults={"*": Faults(error=1, error_status=502)})
    assert caller.mail(a_mail()).status == 502
    caller.sandbox.faults("sendgrid", Faults())
    assert caller.mail(a_mail()).status == 202
    assert caller.text().status == 502
    caller.sandbox.faults("sendgrid")
    assert caller.mail(a_mail()).status == 502


def test_fates_and_events_change_from_now_on(stage, receiver):
    caller = stage(accounts=accounts(sendgrid={"events_url": receiver.url}))
    caller.sandbox.fates(Fates(shares={"dropped": 1.0}))
    caller.sandbox.events(EventPlan(delay=(0, 0), batch_seconds=0, hold=True))
    caller.mail(a_mail())
    assert not caller.sandbox.drained(0.1)
    assert receiver.posted == []
    caller.sandbox.events(EventPlan(delay=(0, 0), batch_seconds=0))
    assert caller.sandbox.drained(5)
    assert [event["event"] for event in receiver.events] == ["dropped"]


def test_a_fate_that_a_vendor_does_not_know_is_delivered(stage):
    caller = stage(fates=Fates(shares={"unreachable": 1.0}))
    caller.mail(a_mail())
    caller.sandbox.fates(Fates(shares={"bounced": 1.0}))
    caller.text()
    caller.sandbox.fates(Fates(from_addresses=False))
    caller.mail(a_mail("bounce.1@example.com"))
    assert {line.fate for line in caller.lines()} == {"delivered"}


def test_reset_forgets_all_but_the_record(plain):
    plain.mail(a_mail("bounce.1@example.com"))
    plain.text()
    plain.post({"text": "Hello"})
    plain.sandbox.next("sendgrid", Fault.ERROR)
    plain.sandbox.faults("twilio", Faults(error=1))
    plain.sandbox.down("x", 60)
    plain.sandbox.reset()
    assert plain.sandbox.messages() == []
    assert plain.sandbox.counters("sendgrid") == {}
    assert plain.texts().json["messages"] == []
    assert [plain.mail(a_mail()).status, plain.text().status, plain.post({"text": "Hello"}).status] == [202, 201, 201]
    assert plain.tally().messages == 6


def test_the_last_messages_can_be_picked(stage):
    caller = stage(keep=3)
    caller.mail(a_mail(*[f"p{n}@example.com" for n in range(5)]))
    assert [m["key"] for m in caller.sandbox.messages()] == ["k2", "k3", "k4"]
    assert [m["key"] for m in caller.sandbox.messages(limit="1")] == ["k4"]
    caller.text(StatusCallback="http://127.0.0.1:9/?d=t1")
    assert [m["Body"] for m in caller.sandbox.messages(account="twilio")] == ["Hello"]


@pytest.mark.parametrize(
    "ask",
    [
        lambda c: c.faults("nobody", Faults()),
        lambda c: c.next("nobody", Fault.ERROR),
        lambda c: c.down("nobody", 1),
        lambda c: c.up("nobody"),
        lambda c: c.opt_out("nobody", []),
        lambda c: c.down("sendgrid", -1),
        lambda c: c.next("sendgrid", "explode"),
        lambda c: c.next("sendgrid", Fault.ERROR, times=0),
    ],
)
def test_what_cannot_be_staged_is_refused_in_words(plain, ask):
    with pytest.raises(Unstaged, match=r"no account is called|greater than|Input should be"):
        ask(plain.sandbox)


def test_a_browser_cannot_stage_anything(plain):
    answer = plain.call("POST", "/_sandbox/reset", headers={"Origin": "http://example.com"})
    assert answer.status == 403


def test_a_control_speaks_to_this_machine_only():
    with pytest.raises(NotLoopback):
        Control("http://192.0.2.1:8080")
