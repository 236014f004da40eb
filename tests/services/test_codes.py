"""Goodwill codes: taken in whole or not at all, one to a person, given back only where certainly nothing was sent."""

import json
import logging

import pytest

from dispatcher.errors import NotFound, Refused
from dispatcher.ledger import audiences, broadcasts, controls, meta
from dispatcher.model.clock import to_ms
from dispatcher.model.kinds import Channel, Mode, Severity
from dispatcher.model.outcome import Accepted, NotSent, OutcomeUnknown, Rejected
from dispatcher.model.person import Level, Person, Role
from dispatcher.services import (
    accounting,
    approval,
    checking,
    drafting,
    hold,
    previewing,
    recounting,
    settling,
    ticking,
)
from dispatcher.services import codes as service
from dispatcher.services.drafting import Draft
from tests.services.world import OPERATOR, World

AUTHOR = Person(2, "Ana", roles=frozenset({Role.AUTHOR}), level=Level.COMMS_LEAD)
FACTS = {
    ("value", None): "5 pounds off your next shop, whatever you spend",
    ("how_to_use", None): "Show the code at the till, or type it in when you order online.",
    ("terms", None): "One code per person. It counts in all our stores. There is no least spend.",
    ("ends", None): "2026-12-31 23:59 Europe/London",
}


class Seen:
    """Who was told which code, by what the vendor got."""

    def __init__(self, world):
        self.world, self.codes = world, {}

    def take(self, answer):
        def send(envelopes):
            for one in envelopes:
                self.codes.setdefault(one.address, []).append(one.values["code"])
            return [answer(one) if callable(answer) else answer for one in envelopes]

        return send


@pytest.fixture
def world(tmp_path, database_url):
    made = World(tmp_path, database_url, mode="drill")
    yield made
    made.ctx.ledger.close()


def pool(world, number, name="thanks", *, prefix="GIFT", **how):
    path = world.settings.work_dir / f"{name}.csv"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("code\n" + "\n".join(f"{prefix}-{i:05d}" for i in range(number)))
    return service.import_file(world.ctx, OPERATOR, path, pool=name, **how)


def people(world, number):
    with world.ctx.ledger.write() as tx:
        version = audiences.open_version(
            tx, "customers", fields=["name"], source="x", region="", imported_by=None, now=0
        )
        lines = ((i, f"p{i}@example.com", f"+4477009{i:05d}", "en", '{"name":"P"}') for i in range(1, number + 1))
        return audiences.fill(tx, version.id, lines)


def drafted(world, **more):
    wanted = {"template": "goodwill-voucher", "audience": "customers", "facts": FACTS, "mode": Mode.DRILL,
              "codes": "thanks", "severity": Severity.MAJOR}  # fmt: skip
    return drafting.draft(world.ctx, AUTHOR, Draft(**wanted | more))


def sent(world, made):
    """Released as an approved one is; the approval itself is not what is looked at here."""
    now = to_ms(world.clock.now())
    with world.ctx.ledger.write() as tx:
        found = broadcasts.get(tx, made.id)
        until = now + found.plan.expires_after * 1000
        controls.move(tx, made.id, "released", now, release_at=now, expires_at=until)
        broadcasts.change(tx, made.id, state="released", release_at=now, expires_at=until)


@pytest.fixture
def channels(world):
    return world.add_account("mail", Channel.EMAIL), world.add_account("text", Channel.SMS, most=1)


def free(world, name="thanks"):
    [found] = [one for one in service.listing(world.ctx) if one.name == name]
    return found.free, found.bound


def reconciles(world):
    assert recounting.recount(world.ctx).differences == ()


def test_everybody_gets_one_code_on_every_channel_and_nobody_elses(world, channels):
    mail, text = channels
    pool(world, 30)
    people(world, 20)
    seen = Seen(world)
    mail.script.append(seen.take(Accepted("m")))
    text.script.extend([seen.take(Accepted("t"))] * 20)
    made = approval.submit(world.ctx, AUTHOR, drafted(world).ref)
    assert free(world) == (10, 20)
    sent(world, made)
    world.drain("email")
    world.drain("sms")
    by_person = [set(seen.codes[f"p{i}@example.com"] + seen.codes[f"+4477009{i:05d}"]) for i in range(1, 21)]
    assert all(len(one) == 1 for one in by_person)
    assert len(set().union(*by_person)) == 20
    told = accounting.show(world.ctx, made.ref).as_dict()["codes"]
    assert told == {"pool": "thanks", "bound": 20, "given_back": 0, "issued": 20, "worth": 0}
    reconciles(world)


def test_a_retry_carries_the_same_code(world, channels):
    mail, _ = channels
    pool(world, 5)
    people(world, 5)
    seen = Seen(world)
    mail.script.extend([seen.take(NotSent("refused")), seen.take(Accepted("m"))])
    made = approval.submit(world.ctx, AUTHOR, drafted(world, channels=[Channel.EMAIL]).ref)
    sent(world, made)
    world.drain("email")
    world.clock.pass_by(60)
    world.drain("email")
    assert [len(told) for told in seen.codes.values()] == [2] * 5
    assert all(len(set(told)) == 1 for told in seen.codes.values())


def test_the_digest_is_over_the_codes_and_a_changed_one_is_never_sent(world, channels):
    mail, _ = channels
    pool(world, 5)
    people(world, 3)
    made = approval.submit(world.ctx, AUTHOR, drafted(world, channels=[Channel.EMAIL]).ref)
    sent(world, made)
    with world.ctx.ledger.write() as tx:
        tx.change("UPDATE code SET words = 'STOLEN-1' WHERE no = 2")
    world.drain("email")
    assert mail.calls == []
    with world.ctx.ledger.read() as tx:
        assert controls.of(tx, made.id)["email"].state == "paused"


def test_a_plan_taken_back_gives_its_codes_back(world, channels):
    pool(world, 5)
    people(world, 5)
    made = approval.submit(world.ctx, AUTHOR, drafted(world).ref)
    assert free(world) == (0, 5)
    drafting.edit(world.ctx, AUTHOR, made.ref, {}, "another title")
    assert free(world) == (5, 0)
    approval.submit(world.ctx, AUTHOR, made.ref)
    assert free(world) == (0, 5)
    reconciles(world)


def test_too_few_codes_are_refused_with_the_numbers_before_and_in_the_submit(world, channels):
    pool(world, 5)
    people(world, 4)
    first, second = drafted(world), drafted(world)
    approval.submit(world.ctx, AUTHOR, first.ref)
    with pytest.raises(Refused) as refused:
        approval.submit(world.ctx, AUTHOR, second.ref)
    assert refused.value.exit_code == 4
    assert refused.value.code == "E-CODES"
    assert "1 codes left for 4 people" in str(refused.value)
    with world.ctx.ledger.write() as tx, pytest.raises(Refused):
        service.bind(tx, broadcasts.get(tx, second.id), 4)
    assert free(world) == (1, 4)


def test_the_budget_is_a_cap_on_what_all_codes_of_a_pool_cost(world, channels):
    pool(world, 10, worth="12.50", budget="50")
    people(world, 5)
    found = checking.check(world.ctx, drafted(world).ref)
    words = [one.what for one in found.findings if one.code == "E-CODES"]
    assert words == ["5 codes would cost 62.50; the budget of thanks has 50 left."]
    pool(world, 10, budget="62.5")
    made = drafted(world)
    approval.submit(world.ctx, AUTHOR, made.ref)
    assert accounting.show(world.ctx, made.ref).as_dict()["codes"]["worth"] == 62.5


def test_suppressed_people_are_given_none(world, channels):
    pool(world, 10)
    people(world, 5)
    with world.ctx.ledger.write() as tx:
        tx.change(
            "INSERT INTO suppression (channel, address, scope, reason, source, created_at)"
            " VALUES ('email', 'p1@example.com', 'promotional', 'unsubscribed', 'x', 1)"
        )
    approval.submit(world.ctx, AUTHOR, drafted(world, channels=[Channel.EMAIL]).ref)
    assert free(world) == (6, 4)


def _stopped(world, made):
    with world.ctx.ledger.write() as tx:
        controls.move(tx, made.id, "stopped", to_ms(world.clock.now()))
        broadcasts.change(tx, made.id, state="stopped")
    ticking.tick(world.ctx)


def test_a_stop_gives_back_what_nobody_can_have_read_and_nothing_else(world, channels):
    """Of six: accepted, lost answer, refused for good, certainly not sent, opted out, never tried."""
    mail, _ = channels
    mail.recipients_per_request = 1
    pool(world, 6)
    people(world, 6)
    seen = Seen(world)
    answers = [Accepted("m"), OutcomeUnknown("lost"), Rejected("no such mailbox"), NotSent("shut")]
    made = approval.submit(world.ctx, AUTHOR, drafted(world, channels=[Channel.EMAIL]).ref)
    mail.script.extend(seen.take(one) for one in answers)
    mail.script.extend([seen.take(NotSent("shut"))] * 4)
    sent(world, made)
    world.ctx.accounts["mail"].settings.in_flight = 1
    world.drain("email", rounds=1)
    _stopped(world, made)
    with world.ctx.ledger.read() as tx:
        kept = {
            row.rid
            for row in tx.all("SELECT rid FROM code_binding WHERE broadcast_id = :b AND released_at IS NULL", b=made.id)
        }
    assert kept == {1, 2}
    assert free(world) == (4, 2)
    ticking.tick(world.ctx)
    assert free(world) == (4, 2)
    reconciles(world)


def test_a_code_stays_with_whom_a_call_was_intended_for_of_which_nothing_more_is_known(world, channels):
    pool(world, 2)
    people(world, 2)
    made = approval.submit(world.ctx, AUTHOR, drafted(world, channels=[Channel.EMAIL]).ref)
    sent(world, made)
    with world.ctx.ledger.write() as tx:
        tx.change("UPDATE delivery SET attempt_id = 99 WHERE broadcast_id = :b AND rid = 1", b=made.id)
    _stopped(world, made)
    with world.ctx.ledger.read() as tx:
        assert tx.scalar("SELECT rid FROM code_binding WHERE released_at IS NULL") == 1
    assert free(world) == (1, 1)


def test_what_came_back_is_issued_last_and_to_one_person(world, channels):
    pool(world, 8)
    people(world, 4)
    made = approval.submit(world.ctx, AUTHOR, drafted(world, channels=[Channel.EMAIL]).ref)
    sent(world, made)
    _stopped(world, made)
    assert free(world) == (8, 0)
    second = approval.submit(world.ctx, AUTHOR, drafted(world, channels=[Channel.EMAIL]).ref)
    with world.ctx.ledger.read() as tx:
        taken = [row.no for row in tx.all("SELECT no FROM code_binding WHERE broadcast_id = :b", b=second.id)]
    assert sorted(taken) == [5, 6, 7, 8]


def test_a_delivery_whose_code_went_back_is_never_retried(world, channels):
    mail, _ = channels
    pool(world, 3)
    people(world, 3)
    made = approval.submit(world.ctx, AUTHOR, drafted(world, channels=[Channel.EMAIL], expires_hours=1).ref)
    mail.script.append(Seen(world).take(Rejected("no")))
    sent(world, made)
    world.drain("email")
    ticking.tick(world.ctx)
    assert free(world) == (0, 3)
    assert settling.retry(world.ctx, OPERATOR, made.ref) == 3
    mail.script.append(Seen(world).take(Rejected("no")))
    world.drain("email")
    world.clock.pass_by(3700)
    ticking.tick(world.ctx)
    assert free(world) == (3, 0)
    world.clock.pass_by(-3700)
    assert settling.retry(world.ctx, OPERATOR, made.ref) == 0


def test_after_a_restored_copy_pools_are_closed_until_a_person_says_otherwise(world, channels):
    pool(world, 3)
    people(world, 3)
    hold._hold(world.ctx, "The ledger is behind its anchor.")
    with world.ctx.ledger.write() as tx:
        meta.drop(tx, "hold")
    with pytest.raises(Refused, match="closed"):
        approval.submit(world.ctx, AUTHOR, drafted(world).ref)
    with pytest.raises(Refused):
        service.reopen(world.ctx, OPERATOR, "thanks", " ")
    service.reopen(world.ctx, OPERATOR, "thanks", "the till knows of none")
    approval.submit(world.ctx, AUTHOR, drafted(world).ref)
    assert free(world) == (0, 3)


# --- when a draft may not have codes


def test_codes_want_a_pool_a_slot_on_each_channel_and_a_message_of_their_own(world, channels):
    people(world, 2)
    with pytest.raises(NotFound):
        drafted(world)
    pool(world, 5)
    made = drafted(world, template="holding-statement", facts={}, codes="thanks", channels=[Channel.EMAIL])
    with world.ctx.ledger.read() as tx:
        told = [what for what, _, _ in service.faults(tx, made, [], 2)]
    assert told == ["Codes may not stand in a service message."]


def test_thanks_wait_until_the_incident_is_over(world, channels):
    from dispatcher.services import incidents

    pool(world, 5)
    people(world, 2)
    opened = incidents.open_incident(world.ctx, AUTHOR, incidents.Opening("Orders stopped", Severity.MAJOR))
    made = drafted(world, incident=opened.ref)
    words = [one.what for one in checking.check(world.ctx, made.ref).findings if one.code == "E-CODES"]
    assert words == [f"{opened.ref} is not over: it is investigating."]


# --- secrets


def test_no_code_is_seen_before_it_is_sent(world, channels, caplog):
    caplog.set_level(logging.DEBUG)
    pool(world, 5, prefix="QQSECRETQQ")
    people(world, 3)
    made = drafted(world)
    approval.submit(world.ctx, AUTHOR, made.ref)
    looked = [str(one.as_dict()) for one in previewing.preview(world.ctx, made.ref)]
    assert any("EXAMPLE-CODE" in one for one in looked)
    shown = json.dumps(accounting.show(world.ctx, made.ref).as_dict(), default=str)
    checked = str(checking.check(world.ctx, made.ref).as_dict())
    everything = [*looked, shown, checked, str(service.listing(world.ctx)), caplog.text]
    assert not any("QQSECRETQQ" in one for one in everything)


def test_a_text_is_measured_with_a_code_as_long_as_the_longest(world, channels):
    people(world, 1)
    pool(world, 1, "short", prefix="A")
    pool(world, 1, "long", prefix="A" * 55)
    short, long = (checking.check(world.ctx, drafted(world, codes=name).ref) for name in ("short", "long"))
    assert long.channels["sms"].segments >= short.channels["sms"].segments
    with world.ctx.ledger.read() as tx:
        assert len(service.sample(tx, drafted_plan(world, tx, "long"))["code"]) == 61


def drafted_plan(world, tx, name):
    return next(one for one in broadcasts.recent(tx) if one.plan.codes == name)
