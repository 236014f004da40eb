"""Proof that a post comes from its source: signatures on the raw bytes, tokens, and how old a post may be.

Every comparison takes the same time whatever is compared, every listed signature is tried with every secret, and a
source without a secret is refused, never let through.
"""

import base64
import binascii
import hashlib
import hmac
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import ClassVar
from urllib.parse import unquote, urlsplit

from dispatcher.errors import BadSignature
from dispatcher.intake.tool import Secret, SecretForm, ToolSettings
from dispatcher.model.event import WebhookRequest

WINDOW = 300.0
"""Seconds by which a signed time may lie behind or before ours (the usual of Standard Webhooks)."""
_MOST_SIGNATURES = 20


def keys(secrets: Sequence[Secret]) -> list[bytes]:
    """The keys among the secrets; BadSignature if there is none."""
    found = [secret.value for secret in secrets if secret.form is SecretForm.KEY]
    if not found:
        raise BadSignature("No key is kept for this source.")
    return found


def require_hex(signing: Iterable[bytes], message: bytes, presented: Iterable[str]) -> None:
    """Return if one of the presented words is the hex HMAC-SHA256 of the message with one of the keys."""
    _require_any([hmac.digest(key, message, "sha256").hex() for key in signing], presented)


def require_base64(signing: Iterable[bytes], message: bytes, presented: Iterable[str]) -> None:
    """The same for base64."""
    _require_any([base64.b64encode(hmac.digest(key, message, "sha256")).decode() for key in signing], presented)


def _require_any(expected: Sequence[str], presented: Iterable[str]) -> None:
    words = [word.encode("utf-8", "replace") for word in list(presented)[:_MOST_SIGNATURES]]
    matches = [hmac.compare_digest(word, one.encode()) for word in words for one in expected]
    if not any(matches):
        raise BadSignature("No listed signature is the right one.")


def require_fresh(stamp: str, received_at: datetime, window: float = WINDOW) -> None:
    """Return if a unix second lies within the window around our clock."""
    if not (stamp.isascii() and stamp.isdigit() and len(stamp) <= 12):
        raise BadSignature("The signed time is missing or no unix second.")
    if abs(received_at.timestamp() - int(stamp)) > window:
        raise BadSignature("The post was signed too long ago, or our clock is wrong.")


def token_hash(token: str) -> bytes:
    """What is kept of a token."""
    return hashlib.sha256(token.encode("utf-8", "surrogateescape")).digest()


def require_token(request: WebhookRequest, secrets: Sequence[Secret], header: str = "") -> None:
    """Return if the post shows one of the tokens: bearer, Basic password, a header, or the end of its address."""
    kept = [secret.value for secret in secrets if secret.form is SecretForm.TOKEN]
    if not kept:
        raise BadSignature("No token is kept for this source.")
    shown = [token_hash(token) for token in presented(request, header)]
    matches = [hmac.compare_digest(one, known) for one in shown for known in kept]
    if not any(matches):
        raise BadSignature("The token is missing or wrong.")


def presented(request: WebhookRequest, header: str = "") -> Iterator[str]:
    """Every token that a post shows. Nothing here is compared yet."""
    scheme, _, rest = request.headers.get("authorization", "").strip().partition(" ")
    if rest:
        yield from _basic(rest) if scheme.lower() == "basic" else (rest.strip(),)
    elif scheme:
        yield scheme
    if header and (named := request.headers.get(header.lower())):
        yield named.strip()
    if ended := path_token(request.url):
        yield ended


def _basic(encoded: str) -> Iterator[str]:
    try:
        user, _, password = base64.b64decode(encoded, validate=True).decode().partition(":")
    except (binascii.Error, ValueError):
        return
    yield password or user


def path_token(url: str) -> str:
    """What stands behind the dot of the last piece of an address: `/signals/statuspage/main.TOKEN`."""
    return unquote(urlsplit(url).path.rsplit("/", 1)[-1]).partition(".")[2]


class ByToken:
    """A tool whose vendor signs nothing: a token that we made proves a post."""

    signs: ClassVar[str] = "The vendor signs nothing. A token in a header or at the end of the address proves a post."
    forms: ClassVar[tuple[SecretForm, ...]] = (SecretForm.TOKEN,)
    Settings: ClassVar[type[ToolSettings]] = ToolSettings

    def __init__(self, settings: ToolSettings) -> None:
        self.settings = settings

    def verify(self, request: WebhookRequest, secrets: Sequence[Secret]) -> None:
        """The token of one of our secrets."""
        require_token(request, secrets, self.settings.token_header)


class ByKey:
    """A tool that signs each post with a key: here the body in hex, in the header that the tool names."""

    header: ClassVar[str] = ""
    forms: ClassVar[tuple[SecretForm, ...]] = (SecretForm.KEY,)
    Settings: ClassVar[type[ToolSettings]] = ToolSettings

    def __init__(self, settings: ToolSettings) -> None:
        self.settings = settings

    def verify(self, request: WebhookRequest, secrets: Sequence[Secret]) -> None:
        """The signature of the body by one of our keys."""
        shown = self.listed(request.headers.get(self.header, "").strip())
        require_hex(keys(secrets), request.body, shown)

    def listed(self, value: str) -> Sequence[str]:
        """The signatures that the header holds."""
        return [value]
