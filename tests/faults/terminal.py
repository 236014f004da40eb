"""People at terminals: real processes of the command line in an arena's home, one or many at once."""

import json
import subprocess
import sys
from dataclasses import dataclass

from dispatcher import resources
from dispatcher.rehearsal.population import write_list

EXAMPLE = resources.shipped("templates") / "messages" / "holding-statement" / "example.toml"
STAFF = (
    ("Ada", "admin", "comms"),
    ("Ana", "author", "comms"),
    ("Ben", "approver", "director"),
    ("Olu", "operator", "comms"),
)
PEOPLE = 25
INCIDENT = "INC-1"
PATIENCE = 180


@dataclass
class Said:
    """How one command ended. `crashed`: with a fault of the program instead of words for people."""

    code: int
    out: str
    err: str

    @property
    def crashed(self):
        return self.code == 1 or "Traceback" in self.err or "locked" in self.err

    @property
    def json(self):
        return json.loads(self.out)


def begin(arena, *words):
    """Start a command and do not wait for it."""
    env = arena.ctx.settings.child_environment()
    command = [sys.executable, "-m", "dispatcher", *map(str, words)]
    pipes = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    return subprocess.Popen(command, env=env, cwd=arena.folder, **pipes)


def end(process):
    """What it said."""
    out, err = process.communicate(timeout=PATIENCE)
    return Said(process.returncode, out, err)


def run(arena, *words):
    """One command that must succeed."""
    said = end(begin(arena, *words))
    if said.code:
        raise AssertionError(f"{' '.join(map(str, words[:3]))}: {said.code} {said.err[-600:]}")
    return said


def at_once(arena, times, *words):
    """The same command, so many times at the same moment."""
    return [end(process) for process in [begin(arena, *words) for _ in range(times)]]


def staff(arena):
    """Four people with one role each."""
    for name, role, level in STAFF:
        run(arena, "person", "add", name, "--role", role, "--level", level, "--as", "Ada")


def customers(arena):
    """An audience called customers, and an incident to tell them about."""
    write_list(arena.folder / "people.csv", PEOPLE, 5)
    run(arena, "audience", "import", "people.csv", "--into", "customers", "--confirm-rows", PEOPLE, "--as", "Ana")
    opened = ("incident", "open", "Orders stopped", "--severity", "minor", "--next-update", "in 40m", "--as", "Ana")
    run(arena, *opened)
    run(arena, "fact", "set", INCIDENT, "--facts", EXAMPLE, "--as", "Ana")
