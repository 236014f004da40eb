"""Reads a Procfile: one `name: command` a line, run without a shell so that signals reach the program itself.

`$NAME`, `${NAME}` and `${NAME:-default}` are replaced, after the line is cut into words: a value with a space in it
stays one word.
"""

import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from dispatcher.errors import ConfigurationError

_LINE = re.compile(r"^([A-Za-z0-9_-]+):\s*(.+)$")
_VARIABLE = re.compile(r"\$(?:\{(\w+)(?::-([^}]*))?\}|(\w+))")


@dataclass(frozen=True, slots=True)
class Program:
    """A process that shall run: its name in the output, and its command."""

    name: str
    argv: tuple[str, ...]


def load(path: Path, env: Mapping[str, str]) -> list[Program]:
    """The programs of a Procfile, in its order."""
    try:
        return parse(path.read_text(encoding="utf-8"), env)
    except OSError as error:
        raise ConfigurationError(
            f"{path} cannot be read.",
            why=error.strerror or "",
            mend="Run this where the Procfile is.",
            code="E-CFG-PRC",
        ) from None


def parse(text: str, env: Mapping[str, str]) -> list[Program]:
    """The programs that `text` names, variables replaced from `env`."""
    programs: dict[str, Program] = {}
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        program = _program(line, number, env)
        if programs.setdefault(program.name, program) is not program:
            raise _wrong(number, f"{program.name} is named twice.")
    return list(programs.values())


def _program(line: str, number: int, env: Mapping[str, str]) -> Program:
    found = _LINE.match(line.strip())
    if not found:
        raise _wrong(number, "A line is `name: command`.")
    try:
        words = shlex.split(found[2], comments=True)
    except ValueError:
        raise _wrong(number, "A quotation mark is not closed.") from None
    if not words:
        raise _wrong(number, "The command is missing.")
    return Program(found[1], tuple(_replaced(word, env) for word in words))


def _replaced(word: str, env: Mapping[str, str]) -> str:
    def value(found: re.Match[str]) -> str:
        return env.get(found[1] or found[3], "") or found[2] or ""

    return _VARIABLE.sub(value, word)


def _wrong(number: int, why: str) -> ConfigurationError:
    return ConfigurationError(f"Line {number} of the Procfile is wrong.", why=why, mend="Correct it.", code="E-CFG-PRC")
