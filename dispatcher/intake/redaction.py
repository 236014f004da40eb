"""What is kept of a post once it is applied: enough to read it again, no credential and no way to reach a person."""

import re
from collections.abc import Mapping
from typing import Any

import orjson

HIDDEN = "[hidden]"
_SECRET_NAME = re.compile(
    r"(?i)(?:authorization|cookie|passw|secret|token|signature|credential|api[_-]?key|private[_-]?key|unsubscribe"
    r"|subscribeurl|signingcerturl)"
)
_PERSONAL_NAME = re.compile(r"(?i)(?:^|_)(?:email|e_mail|phone|mobile|telephone)(?:$|_)")
_FROM_OUTSIDE = frozenset({"forwarded", "x-forwarded-for", "x-real-ip", "via", "host", "cf-connecting-ip"})
_EMAIL = re.compile(r"(?<![^\s<>\"'(),:;=\[\]@])[^\s<>\"'(),:;=\[\]@]++@[^\s<>\"'(),:;@\[\]]+\.[^\W\d_]{2,}")
_PHONE = re.compile(r"(?<![\w.])\+\d(?:[ ().\-/]{0,2}\d){6,14}(?!\w)")
_IN_URL = re.compile(r"([?&])([^?=&\s]++)=[^&\s#\"']+")
_SECRET_PARAMETER = re.compile(r"(?i)token|key|secret|sig|auth")
"""Each of these reads a text once from end to end, however it is made up: what comes from outside may be long."""


def headers(found: Mapping[str, str], token_header: str = "") -> dict[str, str]:
    """The headers that are kept with a post: no credential, no address of the sender. At most 40 of 500 characters."""
    hidden = {token_header.lower(), *_FROM_OUTSIDE}
    kept = {n: v[:500] for n, v in found.items() if n not in hidden and not _SECRET_NAME.search(n)}
    return dict(list(kept.items())[:40])


def body(raw: bytes) -> bytes:
    """A JSON body without secrets, e-mail addresses and phone numbers; one that is no JSON is kept as nothing."""
    try:
        return orjson.dumps(_value("", orjson.loads(raw.removeprefix(b"\xef\xbb\xbf"))))
    except (orjson.JSONDecodeError, orjson.JSONEncodeError, RecursionError):
        return b""


def _value(name: str, value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _value(key, inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_value(name, inner) for inner in value]
    if value in (None, "") or isinstance(value, bool):
        return value
    if _SECRET_NAME.search(name) or _PERSONAL_NAME.search(name):
        return HIDDEN
    return _text(value) if isinstance(value, str) else value


def _hidden(found: re.Match[str]) -> str:
    return f"{found[1]}{found[2]}={HIDDEN}" if _SECRET_PARAMETER.search(found[2]) else found[0]


def _text(text: str) -> str:
    plain = _PHONE.sub("[phone]", _EMAIL.sub("[email]", _IN_URL.sub(_hidden, text)))
    if plain.lstrip().startswith("{") and (inner := body(plain.encode())):
        return inner.decode()
    return plain
