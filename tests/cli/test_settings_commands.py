"""init, doctor and config as they are typed."""

import os
import pty
import subprocess
import sys
import tomllib

import pytest

from dispatcher.settings import Settings
from tests.cli.calls import call


@pytest.fixture(autouse=True)
def place(tmp_path, monkeypatch):
    """A folder without a site file, and a home of this test's own."""
    monkeypatch.chdir(tmp_path)
    for name in ("XDG_DATA_HOME", "XDG_STATE_HOME", "XDG_CONFIG_HOME"):
        monkeypatch.setenv(name, str(tmp_path / name))
    return tmp_path


def test_init_writes_a_file_that_doctor_then_reads(capsys, place):
    made = call(capsys, "init", "--yes", "--set", "organisation.name=Shop", "--json")
    assert made.code == 0
    assert made.json["file"] == str(place / "dispatcher.toml")
    assert Settings.load(env={}, folder=place).organisation.name == "Shop"
    looked = call(capsys, "doctor", "--json")
    assert looked.code == 0
    assert looked.json["well"] is True
    assert {"about", "health", "said", "mend"} == set(looked.json["findings"][0])
    assert str(place / "dispatcher.toml") in str(looked.json)


def test_init_names_the_variables_of_its_accounts(capsys):
    made = call(capsys, "init", "--yes", "--account", "eu=sendgrid", "--set", "providers.eu.sender=care@example.com")
    assert made.code == 0
    assert "DISPATCHER_PROVIDERS__EU__API_KEY" in made.out
    assert "dispatcher doctor" in made.out


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--set", "organisation.nmae=x"], "asks for no organisation.nmae"),
        (["--set", "organisation.name"], "has no value"),
        (["--account", "carrier-pigeon"], "No provider is called"),
    ],
)
def test_init_refuses_what_it_does_not_know(capsys, place, words, said):
    answer = call(capsys, "init", "--yes", "--json", *words)
    assert answer.code == 2
    assert said in answer.error["what"]
    assert answer.error["mend"]
    assert list(place.glob("*.toml")) == []


def test_init_keeps_a_file_unless_forced(capsys, place):
    (place / "dispatcher.toml").write_text("port = 1\n")
    assert call(capsys, "init", "--yes").code == 2
    assert (place / "dispatcher.toml").read_text() == "port = 1\n"
    assert call(capsys, "init", "--yes", "--force").code == 0


def test_init_asks_in_a_terminal(place):
    """A real pseudo-terminal: one line per question, Enter for the default."""
    ours, theirs = pty.openpty()
    asked = subprocess.Popen(
        [sys.executable, "-m", "dispatcher", "init", "--account", "sendgrid"],
        stdin=theirs,
        stdout=subprocess.DEVNULL,
        stderr=theirs,
        env={k: v for k, v in os.environ.items() if not k.startswith("COV")},
    )
    os.write(ours, b"Shop\n" + b"\n" * 11 + b"care@example.com\n")
    assert asked.wait(20) == 0
    os.close(ours)
    os.close(theirs)
    written = tomllib.loads((place / "dispatcher.toml").read_text())
    assert written["organisation"]["name"] == "Shop"
    assert written["organisation"]["domain"] == "example.com"
    assert written["providers"]["sendgrid"] == {"kind": "sendgrid", "sender": "care@example.com"}


def test_doctor_exits_3_and_names_the_mend(capsys, monkeypatch):
    monkeypatch.setenv("DISPATCHER_REDIS_URL", "redis://:hunter22@127.0.0.1:1/0")
    plain = call(capsys, "doctor", "--plain")
    assert plain.code == 3
    line = next(line for line in plain.out.splitlines() if "redis" in line)
    assert line.startswith("fail redis")
    assert "Mend:" in plain.out
    assert "hunter22" not in plain.out + plain.err
    assert "✖ redis" in call(capsys, "doctor", "--no-color").out


def test_doctor_with_settings_that_cannot_be_read(capsys, monkeypatch):
    monkeypatch.setenv("DISPATCHER_PORT", "hunter22")
    answer = call(capsys, "doctor", "--json")
    assert answer.code == 3
    assert "DISPATCHER_PORT" in answer.error["why"]
    assert "hunter22" not in answer.err


def test_where_tells_of_one_key(capsys, monkeypatch):
    monkeypatch.setenv("DISPATCHER_PORT", "9000")
    answer = call(capsys, "config", "where", "port", "--json")
    assert answer.json == {
        "key": "port",
        "value": "9000",
        "from": "environment",
        "where": "DISPATCHER_PORT",
        "variable": "DISPATCHER_PORT",
    }
    assert "DISPATCHER_PORT" in call(capsys, "config", "where", "port").out


def test_where_tells_of_every_key(capsys, monkeypatch):
    monkeypatch.setenv("DISPATCHER_PROVIDERS__SENDGRID__API_KEY", "hunter22")
    listed = call(capsys, "config", "where")
    assert "dispatch.retry.factor" in listed.out
    assert "providers.sendgrid.api_key" in listed.out
    assert "hunter22" not in listed.out
    assert len(call(capsys, "config", "where", "--json").json["settings"]) > 40


def test_where_of_an_unknown_key_suggests_one(capsys):
    answer = call(capsys, "config", "where", "dispatch.lease_second", "--json")
    assert answer.code == 3
    assert answer.error["mend"] == ["Did you mean dispatch.lease_seconds?"]


def test_schema_is_json(capsys):
    assert call(capsys, "config", "schema").json["properties"]["port"]
