"""The rules of a chat message to a room: length, and words that would wake everybody in it.

A room is where an account of ours posts; it has no address of a person. Lengths by vendors' documents of 2026: Slack
cuts at 40,000 characters and advises 4,000; a Teams workflow takes about 28 KB.
"""

import re
from dataclasses import dataclass

ADVISED = 4_000
LONGEST = 40_000
LONGEST_BYTES = 28_000

_MENTION = re.compile(r"<!(?:channel|here|everyone)[^>]*>|@(?:channel|here|everyone|all)\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class ChatSize:
    """Length of one chat message, and the mentions in it that call everybody."""

    characters: int
    octets: int
    mentions: tuple[str, ...]

    @property
    def fits(self) -> bool:
        """Every vendor takes it whole."""
        return 0 < self.characters <= LONGEST and self.octets <= LONGEST_BYTES


def measure(text: str) -> ChatSize:
    """How long a message is, and whom it would wake."""
    return ChatSize(
        characters=len(text),
        octets=len(text.encode("utf-8", "surrogatepass")),
        mentions=tuple(dict.fromkeys(found[0] for found in _MENTION.finditer(text))),
    )
