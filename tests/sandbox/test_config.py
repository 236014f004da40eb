"""Settings that cannot be are refused with their reason, before anything listens."""

import pytest
from pydantic import ValidationError

from dispatcher.sandbox.config import Account, EventPlan, Fates, Fault, Faults, Kind, Outage, SandboxConfig


@pytest.mark.parametrize(
    ("build", "why"),
    [
        (lambda: Faults(error=0.7, reset=0.4), "more than 1"),
        (lambda: Faults(error=1.1), "less than or equal to 1"),
        (lambda: Faults(eror=0.1), "not permitted"),
        (lambda: Faults(latency=(2, 1)), "shortest, longest"),
        (lambda: Faults(error_status=200), "greater than or equal to 400"),
        (lambda: Faults(outages=(Outage(start=0, end=1, how="refuse"),)), "Input should be"),
        (lambda: Fates(shares={"bounced": 0.6, "blocked": 0.6}), "more than 1"),
        (lambda: Fates(shares={"vanished": 0.1}), "Input should be"),
        (lambda: EventPlan(batch_bytes=1), "greater than or equal to 1000"),
        (lambda: Account(name="Send Grid", kind=Kind.SENDGRID), "match pattern"),
        (lambda: SandboxConfig(faults={"nobody": Faults()}), "do not exist: nobody"),
        (lambda: SandboxConfig(accounts=(Account(name="a", kind="x"), Account(name="a", kind="smtp"))), "same name"),
    ],
)
def test_what_cannot_be_is_refused(build, why):
    with pytest.raises(ValidationError, match=why):
        build()


def test_an_account_has_its_own_faults_or_those_of_the_rest():
    config = SandboxConfig(faults={"*": Faults(error=0.1), "twilio": Faults(throttle=0.2)})
    assert config.faults_of("twilio").shares()[Fault.THROTTLE] == 0.2
    assert config.faults_of("twilio").error == 0
    assert config.faults_of("x").error == 0.1


def test_a_secret_shows_in_no_text_form():
    config = SandboxConfig()
    assert "SG.sandbox" not in repr(config) + config.model_dump_json()


def test_each_fault_says_whether_it_hides_an_acceptance():
    hiding = {fault for fault in Fault if fault.accepts}
    assert hiding == {
        Fault.ERROR_ACCEPTED, Fault.RESET_ACCEPTED, Fault.STALL_ACCEPTED, Fault.GARBAGE_ACCEPTED,
        Fault.TRUNCATED, Fault.SLOW,
    }  # fmt: skip
