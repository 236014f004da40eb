"""A site with everything that runs for it, live against pretend vendors: a private broker, web, worker and beat."""

import json
import socket
import subprocess
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.e2e.processes import DISPATCHER, end, environment, start, until

SITE = """
mode = "live"
work_dir = "work"
host = "127.0.0.1"
port = {port}
public_url = "http://127.0.0.1:{port}"

[anchor]
path = "state/anchor.json"

[organisation]
verify_url = "https://example.com/verify"
never_ask_in = {{ fr = "Nous ne vous demanderons jamais de mot de passe par message." }}

[workers]
processes = 2

[providers.sendgrid]
base_url = "{sendgrid}"
api_key = "SG.sandbox"
sender = "news@example.com"
webhook_key = "{key}"

[providers.twilio]
base_url = "{twilio}"
account_sid = "AC00000000000000000000000000000000"
auth_token = "sandbox-token"
sender = "+447700900999"

[providers.x]
base_url = "{x}"
bearer_token = "sandbox-bearer"
user_id = "1000000001"
"""


@dataclass
class House:
    """A folder with a site in it, and everything that runs for it."""

    folder: Path
    record: Path
    up: subprocess.Popen
    port: int

    def run(self, *argv, who="", code=0):
        """One command with the token of `who`, if named."""
        token = ["--token-file", str(self.folder / f"{who}.token")] if who else []
        words = [*DISPATCHER, *map(str, argv), *token]
        done = subprocess.run(
            words, cwd=self.folder, env=environment(self.folder), capture_output=True, text=True, timeout=110
        )
        assert done.returncode == code, f"{argv}: {done.stdout[-600:]} {done.stderr[-1500:]}"
        return done

    def json(self, *argv, **more):
        return json.loads(self.run(*argv, "--json", **more).stdout)


@contextmanager
def held_port():
    """Nobody else is given it while the block lasts."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        yield probe.getsockname()[1]


@contextmanager
def open_house(folder):
    """The site in this folder, its vendors and its processes; they end with the block."""
    ready, record = folder / "vendors.json", folder / "vendors.jsonl"
    up = vendors = None
    try:
        with held_port() as port:
            events = f"http://127.0.0.1:{port}/webhooks/{{account}}"
            flags = ["--ready-file", ready, "--record", record, "--events-url", events]
            words = [*DISPATCHER, "sandbox", "--smtp-port", "-1", *map(str, flags)]
            vendors = start(words, cwd=folder, env=environment(folder))
            until(ready.exists, "the vendors")
        told = json.loads(ready.read_text())
        urls = {name: account["base_url"] for name, account in told["accounts"].items()}
        site = folder / "dispatcher.toml"
        site.write_text(SITE.format(port=port, key=told["public_key"], **urls))
        site.chmod(0o600)
        with (folder / "up.log").open("w") as log:
            words = [*DISPATCHER, "up", "--embedded"]
            up = subprocess.Popen(words, cwd=folder, env=environment(folder), stdout=log, stderr=log)
        until(lambda: answers(port), "the web process")
        yield House(folder, record, up, port)
    finally:
        for process in filter(None, (up, vendors)):
            end(process)


def answers(port):
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
