"""Settings of what we say outward to machines: the public tree, and notices to the organisation's own systems."""

import base64
import binascii
from ipaddress import IPv4Network, IPv6Network
from pathlib import Path
from typing import Annotated, Literal, get_args
from urllib.parse import urlsplit

from pydantic import BeforeValidator, Field, SecretStr, field_validator

from dispatcher.settings.tables import Block, Words

Network = IPv4Network | IPv6Network


Act = Literal[
    "incident.opened", "incident.changed", "incident.promised", "incident.closed",
    "broadcast.submitted", "broadcast.approved", "broadcast.sent", "broadcast.stopped", "broadcast.done",
]  # fmt: skip
ACTS: tuple[Act, ...] = get_args(Act)
"""What a destination may be told about."""


def _listed(value: object) -> object:
    """A list in TOML; in the environment, words with commas between them."""
    return [word.strip() for word in value.split(",") if word.strip()] if isinstance(value, str) else value


class Status(Block):
    """The public tree: its address, the folder that the tick keeps up to date, and services that are always named."""

    url: str = Field(default="", pattern=r"^(https?://[^\s?#]+)?$")
    folder: Path | None = None
    services: Words = ()


class Outward(Block):
    """One system of ours that is told what happens. `networks` are those besides the public Internet it may lie in."""

    url: str
    secret: SecretStr
    old_secret: SecretStr = SecretStr("")
    acts: Annotated[tuple[Act, ...], BeforeValidator(_listed)] = ACTS
    networks: Annotated[tuple[Network, ...], BeforeValidator(_listed)] = ()
    timeout: float = Field(default=10, gt=0, le=30)
    enabled: bool = True

    @field_validator("url")
    @classmethod
    def _address(cls, url: str) -> str:
        parts = urlsplit(url)
        if parts.scheme not in ("https", "http") or not parts.hostname or parts.username or parts.fragment:
            raise ValueError("is no address: write https://host/path, without a user name and without #")
        return url

    @field_validator("secret", "old_secret")
    @classmethod
    def _key(cls, secret: SecretStr) -> SecretStr:
        """As Standard Webhooks has it: `whsec_` and 24 to 64 bytes in base64."""
        if not secret.get_secret_value():
            return secret
        if not 24 <= len(key_of(secret)) <= 64:
            raise ValueError("is no secret: write whsec_ and 24 to 64 random bytes in base64")
        return secret

    @property
    def keys(self) -> tuple[bytes, ...]:
        """The keys that sign, the newest first."""
        return tuple(key_of(secret) for secret in (self.secret, self.old_secret) if secret.get_secret_value())


def key_of(secret: SecretStr) -> bytes:
    """The bytes behind `whsec_…`; none where it is not written so."""
    prefix, _, encoded = secret.get_secret_value().partition("_")
    try:
        return base64.b64decode(encoded, validate=True) if prefix == "whsec" else b""
    except (binascii.Error, ValueError):
        return b""
