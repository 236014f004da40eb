"""Runs the workshop in a process of its own, where a runaway template can do no harm.

The child gets its job on stdin and nothing else: no environment, so no secret; a cap on processor time and memory set
by the kernel; and a wall clock held by us. Whatever happens in there, the caller gets texts or a TemplateError.
"""

import json
import resource
import subprocess
import sys
from typing import cast

from dispatcher.errors import DispatcherError, TemplateError

CPU_SECONDS = 4
WALL_SECONDS = 30.0
"""Longer than the processor time, so that a busy machine is not taken for an endless loop."""
MEMORY_BYTES = 512 * 1024 * 1024
_BOOT = "import json, sys; sys.path[:] = json.loads(sys.argv[1]); from dispatcher.compose.cage import child; child()"


def run(job: object, *, wall: float = WALL_SECONDS, cpu: int = CPU_SECONDS) -> list[dict[str, object]]:
    """What the workshop makes of the job (a `workshop.Job`). Limits in seconds."""
    command = [sys.executable, "-I", "-B", "-c", _BOOT, json.dumps(sys.path), str(cpu)]
    try:
        done = subprocess.run(  # noqa: S603 (our own interpreter, our own code)
            command, input=json.dumps(job).encode(), capture_output=True, timeout=wall, env={}, check=False
        )
    except subprocess.TimeoutExpired:
        raise _runaway() from None
    if done.returncode < 0:
        raise _runaway()
    return _read(done.stdout, done.stderr)


def _runaway() -> TemplateError:
    return TemplateError(
        "Rendering the template was given up.",
        why=f"It took more than a few seconds of work or {MEMORY_BYTES >> 20} MiB of memory.",
        mend="Look for a loop in a loop, or a huge repeated text, in the template.",
        code="E-TPL-LIMIT",
    )


def _read(answer: bytes, complaint: bytes) -> list[dict[str, object]]:
    try:
        told = json.loads(answer)
    except ValueError:
        why = complaint.decode(errors="replace").strip().splitlines()[-1:] or ["no answer"]
        raise DispatcherError("The renderer broke down.", why=why[0], mend="Report this as a bug.") from None
    if "error" in told:
        raise TemplateError(**told["error"])
    return cast(list[dict[str, object]], told["made"])


def child() -> None:
    """The other side: runs one job from stdin under the limits. What renders is loaded here and not by the caller."""
    _limit(int(sys.argv[2]))
    from dispatcher.compose import workshop

    try:
        answer: dict[str, object] = {"made": workshop.make(json.loads(sys.stdin.buffer.read()))}
    except TemplateError as error:
        answer = {"error": error.as_dict()}
    except MemoryError:
        answer = {"error": _runaway().as_dict()}
    sys.stdout.write(json.dumps(answer))


def _limit(cpu: int) -> None:
    resource.setrlimit(resource.RLIMIT_CPU, (cpu, cpu + 1))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if sys.platform == "linux":
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
