"""The doors of incident tools: open with a secret, two at a time, sealed or hashed, none faster than it may."""

import dataclasses

import pytest

from dispatcher.errors import BadSignature, ConfigurationError, NotFound, NotPermitted, UsageError
from dispatcher.intake.reading import Unreadable
from dispatcher.model.person import Role
from dispatcher.services import doors, signals
from dispatcher.services.doors import Doors, TooMany
from tests.intake.samples import KEY, TOKEN
from tests.intake.table import SAMPLES
from tests.services.signal_world import open_door, open_world, person


@pytest.fixture
def world(tmp_path):
    return open_world(tmp_path)


@pytest.fixture
def either(tmp_path, database_url):
    return open_world(tmp_path, database_url)


def test_what_is_not_proved_or_not_readable_leaves_no_trace(world):
    door, sample = open_door(world, "pagerduty"), SAMPLES["pagerduty"]
    good = sample.request(sample.opened("P", world.clock.now()), world.clock.now())
    with pytest.raises(BadSignature):
        signals.take(world.ctx, door, dataclasses.replace(good, body=good.body + b" "))
    with pytest.raises(Unreadable):
        signals.take(world.ctx, door, sample.request({}, world.clock.now(), body=b"[1]"))
    assert signals.recent(world.ctx) == []


def test_a_door_is_open_once_it_has_a_secret(world):
    assert world.doors.find("pagerduty", "pages") is None
    assert world.doors.find("aws_sns", "aws_sns") is not None, "its settings name whom to expect"
    assert world.doors.find("aws_sns", "other") is None
    doors.add_secret(world.ctx, world.admin, "pagerduty", "pages", value=KEY)
    world.clock.pass_by(3)
    world.doors.refresh()
    assert world.doors.find("pagerduty", "pages") is not None
    with pytest.raises(NotFound):
        world.doors.find("pagerduty", "grafana")


def test_two_secrets_count_and_a_third_retires_the_first(either):
    world = either
    made = [doors.add_secret(world.ctx, world.admin, "opsgenie", "og") for _ in range(3)]
    assert [one.valid for one in made] == [1, 2, 2]
    assert len({one.value for one in made}) == 3
    sample = SAMPLES["opsgenie"]
    world.clock.pass_by(3)
    world.doors.refresh()
    door = world.doors.find("opsgenie", "og")
    for place, one in enumerate(made):
        request = sample.request(sample.opened(f"A{place}", world.clock.now()), world.clock.now(), value=one.value)
        if place == 0:
            with pytest.raises(BadSignature):
                signals.take(world.ctx, door, request)
        else:
            signals.take(world.ctx, door, request)
    assert doors.retire(world.ctx, world.admin, "opsgenie", "og", keep=0) == 2
    world.clock.pass_by(3)
    world.doors.refresh()
    assert world.doors.find("opsgenie", "og") is None


def test_neither_keys_nor_tokens_lie_in_the_ledger_as_they_are(world):
    doors.add_secret(world.ctx, world.admin, "pagerduty", "pages", value=KEY)
    doors.add_secret(world.ctx, world.admin, "opsgenie", "og", value=TOKEN)
    with world.ctx.ledger.read() as tx:
        kept = " ".join(row.value for row in tx.all("SELECT value FROM signal_secret"))
    assert KEY not in kept
    assert TOKEN not in kept
    key = world.settings.anchor.path.parent / "signals.key"
    assert key.stat().st_mode & 0o777 == 0o600


def test_a_host_with_another_key_opens_no_door_and_says_so(world, tmp_path):
    doors.add_secret(world.ctx, world.admin, "pagerduty", "pages", value=KEY)
    key = world.settings.anchor.path.parent / "signals.key"
    key.write_text("another")
    strange = Doors(world.ctx)
    strange.refresh()
    assert strange.find("pagerduty", "pages") is None
    with pytest.raises(ConfigurationError, match="not at hand"):
        doors.add_secret(world.ctx, world.admin, "pagerduty", "pages", value=KEY)


@pytest.mark.parametrize(
    ("tool", "source", "more", "error"),
    [
        ("pagerduty", "Pages", {}, UsageError), ("pagerduty", "pages", {"form": "token"}, UsageError),
        ("aws_sns", "aws_sns", {}, UsageError), ("opsgenie", "og", {"value": "short"}, UsageError),
        ("opsgenie", "og", {"value": "ä" * 30}, UsageError), ("opsgenie", "og", {"value": "a b" * 10}, UsageError),
    ],
)  # fmt: skip
def test_what_is_no_secret_is_refused(world, tool, source, more, error):
    with pytest.raises(error):
        doors.add_secret(world.ctx, world.admin, tool, source, **more)


def test_only_admins_change_secrets(world):
    with pytest.raises(NotPermitted):
        doors.add_secret(world.ctx, person(world, "Ana", Role.AUTHOR), "pagerduty", "pages")


def test_a_source_that_posts_too_fast_is_told_to_wait(tmp_path):
    world = open_world(tmp_path, **{"signals.og": {"tool": "opsgenie", "per_second": 2}})
    doors.add_secret(world.ctx, world.admin, "opsgenie", "og", value=TOKEN)
    doors.add_secret(world.ctx, world.admin, "opsgenie", "calm", value=TOKEN)
    world.clock.pass_by(3)
    world.doors.refresh()
    sample = SAMPLES["opsgenie"]

    def take(source, ref):
        request = sample.request(sample.opened(ref, world.clock.now()), world.clock.now())
        return signals.take(world.ctx, world.doors.find("opsgenie", source), request)

    for n in range(4):
        take("og", f"A{n}")
    with pytest.raises(TooMany) as caught:
        take("og", "A4")
    assert 0 < caught.value.wait <= 0.5
    take("calm", "B")
    world.clock.pass_by(1)
    take("og", "A5")
