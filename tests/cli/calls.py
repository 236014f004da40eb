"""Runs one command line in this process, as the console script would."""

import json
from dataclasses import dataclass
from typing import Any

from dispatcher.cli import main


@dataclass
class Answer:
    """Exit code and what was printed."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)

    @property
    def error(self) -> Any:
        """The error envelope that --json prints on stderr."""
        return json.loads(self.err.strip().splitlines()[-1])


def call(capsys, *argv) -> Answer:
    capsys.readouterr()
    code = main.run([str(word) for word in argv])
    out, err = capsys.readouterr()
    return Answer(code, out, err)
