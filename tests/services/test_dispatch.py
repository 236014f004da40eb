"""Hand-over by the real ledger: whatever the vendor answers, everybody is accounted for and nobody is told twice."""

import asyncio
from dataclasses import replace

import pytest

from dispatcher.ledger import attempts, controls, suppressions
from dispatcher.model.clock import to_ms
from dispatcher.model.kinds import Channel, Policy
from dispatcher.model.outcome import Accepted, Misconfigured, NotSent, OutcomeUnknown, Rejected, Throttled
from dispatcher.services import dispatch, routing, ticking
from dispatcher.services.handover import hand_over
from dispatcher.services.intents import LeaseLost
from tests.services.world import SMS_AFTER_EMAIL, UNKNOWN, World


@pytest.fixture
def world(tmp_path, database_url):
    made = World(tmp_path, database_url)
    yield made
    made.ctx.ledger.close()


def _email(world, people=450, after=0, **more):
    vendor = world.add_account("mail", Channel.EMAIL)
    world.audience(people)
    made = world.broadcast(["email"], {"email": ["mail"]}, **more)
    world.release(made, after=after)
    return vendor, made


def test_everybody_is_told_once(world):
    vendor, made = _email(world, 2500)
    world.drain("email")
    assert len(vendor.told) == len(set(vendor.told)) == 2500
    assert max(map(len, vendor.calls)) == 200
    assert world.sums(made, "email") == {"planned": 2500, "accepted": 2500}


def test_nothing_goes_before_its_time_or_after_it(world):
    vendor, _ = _email(world, 10, after=60)
    world.drain("email")
    assert vendor.calls == []
    world.clock.pass_by(61)
    world.drain("email")
    assert len(vendor.told) == 10


def test_a_request_refused_whole_costs_only_the_bad_recipient(world):
    vendor, made = _email(world, 100)
    bad = "p37@example.com"

    def answer(envelopes):
        spoiled = any(e.address == bad for e in envelopes)
        verdict = Rejected("bad address", isolate=len(envelopes) > 1) if spoiled else Accepted("m")
        return [verdict] * len(envelopes)

    vendor.script.extend([answer] * 60)
    world.drain("email")
    assert world.sums(made, "email") == {"planned": 100, "accepted": 99, "failed": 1}
    assert len(vendor.told) == len(set(vendor.told)) == 99


def test_two_requests_refused_whole_at_the_same_time_cost_only_the_bad_recipients(world):
    vendor, made = _email(world, 500)
    bad = {"p37@example.com", "p237@example.com"}

    def answer(envelopes):
        spoiled = any(e.address in bad for e in envelopes)
        verdict = Rejected("bad address", isolate=len(envelopes) > 1) if spoiled else Accepted("m")
        return [verdict] * len(envelopes)

    vendor.script.extend([answer] * 80)
    for _ in range(3):
        world.drain("email")
    assert world.sums(made, "email") == {"planned": 500, "accepted": 498, "failed": 2}
    assert len(vendor.told) == len(set(vendor.told)) == 498
    assert len(vendor.calls) < 80


def test_a_lost_answer_is_unknown_and_never_sent_again(world):
    vendor, made = _email(world, 300)
    vendor.script.append(UNKNOWN)
    world.drain("email")
    world.clock.pass_by(3000)
    world.drain("email")
    ticking.tick(world.ctx)
    assert world.sums(made, "email") == {"planned": 300, "unknown": 200, "accepted": 100}
    assert len(vendor.calls) == 2


def test_at_least_once_sends_again_after_the_settle_time_and_says_so(world):
    vendor, made = _email(world, 40, policy=Policy.AT_LEAST_ONCE)
    vendor.script.append(UNKNOWN)
    world.drain("email")
    assert world.sums(made, "email") == {"planned": 40, "unknown": 40}
    world.clock.pass_by(901)
    world.drain("email")
    assert world.sums(made, "email") == {"planned": 40, "accepted": 40}
    with world.ctx.ledger.read() as tx:
        assert tx.scalar("SELECT count(*) FROM anomaly WHERE kind = 'possible repeat'") == 40


def test_the_vendors_word_settles_the_unknown(world):
    vendor, made = _email(world, 3)
    vendor.script.append(UNKNOWN)
    vendor.found = {"p1@example.com": Accepted("found"), "p2@example.com": Rejected("refused")}
    world.drain("email")
    world.clock.pass_by(901)
    world.drain("email")
    assert world.sums(made, "email") == {"planned": 3, "accepted": 1, "failed": 1, "unknown": 1}


def test_who_opts_out_after_approval_is_left_out(world):
    vendor, made = _email(world, 500)
    with world.ctx.ledger.write() as tx:
        suppressions.suppress_addresses(tx, [(made, 3, "opt_out", 1), (made, 250, "opt_out", 1)], "test", 1)
    world.drain("email")
    assert world.sums(made, "email") == {"planned": 500, "suppressed": 2, "accepted": 498}
    assert not {"p4@example.com", "p251@example.com"} & {address for address, _ in vendor.told}


def test_who_opts_out_while_a_batch_is_under_way_is_left_out(world):
    vendor, made = _email(world, 600)

    def opt_out_meanwhile(envelopes):
        with world.ctx.ledger.write() as tx:
            suppressions.suppress_addresses(tx, [(made, 599, "opt_out", 1)], "test", 1)
        return [Accepted("m")] * len(envelopes)

    world.ctx.accounts["mail"].settings.in_flight = 2
    vendor.script.append(opt_out_meanwhile)
    world.drain("email")
    assert world.sums(made, "email") == {"planned": 600, "suppressed": 1, "accepted": 599}


def test_an_opt_out_that_was_committed_late_is_heeded_whatever_its_number(world):
    """Numbers are given before the commit: one that comes late may be lower than what was seen."""
    vendor, made = _email(world, 3)
    with world.ctx.ledger.write() as tx:
        suppressions.suppress_addresses(tx, [(made, 0, "opt_out", 1)], "test", 1)
        tx.change("UPDATE suppression SET id = 1000")
    claim = dispatch._claim(world.ctx, Channel.EMAIL)
    work = dispatch._prepare(world.ctx, claim, routing.choose(world.ctx, claim))
    with world.ctx.ledger.write() as tx:
        suppressions.suppress_addresses(tx, [(made, 1, "opt_out", 1)], "test", 1)
        tx.change("UPDATE suppression SET id = 7 WHERE id <> 1000")
    asyncio.run(hand_over(world.ctx, work, lambda: False))
    assert [address for address, _ in vendor.told] == ["p3@example.com"]
    assert world.sums(made, "email") == {"planned": 3, "suppressed": 2, "accepted": 1}


def test_an_opt_out_in_the_answer_suppresses_the_address(world):
    vendor, _made = _email(world, 1)
    vendor.script.append(Rejected("opted out", suppresses="opt_out"))
    world.drain("email")
    with world.ctx.ledger.read() as tx:
        assert tx.all("SELECT channel, address, reason FROM suppression") == [("email", "p1@example.com", "opt_out")]


@pytest.mark.parametrize(("state", "term"), [("stopped", "cancelled"), ("paused", "held")])
def test_after_stop_or_pause_nothing_starts(world, state, term):
    vendor, made = _email(world, 3000)

    def halt(envelopes):
        with world.ctx.ledger.write() as tx:
            controls.move(tx, made, state, to_ms(world.clock.now()))
        return [Accepted("m")] * len(envelopes)

    vendor.script.append(halt)
    world.drain("email")
    assert len(vendor.calls) <= 2 * 4 + 1
    sums = world.sums(made, "email")
    assert sums["accepted"] + sums["waiting"] == 3000


def test_a_frozen_channel_sends_nothing_until_it_is_thawed(world):
    vendor, _made = _email(world, 10)
    with world.ctx.ledger.write() as tx:
        controls.freeze(tx, "email", "in strange hands", 1)
    world.drain("email")
    assert vendor.calls == []
    with world.ctx.ledger.write() as tx:
        controls.thaw(tx, "email")
    world.drain("email")
    assert len(vendor.told) == 10


def test_a_changed_recipient_stops_the_channel(world):
    vendor, made = _email(world, 10)
    with world.ctx.ledger.write() as tx:
        tx.change("UPDATE recipient SET email = 'other@example.com' WHERE rid = 5")
    world.drain("email")
    assert vendor.calls == []
    with world.ctx.ledger.read() as tx:
        assert controls.of(tx, made)["email"].state == "paused"


def test_wrong_credentials_stop_the_account_and_cost_nobody(world):
    vendor, made = _email(world, 3000)
    vendor.script.extend([Misconfigured("key refused")] * 99)
    world.drain("email")
    world.clock.pass_by(600)
    world.drain("email")
    assert world.sums(made, "email") == {"planned": 3000, "waiting": 3000}
    assert len(vendor.calls) <= 8


def test_a_broken_account_fails_over_to_the_next(world):
    vendor, made = _email(world, 10)
    other = world.add_account("spare", Channel.EMAIL)
    with world.ctx.ledger.write() as tx:
        tx.change('UPDATE broadcast SET plan = replace(plan, \'["mail"]\', \'["mail","spare"]\')')
    vendor.script.extend([NotSent("refused")] * 99)
    for _ in range(8):
        world.drain("email")
        world.clock.pass_by(20)
    assert len(other.told) == 10
    assert world.sums(made, "email") == {"planned": 10, "accepted": 10}


def test_an_unknown_is_never_handed_to_another_account(world):
    vendor, made = _email(world, 10)
    other = world.add_account("spare", Channel.EMAIL)
    with world.ctx.ledger.write() as tx:
        tx.change('UPDATE broadcast SET plan = replace(plan, \'["mail"]\', \'["mail","spare"]\')')
    vendor.script.append(OutcomeUnknown("reset"))
    for _ in range(8):
        world.drain("email")
        world.clock.pass_by(400)
    assert other.calls == []
    assert world.sums(made, "email") == {"planned": 10, "unknown": 10}


def test_a_silent_worker_leaves_unknowns_and_its_late_truth_still_lands(world):
    _vendor, made = _email(world, 10)
    now, claim = to_ms(world.clock.now()), world.claimed("email")
    request = world.intended(claim, "mail", 0, 9)
    world.clock.pass_by(60 + 16)
    ticking.tick(world.ctx)
    assert world.sums(made, "email") == {"planned": 10, "unknown": 10}

    def intend_again():
        with world.ctx.ledger.write() as tx:
            [fresh] = attempts.attempt_ids(tx, 1)
            if not attempts.intend(tx, claim, "mail", [replace(request, attempt_id=fresh)], now, now + 60_000):
                raise LeaseLost  # which undoes what was written on the way

    with pytest.raises(LeaseLost):
        intend_again()
    late = [attempts.Finding(request.attempt_id, 0, 9, attempts.D.ACCEPTED, 10)]
    with world.ctx.ledger.write() as tx:
        attempts.record(tx, made, 0, late, [attempts.Closing(request, "mail", "accepted", 10, "m", None)], now)
    assert world.sums(made, "email") == {"planned": 10, "accepted": 10}


def test_a_thread_goes_on_where_its_last_proved_part_ended(world):
    vendor = world.add_account("x1", Channel.SOCIAL, most=1)
    made = world.broadcast(["social"], {"social": ["x1"]}, posts=("a", "b", "c"), version=None)
    world.release(made)
    vendor.script.extend([Accepted("t1"), NotSent("refused")])
    world.drain("social")
    assert vendor.told == [("x1", 1)]
    world.clock.pass_by(60)
    world.drain("social")
    assert vendor.told == [("x1", 1), ("x1", 2), ("x1", 3)]
    assert world.sums(made, "social") == {"planned": 1, "accepted": 1}


def test_a_thread_whose_part_was_lost_resumes_after_proof(world):
    vendor = world.add_account("x1", Channel.SOCIAL, most=1)
    made = world.broadcast(["social"], {"social": ["x1"]}, posts=("a", "b"), version=None)
    world.release(made)
    vendor.script.append(UNKNOWN)
    vendor.found = {"x1": Accepted("t1")}
    world.drain("social")
    assert world.sums(made, "social") == {"planned": 1, "unknown": 1}
    world.clock.pass_by(121)
    world.drain("social")
    world.drain("social")
    assert vendor.told == [("x1", 2)]
    assert world.sums(made, "social") == {"planned": 1, "accepted": 1}


def test_the_rest_expires_and_the_broadcast_ends(world):
    vendor, made = _email(world, 20, expires=100)
    vendor.script.extend([Throttled(500.0)])
    world.drain("email")
    world.clock.pass_by(101)
    ticking.tick(world.ctx)
    world.drain("email")
    assert len(vendor.calls) == 1
    with world.ctx.ledger.read() as tx:
        assert controls.of(tx, made)["email"].state == "expired"


def test_a_release_that_comes_due_during_an_outage_waits_for_a_person(world):
    vendor, made = _email(world, 20)
    world.clock.pass_by(16 * 60)
    world.drain("email")
    ticking.tick(world.ctx)
    assert vendor.calls == []
    with world.ctx.ledger.read() as tx:
        assert controls.of(tx, made)["email"].state == "late"


def test_sms_falls_back_only_for_those_email_did_not_reach(world):
    mail = world.add_account("mail", Channel.EMAIL)
    text = world.add_account("text", Channel.SMS, most=1)
    world.audience(4, no_email={4})
    made = world.broadcast(["email", "sms"], {"email": ["mail"], "sms": ["text"]}, fallback=SMS_AFTER_EMAIL)
    world.release(made)
    mail.script.append([Rejected("bounced"), OutcomeUnknown("lost"), Accepted("m")])
    world.drain("email")
    ticking.tick(world.ctx)
    world.drain("sms")
    assert [address for address, _ in text.told] == ["+447700900001", "+447700900004"]
    world.clock.pass_by(650)
    ticking.tick(world.ctx)
    world.drain("sms")
    assert [address for address, _ in text.told][2:] == ["+447700900003"]
    assert world.sums(made, "sms")["fallback"] == 1


def test_a_drain_says_whether_there_is_more(world):
    import asyncio

    _email(world, 10)
    done = asyncio.run(dispatch.drain(world.ctx, "email", seconds=1e9))
    assert (done.batches, done.deliveries, done.more) == (1, 10, False)


def test_a_daily_cap_is_never_passed_and_the_rest_goes_the_next_day(world):
    vendor = world.add_account("mail", Channel.EMAIL, per_day=300)
    world.audience(500)
    made = world.broadcast(["email"], {"email": ["mail"]}, expires=3 * 86400)
    world.release(made)
    world.drain("email")
    assert 100 <= len(vendor.told) <= 300
    first = len(vendor.told)
    world.clock.pass_by(86_400)
    world.drain("email")
    assert len(vendor.told) - first <= 300
    world.clock.pass_by(86_400)
    world.drain("email")
    assert world.sums(made, "email") == {"planned": 500, "accepted": 500}


def test_a_money_cap_counts_every_part_of_a_text(world):
    vendor = world.add_account("text", Channel.SMS, most=1, unit_cost=0.1, spend_cap=1.0)
    world.audience(50)
    made = world.broadcast(["sms"], {"sms": ["text"]})
    world.release(made)
    world.drain("sms")
    assert len(vendor.told) <= 10


def test_a_mended_account_gets_its_work_back_by_steps(world):
    vendor, made = _email(world, 10)
    other = world.add_account("spare", Channel.EMAIL)
    with world.ctx.ledger.write() as tx:
        tx.change("UPDATE account SET state = 'broken', probe_at = 0 WHERE name = 'mail'")
        tx.change('UPDATE broadcast SET plan = replace(plan, \'["mail"]\', \'["mail","spare"]\')')
    world.drain("email")
    assert len(vendor.told) == 10
    with world.ctx.ledger.read() as tx:
        assert tx.one("SELECT state, weight FROM account WHERE name = 'mail'") == ("open", 10)
    assert other.told == []
    assert world.sums(made, "email") == {"planned": 10, "accepted": 10}


def test_who_had_enough_promotion_lately_is_left_out_with_the_reason(world):
    from dispatcher.ledger import planning
    from dispatcher.ledger.sparing import Sparing

    world.add_account("mail", Channel.EMAIL)
    world.audience(4)
    for _ in range(2):
        made = world.broadcast(["email"], {"email": ["mail"]})
        world.release(made)
        with world.ctx.ledger.write() as tx:
            tx.change("UPDATE broadcast SET purpose = 'promotional' WHERE id = :b", b=made)
    world.vendors["mail"].script.append([Accepted("m"), Rejected("no"), Accepted("m"), Accepted("m")])
    world.drain("email")
    with world.ctx.ledger.write() as tx:
        enough = Sparing(most=2, most_since=to_ms(world.clock.now()) - 1000, mode="drill")
        group = planning.Group(Channel.EMAIL, 1, ("en", None), sparing=enough)
        planning.expand(tx, 99, 1, ["all", "promotional"], group, 0)
        rows = tx.all("SELECT state, reason FROM delivery WHERE broadcast_id = 99 ORDER BY seq")
    often = (1, "told often enough lately")
    assert [tuple(row) for row in rows] == [often, (0, None), often, often]
