"""An alert fired by a real Prometheus Alertmanager becomes a drafted broadcast, and its end an incident that is over.

Debian's package `prometheus-alertmanager`; web, worker and beat are real processes under `up`.
"""

import json
import shutil
import socket
import subprocess
import urllib.error
import urllib.request
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta

import pytest

from tests.e2e.processes import DISPATCHER, end, environment, until

BINARY = shutil.which("prometheus-alertmanager")
pytestmark = [pytest.mark.e2e, pytest.mark.skipif(not BINARY, reason="prometheus-alertmanager is not installed")]

SITE = """
mode = "drill"
work_dir = "work"
port = {port}
public_url = "http://127.0.0.1:{port}"

[anchor]
path = "state/anchor.json"

[workers]
processes = 2

[providers.relay]
kind = "smtp"
base_url = "smtp://127.0.0.1:9"
sender = "care@example.com"
"""
ROUTES = """
route: {{receiver: dispatcher, group_wait: 1s, group_interval: 1s, repeat_interval: 2s, group_by: [alertname]}}
receivers:
  - name: dispatcher
    webhook_configs:
      - url: {address}
        http_config: {{authorization: {{credentials: "{secret}"}}}}
"""
PEOPLE = "email,name\nana@example.com,Ana\nben@example.com,Ben\n"


def free_ports(count):
    """Different ones: the probes are all open before the first is closed."""
    with ExitStack() as stack:
        probes = [stack.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(count)]
        return [probe.getsockname()[1] for probe in probes]


def answers(port, path):
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=2) as answer:
            return answer.status == 200
    except (urllib.error.URLError, OSError):
        return False


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("alerts")


@pytest.fixture(scope="module")
def run(folder):
    def run(*argv):
        words = [*DISPATCHER, *argv, "--json"]
        done = subprocess.run(words, cwd=folder, env=environment(folder), capture_output=True, text=True, timeout=110)
        assert done.returncode == 0, f"{argv}: {done.stdout[-600:]} {done.stderr[-1500:]}"
        return json.loads(done.stdout)

    return run


@pytest.fixture(scope="module")
def alerts(folder, run):
    """The port of an Alertmanager whose webhook leads to us."""
    port, at = free_ports(2)
    (folder / "dispatcher.toml").write_text(SITE.format(port=port), encoding="utf-8")
    (folder / "people.csv").write_text(PEOPLE, encoding="utf-8")
    run("person", "add", "Ada", "--role", "admin", "--role", "author")
    run("audience", "import", "people.csv", "--into", "customers", "--confirm-rows", "2", "--as", "Ada")
    made = run("signal", "secret", "alertmanager", "prod", "--as", "Ada")
    routes = ROUTES.format(address=made["address"], secret=made["value"])
    (folder / "alertmanager.yml").write_text(routes, encoding="utf-8")
    words = [BINARY, "--config.file=alertmanager.yml", "--storage.path=am", "--cluster.listen-address="]
    started = []
    with (folder / "log").open("w") as log:
        try:
            for argv in ([*DISPATCHER, "up", "--embedded"], [*words, f"--web.listen-address=127.0.0.1:{at}"]):
                started.append(subprocess.Popen(argv, cwd=folder, env=environment(folder), stdout=log, stderr=log))
            until(lambda: answers(port, "/readyz"), "the web process")
            until(lambda: answers(at, "/-/ready"), "Alertmanager")
            yield at
        finally:
            for process in started:
                end(process)


def fire(port, *, ended=False):
    now = datetime.now(UTC)
    alert = {
        "labels": {"alertname": "CheckoutErrors", "service": "checkout", "severity": "critical"},
        "annotations": {"summary": "Checkout answers with errors", "description": "{{ not a template }}"},
        "startsAt": (now - timedelta(minutes=2)).isoformat(),
    } | ({"endsAt": now.isoformat()} if ended else {})
    body, kind = json.dumps([alert]).encode(), {"Content-Type": "application/json"}
    with urllib.request.urlopen(urllib.request.Request(f"http://127.0.0.1:{port}/api/v2/alerts", body, kind)) as answer:
        assert answer.status == 200


def test_from_an_alert_to_a_draft_and_to_its_end(alerts, run):
    fire(alerts)
    (incident,) = until(lambda: run("incident", "list")["incidents"], "the incident")
    assert (incident["title"], incident["severity"]) == ("Checkout answers with errors", "critical")
    shown = until(lambda: (v := run("incident", "show", incident["ref"]))["broadcasts"] and v, "the draft")
    assert shown["next_update_at"]
    assert {f["name"]: f["state"] for f in shown["facts"]}["problem"] == "believed"
    draft = run("broadcast", "show", shown["broadcasts"][0])
    assert (draft["state"], draft["mode"], draft["approved_by"]) == ("draft", "drill", [])

    def repeats():
        doors = run("signal", "list")["sources"]
        return doors[0]["posts"] + doors[0]["repeats"] >= 3

    until(repeats, "Alertmanager repeats the group")
    fire(alerts, ended=True)
    until(lambda: run("incident", "show", incident["ref"])["phase"] == "resolved", "the end")
    until(lambda: len(run("incident", "show", incident["ref"])["broadcasts"]) == 2, "the draft that tells of the end")
    assert [one["ref"] for one in run("incident", "list")["incidents"]] == [incident["ref"]]
    assert {one["outcome"] for one in run("signal", "list")["signals"]} <= {"opened", "same", "moved"}
