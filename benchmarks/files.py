"""Import and export as the commands do them: processes of their own, so that their memory is theirs alone."""

import os
import random
import subprocess
import sys
import time
from dataclasses import dataclass

from dispatcher.model.kinds import Channel


@dataclass(frozen=True)
class Spent:
    """What a command cost: wall seconds, CPU seconds, and the most memory it held, in MiB."""

    seconds: float
    cpu: float
    peak: float


def command(field, *words):
    """Begin a `dispatcher` command; call what is returned to wait for its end."""
    env = os.environ | field.ctx.settings.child_environment()
    began = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, "-m", "dispatcher", *words], env=env, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    )

    def ended():
        with process:
            said = process.stderr.read().decode()
            _, state, used = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(state)
        if process.returncode:
            raise RuntimeError(f"{' '.join(words)}: {process.returncode} {said}")
        return Spent(time.perf_counter() - began, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024)

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
