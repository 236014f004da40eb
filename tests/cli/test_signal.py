"""signal and playbook as they are typed."""

import json

import pytest

from tests.cli.calls import call
from tests.intake.samples import KEY, NOW
from tests.intake.table import SAMPLES


@pytest.fixture(autouse=True)
def place(tmp_path, monkeypatch):
    """A drill in a folder of its own, with an admin."""
    monkeypatch.chdir(tmp_path)
    for name in ("XDG_DATA_HOME", "XDG_STATE_HOME", "XDG_CONFIG_HOME"):
        monkeypatch.setenv(name, str(tmp_path / name))
    site = 'mode = "drill"\nwork_dir = "work"\npublic_url = "https://alerts.example.com"\n'
    text = site + '[anchor]\npath = "a/anchor.json"\n'
    (tmp_path / "dispatcher.toml").write_text(text, encoding="utf-8")
    return tmp_path


@pytest.fixture
def ada(capsys):
    assert call(capsys, "person", "add", "Ada", "--role", "admin", "--role", "author").code == 0
    return "Ada"


def test_a_door_is_opened_changed_and_shut(capsys, ada, place):
    made = call(capsys, "signal", "secret", "statuspage", "page", "--as", ada, "--json").json
    assert made["address"] == "https://alerts.example.com/signals/statuspage/page"
    assert made["address_with_token"] == f"{made['address']}.{made['value']}"
    assert call(capsys, "signal", "secret", "statuspage", "page", "--as", ada, "--json").json["valid"] == 2
    shown = call(capsys, "signal", "list", "--json").json["sources"]
    assert [(one["source"], one["secrets"]) for one in shown] == [("page", 2)]
    assert made["value"] not in json.dumps(shown)
    retired = call(capsys, "signal", "secret", "statuspage", "page", "--retire-old", "--as", ada, "--json")
    assert retired.json["retired"] == 1
    assert "1 taken back" in call(capsys, "signal", "secret", "statuspage", "page", "--close", "--as", ada).out
    assert "No door is open" in call(capsys, "signal", "list").out


def test_a_secret_of_the_tool_comes_from_a_file_and_is_not_shown(capsys, ada, place):
    (place / "key").write_text(f"{KEY}\n", encoding="utf-8")
    done = call(capsys, "signal", "secret", "pagerduty", "pages", "--file", "key", "--as", ada)
    assert done.code == 0
    assert KEY not in done.out + done.err
    assert "/signals/pagerduty/pages" in done.out


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("secret", "smoke", "x"), 3), (("secret", "pagerduty", "Not A Name"), 2), (("secret", "aws_sns", "x"), 2),
        (("secret", "opsgenie", "x", "--form", "key"), 2), (("secret", "opsgenie", "x", "--ask"), 2),
        (("replay", "7"), 4),
    ],
)  # fmt: skip
def test_what_cannot_be_is_told_with_its_code(capsys, ada, words, code):
    assert call(capsys, "signal", *words, "--as", ada).code == code


def test_only_an_admin_opens_doors(capsys, ada):
    assert call(capsys, "person", "add", "Ben", "--role", "author", "--as", ada).code == 0
    assert call(capsys, "signal", "secret", "pagerduty", "pages", "--as", "Ben").code == 5


def test_a_payload_is_tried_in_our_words(capsys, place):
    (place / "post.json").write_text(json.dumps(SAMPLES["github"].opened("R7", NOW)), encoding="utf-8")
    told = call(
        capsys, "signal", "try", "post.json", "--tool", "github", "--header", "X-GitHub-Event: issues", "--json"
    )
    (signal,) = told.json["signals"]
    assert (signal["kind"], signal["severity"], signal["playbook"]) == ("opened", "critical", "outage")
    assert (
        "shop/pay"
        in call(capsys, "signal", "try", "post.json", "--tool", "github", "--header", "x-github-event: issues").out
    )
    assert call(capsys, "signal", "try", "post.json", "--tool", "github", "--header", "nonsense").code == 2
    (place / "bad.json").write_text("{", encoding="utf-8")
    assert call(capsys, "signal", "try", "bad.json", "--tool", "github").code == 4
    assert call(capsys, "signal", "list", "--json").json == {"sources": [], "signals": []}


def test_playbooks_are_listed_tried_and_described(capsys, place):
    (place / "post.json").write_text(json.dumps(SAMPLES["alertmanager"].opened("R7", NOW)), encoding="utf-8")
    listed = call(capsys, "playbook", "list", "--json").json
    assert [one["id"] for one in listed["playbooks"]] == ["security", "supplier", "outage"]
    assert listed["broken"] == {}
    tried = call(capsys, "playbook", "try", "post.json", "--tool", "alertmanager", "--json").json["signals"][0]["trial"]
    assert (tried["playbook"], tried["promise_minutes"], tried["severity"]) == ("outage", 20, "critical")
    words = call(capsys, "playbook", "try", "post.json", "--tool", "alertmanager").out
    assert "holding-statement for customers" in words
    assert call(capsys, "playbook", "schema").out.startswith("{")
    assert "outage" in call(capsys, "playbook", "list").out
    (place / "quiet.json").write_text('{"state": "dreaming", "id": 1}', encoding="utf-8")
    assert "No playbook" in call(capsys, "playbook", "try", "quiet.json", "--tool", "generic").out
