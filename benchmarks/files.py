"""Import and export as the commands do them: processes of their own, so that their memory is theirs alone."""

import json
import os
import random
import subprocess
import sys
from dataclasses import dataclass

from dispatcher.model.kinds import Channel


@dataclass(frozen=True)
class Spent:
    """What a command cost: wall seconds, CPU seconds, and the most memory it held, in MiB."""

    seconds: float
    cpu: float
    peak: float


_LAUNCHER = """
import json, os, sys, time
began = time.perf_counter()
call = [sys.executable, *sys.argv[1:]]
quiet = [(os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0)]
_, state, used = os.wait4(os.posix_spawn(sys.executable, call, os.environ, file_actions=quiet), 0)
code = os.waitstatus_to_exitcode(state)
print(json.dumps([code, time.perf_counter() - began, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024]))
"""
"""A small process between: to the kernel the most memory of a process includes what its parent held at its birth."""


def command(field, *words):
    """Begin a `dispatcher` command; call what is returned to wait for its end."""
    env = os.environ | field.ctx.settings.child_environment()
    process = subprocess.Popen(
        [sys.executable, "-c", _LAUNCHER, "-m", "dispatcher", *words],
        env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip

    def ended():
        told, said = process.communicate()
        code, *spent = json.loads(told)
        if code:
            raise RuntimeError(f"{' '.join(words)}: {code} {said.decode()}")
        return Spent(*spent)

    return ended


def imported(field, rows):
    """A CSV file of so many rows into a new audience."""
    path = field.folder / f"import-{rows}.csv"
    with path.open("w", encoding="utf-8") as out:
        out.write("email,name,order_number\n")
        out.writelines(f"i{i}@example.com,Person {i},{i:08d}\n" for i in range(rows))
    name = f"bench-{rows}-{random.getrandbits(32)}"
    try:
        return command(field, "audience", "import", str(path), "--into", name, "--as", field.operator().name)()
    finally:
        path.unlink()


def exported(field, ref):
    """Every row of a broadcast that is done, into a CSV file."""
    return _export(field, ref)()


def _export(field, ref):
    target = field.folder / f"export-{random.getrandbits(32)}.csv"
    ended = command(field, "broadcast", "export", ref, "--to", str(target), "--as", field.operator().name)

    def counted():
        spent = ended()
        with target.open("rb") as written:
            rows = sum(1 for _ in written) - 1
        target.unlink()
        return spent, rows

    return counted


def exported_meanwhile(field, ref, version, people):
    """Export one broadcast while another of so many people is handed over; also the rate at which that one went."""
    other, _ = field.plan(version, [Channel.EMAIL])
    released = field.release(other, [Channel.EMAIL])
    spent, rows = _export(field, ref)()
    field.settled(other)
    return spent, rows, people / (field.finished(other) - released)
