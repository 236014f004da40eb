"""What a strict relay asks of the bytes of a mail (RFC 5321, 5322, 6152, 6531), and the headers it reads from them."""

import re

_LONGEST = 998
_ONCE = frozenset(("from", "to", "cc", "bcc", "subject", "date", "message-id", "reply-to", "sender"))
_NEEDED = ("from", "date", "message-id")
_FOLD = re.compile(rb"\r\n(?=[ \t])")
_BARE = re.compile(rb"\r(?!\n)|(?<!\r)\n")
_KEY = re.compile(r"<([^@<>\s]+)@[^<>\s]+>")


def headers(data: bytes) -> list[tuple[str, str]]:
    """Names in lower case and unfolded values, in order."""
    block = _FOLD.sub(b"", data.partition(b"\r\n\r\n")[0])
    found = []
    for line in block.split(b"\r\n"):
        name, colon, value = line.partition(b":")
        if colon:
            found.append((name.decode("latin-1").strip().lower(), value.decode("utf-8", "replace").strip()))
    return found


def complaint(data: bytes, found: list[tuple[str, str]], *, eight_bit: bool, utf8: bool) -> str | None:
    """The relay's refusal of a mail after DATA, or None. `eight_bit` and `utf8`: what MAIL FROM announced."""
    if _BARE.search(data):
        return "554 5.6.0 bare CR or LF"
    if max(map(len, data.split(b"\r\n"))) > _LONGEST:
        return "554 5.6.0 a line is longer than 998 octets"
    names = [name for name, _ in found]
    if repeated := {name for name in names if name in _ONCE and names.count(name) > 1}:
        return f"554 5.6.0 the header {min(repeated)} stands more than once"
    if missing := [name for name in _NEEDED if name not in names]:
        return f"554 5.6.0 the header {missing[0]} is missing"
    if "bcc" in names:
        return "554 5.6.0 a bcc header would be shown to everybody"
    head, _, body = data.partition(b"\r\n\r\n")
    if not head.isascii() and not utf8:
        return "554 5.6.7 header is not ASCII and SMTPUTF8 was not announced"
    if not body.isascii() and not (eight_bit or utf8):
        return "554 5.6.3 body is not ASCII and 8BITMIME was not announced"
    return None


def key_of(found: list[tuple[str, str]], key_header: str) -> str | None:
    """Our key: the local part of the Message-ID, else the header that carries it."""
    values = dict(found)
    if named := _KEY.fullmatch(values.get("message-id", "")):
        return named[1]
    return values.get(key_header.lower())
