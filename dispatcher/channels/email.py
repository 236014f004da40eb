"""The rules of email: the one form of an address that is stored, compared and sent to, and what a header may hold.

An address is brought into NFKC, its domain into ASCII (IDNA 2008), all into lower case: who registered as
`Jo@Example.org` and who unsubscribed as `jo@example.org` are one person. Nothing is looked up in DNS.
"""

import re
import unicodedata
from functools import lru_cache

from email_validator import EmailNotValidError, validate_email

from dispatcher.errors import Refused

LONGEST_SUBJECT = 998
"""Octets of one header line (RFC 5322, section 2.1.1). Subjects people read whole are under 60 characters."""

_PLAIN = re.compile(r"([A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(?:\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*)@([A-Za-z0-9.-]+)")
_LONGEST_LOCAL = 64
_LONGEST = 254


def canonical(written: str) -> str:
    """The address as we store it; raises Refused with what is wrong and how to mend it."""
    text = written.strip()
    if "=?" in text:
        raise _refused("It looks like an encoded word of a mail header.", "Correct the address.")
    plain = _PLAIN.fullmatch(text)
    if plain and len(plain[1]) <= _LONGEST_LOCAL and len(text) <= _LONGEST:
        return f"{plain[1]}@{_domain(plain[2])}".lower()
    hidden = sorted({f"U+{ord(char):04X}" for char in text if unicodedata.category(char) in ("Cf", "Cc")})
    if hidden:
        raise _refused(f"It holds invisible characters: {', '.join(hidden)}.", "Type the address again by hand.")
    return _by_the_book(unicodedata.normalize("NFKC", text))


def _by_the_book(text: str) -> str:
    """The long way, for anything but plain ASCII. A mailbox name outside ASCII is refused: no vendor carries it."""
    try:
        found = validate_email(text, check_deliverability=False, allow_smtputf8=False, strict=True)
    except EmailNotValidError as error:
        raise _refused(str(error), "Correct the address or leave the cell empty.") from None
    return (found.ascii_email or found.normalized).lower()


@lru_cache(maxsize=65536)
def _domain(written: str) -> str:
    """The domain in its ASCII form. Few domains hold most people, so each is judged once."""
    return _by_the_book(f"x@{written}").partition("@")[2]


def _refused(why: str, mend: str) -> Refused:
    return Refused("This is no email address we can write to.", why=why, mend=mend, code="E-ADR")


def safe_in_header(value: str) -> bool:
    """No control character, no line separator, no start of an encoded word: a name stays a name."""
    return "=?" not in value and not any(unicodedata.category(char) in ("Cc", "Zl", "Zp") for char in value)
