"""The queues there are, and which of them the Procfile's workers listen to."""

import shlex
from pathlib import Path

from kombu import Exchange, Queue

from dispatcher.doorbell import QUEUES


def declared() -> list[Queue]:
    """One per channel, so that no channel waits behind another; one each for events, our own systems, the tick."""
    return [Queue(name, Exchange(name), routing_key=name) for name in QUEUES]


def listened_to(procfile: Path) -> set[str]:
    """Every queue that some worker of a Procfile takes rings from (`-Q` or `--queues`); no `-Q` means all of them."""
    names: set[str] = set()
    for line in procfile.read_text(encoding="utf-8").splitlines():
        words = shlex.split(line, comments=True)
        if "celery" in words and "worker" in words:
            names |= _queues_of(words)
    return names


def _queues_of(words: list[str]) -> set[str]:
    for at, word in enumerate(words):
        if word in ("-Q", "--queues"):
            return set(words[at + 1].split(","))
        if word.startswith("--queues="):
            return set(word.removeprefix("--queues=").split(","))
    return set(QUEUES)
