"""The quickstart, command by command as it is printed, with real processes."""

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
BLOCK = re.compile(r"^```sh\n(.*?)^```", re.MULTILINE | re.DOTALL)
PORTS = ("8700", "8800", "8825")


@pytest.fixture
def checkout(tmp_path):
    """A folder that looks like a checkout to somebody who follows the page."""
    shutil.copytree(ROOT / "docs", tmp_path / "docs")
    shutil.copy(ROOT / "Procfile", tmp_path)
    free = dict(zip(PORTS, map(str, free_ports(len(PORTS))), strict=True))
    for path in (tmp_path / "docs/quickstart.md", tmp_path / "docs/quickstart/env.sh"):
        path.write_text(re.sub("|".join(PORTS), lambda found: free[found[0]], path.read_text()))
    environment = tmp_path / "docs/quickstart/env.sh"
    environment.write_text(environment.read_text() + f"export DISPATCHER_PORT={free['8700']}\n")
    return tmp_path


def free_ports(count):
    servers = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [server.getsockname()[1] for server in servers]
    for server in servers:
        server.close()
    return ports


class Terminals:
    """The terminals of somebody who follows the page."""

    def __init__(self, folder):
        self.folder = folder
        plain = {name: value for name, value in os.environ.items() if not name.startswith("COV")}
        self.env = plain | {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
        self.open = []

    def run(self, commands):
        """The first terminal: one shell for each block, its variables taken as they are set."""
        settings = ". docs/quickstart/env.sh\n"
        done = subprocess.run(
            ["bash", "-e", "-c", settings + commands],
            cwd=self.folder,
            env=self.env,
            capture_output=True,
            text=True,
            timeout=90,
        )
        assert done.returncode == 0, f"{commands}\n{done.stdout}\n{done.stderr}"
        return done.stdout

    def keep(self, commands):
        """Another terminal, whose last command goes on."""
        *before, last = commands.replace("\\\n", " ").strip().splitlines()
        script = "\n".join([*before, f"exec {last}"])
        with (self.folder / f"terminal-{len(self.open)}.log").open("wb") as log:
            self.open.append(
                subprocess.Popen(
                    ["bash", "-c", script],
                    cwd=self.folder,
                    env=self.env,
                    stdout=log,
                    stderr=log,
                    start_new_session=True,
                )
            )

    def wait_for(self, there, within=30.0):
        end = time.monotonic() + within
        while not there():
            assert time.monotonic() < end, [path.read_text() for path in self.folder.glob("terminal-*.log")]
            time.sleep(0.05)

    def close(self):
        for process in reversed(self.open):
            process.send_signal(signal.SIGTERM)
        for process in reversed(self.open):
            process.wait(30)


@pytest.fixture
def terminals(checkout):
    these = Terminals(checkout)
    yield these
    these.close()


@pytest.mark.e2e
@pytest.mark.timeout(300)
def test_every_command_of_the_quickstart_works(checkout, terminals):
    page = (checkout / "docs/quickstart.md").read_text()
    port = int(re.search(r"127\.0\.0\.1:(\d+)/webhooks", page)[1])
    said = []
    for block in BLOCK.findall(page):
        first, _, rest = block.partition("\n")
        if not first.startswith("# terminal"):
            said.append(terminals.run(block))
            continue
        terminals.keep(rest)
        if "sandbox" in rest:
            terminals.wait_for(lambda: (checkout / "var/sandbox.json").exists())
        else:
            terminals.wait_for(lambda: answers(port))
    shown = said[-1]
    assert re.search(r"^\d+ planned = .*delivered", shown, re.MULTILINE)
    assert [shown.count(f"B-1,{channel},") for channel in ("email", "sms", "social")] == [4, 3, 1]
    assert shown.count(",delivered,") == 7
    assert list(checkout.rglob("report-B-1*.html"))


def answers(port):
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True
