"""The one rule that makes a sandbox safe: it listens on this machine only, and speaks to this machine only."""

import errno
import ipaddress
import socket
from typing import Any
from urllib.parse import urlsplit

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult


class NotLoopback(ValueError):
    """An address that is not this machine's own. The message never repeats the whole URL: it may hold a key."""


def is_loopback(host: str) -> bool:
    """Whether `host` is `localhost` or a literal loopback address; no name is ever looked up."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def require_host(host: str) -> str:
    """The host, if the sandbox may listen there."""
    if not is_loopback(host):
        raise NotLoopback(f"The sandbox listens on loopback only, not on {host!r}. Use 127.0.0.1.")
    return host


def require_url(url: str) -> str:
    """The URL, if the sandbox may post there."""
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname or "", parts.port
    except ValueError:
        raise NotLoopback("The sandbox cannot read the URL it should post events to.") from None
    if parts.scheme != "http" or not is_loopback(host) or parts.username is not None:
        raise NotLoopback("The sandbox posts events to http:// on loopback only. Use a URL on 127.0.0.1.")
    return url


class _LocalhostOnly(AbstractResolver):
    """Answers for `localhost` without asking anybody, and for nothing else."""

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        if host != "localhost":
            raise OSError(errno.EACCES, f"the sandbox resolves no names: {host!r}")
        found: ResolveResult = {
            "hostname": host, "host": "127.0.0.1", "port": port,
            "family": socket.AF_INET, "proto": 0, "flags": socket.AI_NUMERICHOST,
        }  # fmt: skip
        return [found]

    async def close(self) -> None:
        """Nothing is held."""


def _loopback_socket(found: tuple[Any, ...]) -> socket.socket:
    """The last gate, at the socket itself: whatever came before, no other address is ever connected to."""
    family, kind, proto, _, address = found
    if not is_loopback(str(address[0])):
        raise OSError(errno.EACCES, "the sandbox connects to loopback only")
    return socket.socket(family=family, type=kind, proto=proto)


def connector(limit: int) -> aiohttp.TCPConnector:
    """A pool that cannot leave this machine."""
    return aiohttp.TCPConnector(limit=limit, resolver=_LocalhostOnly(), socket_factory=_loopback_socket)
