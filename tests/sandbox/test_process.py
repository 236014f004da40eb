"""The sandbox as a process: its flags, its end, and a record that survives the worst."""

import json
import os
import signal
import subprocess
import sys
import threading
from http.client import HTTPConnection, HTTPException
from urllib.parse import urlsplit

import pytest

from dispatcher.sandbox.config import Fault
from dispatcher.sandbox.control import Control
from dispatcher.sandbox.process import configure, main, parser
from dispatcher.sandbox.record import judge
from tests.sandbox.conftest import a_mail, until

COMMAND = (sys.executable, "-m", "dispatcher.sandbox")


@pytest.fixture
def launch(tmp_path):
    """Starts processes; returns one with what its ready file says."""
    started = []

    def start(*flags, stdin=None):
        ready = tmp_path / f"ready{len(started)}.json"
        process = subprocess.Popen(
            [*COMMAND, "--ready-file", str(ready), "--record", str(tmp_path / "record.jsonl"), *flags],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        started.append(process)
        if stdin is not None:
            process.stdin.write(stdin)
            process.stdin.close()
        until(ready.exists, 20)
        return process, json.loads(ready.read_text(encoding="utf-8"))

    yield start
    for process in started:
        if process.poll() is None:
            process.kill()
        process.wait()
        process.stdout.close()
        process.stdin.close()


def given(*flags):
    return configure(parser().parse_args(flags))


def test_flags_stand_above_the_file(tmp_path):
    file = tmp_path / "sandbox.json"
    file.write_text(json.dumps({"seed": 3, "port": 1, "accounts": [
        {"name": "eu", "kind": "sendgrid", "secret": "SG.eu"}, {"name": "relay", "kind": "smtp"},
    ]}), encoding="utf-8")  # fmt: skip
    config = given(
        "--config", str(file), "--port", "0", "--smtp-port", "-1", "--plain-addresses",
        "--events-url", "http://127.0.0.1:8700/webhooks/{account}", "--fault", "*:error=0.05",
        "--fault", "eu:latency=[0.01,0.1]", "--fault", "eu:throttle=0.1", "--fault", "stall=0.01",
        "--event", "duplicate=0.1", "--event", "delay=[0,1]", "--fate", "late-bounce=0.02",
    )  # fmt: skip
    assert (config.seed, config.port, config.smtp_port, config.plain_addresses) == (3, 0, None, True)
    assert [a.events_url for a in config.accounts] == ["http://127.0.0.1:8700/webhooks/eu", ""]
    assert (config.faults_of("relay").error, config.faults_of("relay").stall) == (0.05, 0.01)
    assert (config.faults_of("eu").latency, config.faults_of("eu").throttle) == ((0.01, 0.1), 0.1)
    assert (config.events.duplicate, config.events.delay) == (0.1, (0, 1))
    assert config.fates.shares == {"late_bounce": 0.02}


@pytest.mark.parametrize(
    "flags",
    [
        ("--host", "0.0.0.0"),
        ("--fault", "error"),
        ("--fault", "*:error=much"),
        ("--fault", "nobody:error=1"),
        ("--event", "colour=1"),
        ("--config", "/nowhere/at/all.json"),
        ("--record", "/nowhere/at/all.jsonl"),
        ("--events-url", "http://192.0.2.1/"),
    ],
)
def test_what_cannot_start_says_why_and_ends_with_2(flags, capsys):
    assert main([*flags, "--smtp-port", "-1"]) == 2
    assert "cannot start" in capsys.readouterr().err


def test_it_announces_itself_and_ends_cleanly(launch):
    process, ready = launch("--seed", "3")
    assert ready["pid"] == process.pid
    assert json.loads(process.stdout.readline()) == ready
    assert set(ready["accounts"]) == {"sendgrid", "twilio", "x", "smtp"}
    assert Control(ready["base_url"]).state()["public_key"] == ready["public_key"]
    process.terminate()
    assert process.wait(10) == 0


def test_settings_can_come_by_standard_input(launch):
    config = {"smtp_port": None, "accounts": [{"name": "eu", "kind": "sendgrid", "secret": "SG.eu"}]}
    process, ready = launch("--config", "-", stdin=json.dumps(config))
    assert ready["smtp_port"] is None
    assert list(ready["accounts"]) == ["eu"]
    process.send_signal(signal.SIGINT)
    assert process.wait(10) == 0


def test_it_dies_with_its_parent(tmp_path):
    ready = tmp_path / "ready.json"
    code = (
        "import subprocess, sys, time\n"
        "command = [sys.executable, '-m', 'dispatcher.sandbox', '--die-with-parent', '--ready-file', sys.argv[1]]\n"
        "subprocess.Popen(command)\n"
        "time.sleep(60)\n"
    )
    parent = subprocess.Popen([sys.executable, "-c", code, str(ready)], stdout=subprocess.DEVNULL)
    until(ready.exists, 20)
    pid = json.loads(ready.read_text(encoding="utf-8"))["pid"]
    parent.kill()
    parent.wait()
    until(lambda: _ended(pid), 5)


def _ended(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    # an orphan that has ended may wait as a zombie for whoever adopted it
    with open(f"/proc/{pid}/stat", encoding="utf-8") as stat:
        return stat.read().rpartition(")")[2].split()[0] == "Z"


def _bombard(base_url, answered, number):
    """Send mails over one connection until it breaks; note each key whose 202 was seen."""
    connection = HTTPConnection(urlsplit(base_url).netloc, timeout=5)
    headers = {"Authorization": "Bearer SG.sandbox", "Content-Type": "application/json"}
    try:
        for count in range(100_000):
            body = a_mail(*[f"p{n}@example.com" for n in range(20)])
            keys = [f"{number}.{count}.{n}" for n in range(20)]
            for person, key in zip(body["personalizations"], keys, strict=True):
                person["custom_args"]["d"] = key
            connection.request("POST", "/v3/mail/send", json.dumps(body), headers)
            answer = connection.getresponse()
            answer.read()
            assert answer.status == 202
            answered.extend(keys)
    except (OSError, HTTPException):
        return
    finally:
        connection.close()


def test_a_kill_loses_nothing_that_was_answered(launch, tmp_path):
    record = tmp_path / "record.jsonl"
    answered = []
    for life in range(2):
        process, ready = launch("--smtp-port", "-1")
        threads = [
            threading.Thread(target=_bombard, args=(ready["base_url"], answered, f"{life}.{n}")) for n in range(4)
        ]
        for thread in threads:
            thread.start()
        enough = len(answered) + 300
        until(lambda enough=enough: len(answered) >= enough, 20)
        process.kill()
        process.wait()
        for thread in threads:
            thread.join()
    tally = judge(record)
    assert len(answered) >= 600
    assert set(answered) <= set(tally.counts)
    assert tally.duplicates == {}
    assert tally.torn <= 2
    # at most one request of each connection was taken without its answer arriving
    assert len(tally.counts) - len(answered) <= 2 * 4 * 20


def test_a_full_run_after_a_kill_goes_on_in_the_same_record(launch, tmp_path):
    process, ready = launch("--smtp-port", "-1")
    Control(ready["base_url"]).next("sendgrid", Fault.RESET_ACCEPTED)
    process.kill()
    process.wait()
    (tmp_path / "record.jsonl").write_bytes(b'{"kind":"accep')
    _, ready = launch("--smtp-port", "-1")
    connection = HTTPConnection(urlsplit(ready["base_url"]).netloc, timeout=5)
    headers = {"Authorization": "Bearer SG.sandbox", "Content-Type": "application/json"}
    connection.request("POST", "/v3/mail/send", json.dumps(a_mail()), headers)
    assert connection.getresponse().status == 202
    connection.close()
    tally = judge(tmp_path / "record.jsonl")
    assert (tally.torn, tally.counts) == (1, {"k0": 1})
