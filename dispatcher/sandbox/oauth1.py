"""Checks OAuth 1.0a signatures (RFC 5849, HMAC-SHA1) of a user context, as X does."""

import base64
import hashlib
import hmac
import re
from collections.abc import Mapping, Sequence
from urllib.parse import quote, unquote

from dispatcher.sandbox.config import OAuth

_PAIR = re.compile(r'\s*([a-z_]+)="([^"]*)"\s*(?:,|$)')
_SPREAD = 300


def parse(header: str) -> dict[str, str]:
    """The parameters of an `Authorization: OAuth ...` header; empty if it is none."""
    scheme, _, rest = header.partition(" ")
    if scheme.lower() != "oauth":
        return {}
    return {name: unquote(value) for name, value in _PAIR.findall(rest)}


def signed_by(
    account: OAuth, method: str, urls: Sequence[str], query: Sequence[tuple[str, str]], given: Mapping[str, str],
    now: float,
) -> bool:  # fmt: skip
    """Whether the account signed this request under one of `urls` within five minutes of `now` (since 1970).

    More than one URL, since the vendor's SDKs sign for the vendor's host even when they are pointed elsewhere.
    """
    names = given.get("oauth_consumer_key"), given.get("oauth_token"), given.get("oauth_signature_method")
    if names != (account.consumer_key, account.token, "HMAC-SHA1"):
        return False
    stamp = given.get("oauth_timestamp", "")
    if not stamp.isdecimal() or abs(int(stamp) - now) > _SPREAD or not given.get("oauth_nonce"):
        return False
    signed = [*query, *((n, v) for n, v in given.items() if n not in ("oauth_signature", "realm"))]
    expected = (_signature(account, method, url, signed) for url in urls)
    return any(hmac.compare_digest(one, given.get("oauth_signature", "")) for one in expected)


def _signature(account: OAuth, method: str, url: str, pairs: Sequence[tuple[str, str]]) -> str:
    joined = "&".join(f"{name}={value}" for name, value in sorted((_quote(n), _quote(v)) for n, v in pairs))
    signed = "&".join((method.upper(), _quote(url), _quote(joined)))
    key = f"{_quote(account.consumer_secret.get_secret_value())}&{_quote(account.token_secret.get_secret_value())}"
    return base64.b64encode(hmac.new(key.encode(), signed.encode(), hashlib.sha1).digest()).decode()


def _quote(text: str) -> str:
    return quote(text, safe="~")
