"""What the judge reads out of a record, whole or torn."""

import json

import pytest

from dispatcher.model.clock import SystemClock
from dispatcher.sandbox.fate import Fate
from dispatcher.sandbox.message import Message
from dispatcher.sandbox.record import hash_address, judge, lines
from dispatcher.sandbox.recorder import Recorder


def a_message(key, address="ann@example.com", account="sendgrid", text=""):
    return Message(
        vendor="sendgrid", account=account, key=key, address=address, to=hash_address(address), id=f"id-{key}",
        fate=Fate.DELIVERED, accepted_at=0.0, text=text,
    )  # fmt: skip


@pytest.fixture
def path(tmp_path):
    return tmp_path / "record.jsonl"


def written(path, *, plain=False):
    recorder = Recorder(str(path), SystemClock(), plain_addresses=plain)
    began = recorder.stamp()
    recorder.accepted([a_message("a"), a_message("b", "ben@example.com")], "r1", "202", began)
    recorder.refused("sendgrid", "sendgrid", "r2", "429", recorder.stamp())
    later = recorder.stamp()
    recorder.accepted([a_message("a")], "r3", "reset_accepted", later)
    recorder.accepted([a_message(None, text="Hello, world", account="x")], "r4", "201", began)
    recorder.close()
    return later


def test_the_judge_counts_by_key(path):
    later = written(path)
    tally = judge(path)
    assert tally.counts == {"a": 2, "b": 1}
    assert tally.duplicates == {"a": 2}
    assert [len(at) for at in tally.accepted_at.values()] == [2, 1]
    assert tally.accepted_at["a"][0] < tally.accepted_at["a"][1]
    assert tally.refused == {"429": 1}
    assert tally.by_account == {"sendgrid": 3, "x": 1}
    assert tally.requests == {"sendgrid": {"r1", "r2", "r3"}, "x": {"r4"}}
    assert tally.messages == 4
    assert tally.last_began == later.monotonic
    assert [line.text for line in tally.keyless] == ["Hello, world"]


def test_one_key_can_be_asked_for(path):
    written(path)
    assert [line.request for line in lines(path, key="a")] == ["r1", "r3"]
    assert {line.answer for line in lines(path)} == {"202", "429", "reset_accepted", "201"}


def test_an_address_is_kept_only_when_asked(path, tmp_path):
    written(path)
    assert b"ann@example.com" not in path.read_bytes()
    assert next(lines(path)).to == hash_address("ann@example.com")
    other = tmp_path / "plain.jsonl"
    written(other, plain=True)
    assert next(lines(other)).address == "ann@example.com"


def test_a_torn_line_is_counted_and_spoils_no_other(path):
    written(path)
    path.write_bytes(path.read_bytes()[:-20])
    assert judge(path).torn == 1
    written(path)
    tally = judge(path)
    assert tally.torn == 1
    assert tally.counts == {"a": 4, "b": 2}


def test_a_line_of_another_form_is_torn_too(path):
    path.write_text(json.dumps({"kind": "accepted", "colour": "red"}) + "\n\n[1]\n", encoding="utf-8")
    assert judge(path).torn == 2


def test_a_record_is_private_and_grows(path):
    written(path)
    first = path.read_bytes()
    written(path)
    assert path.read_bytes().startswith(first)
    assert path.stat().st_mode & 0o077 == 0


def test_an_empty_record_proves_nothing(path):
    path.touch()
    assert judge(path).last_began is None
    assert judge(path).messages == 0
