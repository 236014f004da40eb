"""What becomes of a message after a vendor has taken it on, decided by its address so that a run can be repeated.

An address may carry its fate: an email address by the first word of its local part (`bounce.17@example.com`), a
number by its last three digits (`NUMBER_SUFFIXES`; both the numbers reserved for fiction in Britain, 07700 900xxx,
and those in North America, 555-01xx, can end so).
"""

import hashlib
import re
from collections.abc import Mapping
from enum import StrEnum


class Fate(StrEnum):
    """A closed list; each vendor plays those that its medium knows and delivers the rest."""

    DELIVERED = "delivered"
    DEFERRED = "deferred"  # delivered at the second try
    BOUNCED = "bounced"  # permanently refused by the far side
    BLOCKED = "blocked"  # refused this time by the far side
    DROPPED = "dropped"  # the vendor decides not to try
    COMPLAINED = "complained"  # delivered, then marked as spam
    UNSUBSCRIBED = "unsubscribed"  # delivered, then no more please
    LATE_BOUNCE = "late_bounce"  # delivered, then bounced after all, told without the vendor's message id
    SILENT = "silent"  # accepted, and never heard of again
    OPTED_OUT = "opted_out"  # the vendor refuses: this person has said stop
    INVALID = "invalid"  # the vendor refuses: no such number can exist
    UNREACHABLE = "unreachable"  # the handset is off or away
    UNKNOWN_NUMBER = "unknown_number"
    LANDLINE = "landline"
    FILTERED = "filtered"  # the carrier took it for spam
    FAILED = "failed"  # the vendor itself gave up


MAIL_WORDS: Mapping[str, Fate] = {
    "bounce": Fate.BOUNCED,
    "block": Fate.BLOCKED,
    "drop": Fate.DROPPED,
    "defer": Fate.DEFERRED,
    "spam": Fate.COMPLAINED,
    "optout": Fate.UNSUBSCRIBED,
    "latebounce": Fate.LATE_BOUNCE,
    "silent": Fate.SILENT,
}

NUMBER_SUFFIXES: dict[str, Fate] = {
    "199": Fate.UNREACHABLE,
    "198": Fate.UNKNOWN_NUMBER,
    "197": Fate.LANDLINE,
    "196": Fate.FILTERED,
    "195": Fate.FAILED,
    "194": Fate.SILENT,
    "193": Fate.OPTED_OUT,
    "192": Fate.INVALID,
}

_FIRST_WORD = re.compile(rf"({'|'.join(sorted(MAIL_WORDS, key=len, reverse=True))})(?![a-z])", re.IGNORECASE)


def mail_fate(address: str) -> Fate | None:
    """The fate that an email address names, if it names one."""
    found = _FIRST_WORD.match(address)
    return MAIL_WORDS[found[1].lower()] if found else None


def number_fate(number: str, suffixes: Mapping[str, Fate]) -> Fate | None:
    """The fate that the end of a number names, if it names one."""
    return next((fate for suffix, fate in suffixes.items() if number.endswith(suffix)), None)


def drawn_fate(address: str, seed: int, shares: Mapping[Fate, float]) -> Fate:
    """A fate by shares: the same address and seed always draw the same one."""
    if not shares:
        return Fate.DELIVERED
    digest = hashlib.blake2b(f"{seed}:{address}".encode(), digest_size=8).digest()
    mark = int.from_bytes(digest, "big") / 2**64
    for fate, share in shares.items():
        if (mark := mark - share) < 0:
            return fate
    return Fate.DELIVERED
