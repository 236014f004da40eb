"""Writes the record: appended and handed to the kernel before the caller is answered, so that no kill loses it."""

import os
from collections.abc import Iterable
from dataclasses import dataclass

import orjson

from dispatcher.model.clock import Clock
from dispatcher.sandbox.message import Message


@dataclass(frozen=True, slots=True)
class Stamp:
    """One moment on both clocks, in seconds: monotonic, and since 1970."""

    monotonic: float
    wall: float


class Recorder:
    """One file, append only. Without a path nothing is kept and nothing else changes."""

    def __init__(self, path: str, clock: Clock, *, plain_addresses: bool) -> None:
        self._clock = clock
        self._plain = plain_addresses
        self._file = _open(path) if path else None

    def stamp(self) -> Stamp:
        """Now."""
        return Stamp(self._clock.monotonic(), self._clock.now().timestamp())

    def accepted(self, messages: Iterable[Message], request: str, answer: str, began: Stamp) -> None:
        """One line for each message that a request brought; written at once, in one piece."""
        if self._file is None:
            return
        ended = self._clock.monotonic()
        self._write(b"".join([self._accepted(message, request, answer, began, ended) for message in messages]))

    def refused(
        self, vendor: str, account: str, request: str, answer: str, began: Stamp, key: str | None = None
    ) -> None:
        """One line for a request of which nothing was taken on; `key` where the request was about one message."""
        if self._file is None:
            return
        line = {
            "kind": "refused", "vendor": vendor, "account": account, "request": request, "answer": answer,
            "began": began.monotonic, "ended": self._clock.monotonic(), "began_at": began.wall, "key": key,
        }  # fmt: skip
        self._write(orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE))

    def _accepted(self, message: Message, request: str, answer: str, began: Stamp, ended: float) -> bytes:
        line = {
            "kind": "accepted", "vendor": message.vendor, "account": message.account, "request": request,
            "answer": answer, "began": began.monotonic, "ended": ended, "began_at": began.wall, "key": message.key,
            "message": message.id, "to": message.to, "fate": message.fate,
        }  # fmt: skip
        if self._plain:
            line["address"] = message.address
        if message.text:
            line["text"] = message.text
        return orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE)

    def _write(self, data: bytes) -> None:
        left = memoryview(data)
        while left and self._file is not None:
            left = left[os.write(self._file, left) :]

    def close(self) -> None:
        """Let go of the file."""
        if self._file is not None:
            os.close(self._file)
            self._file = None


def _open(path: str) -> int:
    """For appending, private to its owner; a line that a kill tore off is ended so that the next one stands alone."""
    file = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o600)
    size = os.fstat(file).st_size
    if size and os.pread(file, 1, size - 1) != b"\n":
        os.write(file, b"\n")
    return file
