"""The bytes of a request: where it goes, and a head that nothing can be smuggled into."""

import functools
import re
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

_PORTS = {"http": 80, "https": 443}
_METHOD = re.compile(r"[A-Z]{3,10}", re.ASCII)
_TARGET = re.compile(r"[!-~]+", re.ASCII)
"""What is sent as it stands: visible ASCII. The rest of a URL is percent-encoded before it comes here."""
_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+", re.ASCII)
_UNSAFE = re.compile("[\x00-\x08\x0a-\x1f\x7f]")
_ALWAYS = "User-Agent: crisis-dispatcher\r\nAccept-Encoding: identity\r\n"


class Unsendable(ValueError):
    """The caller's URL or headers cannot be written as HTTP; nothing was."""


@dataclass(frozen=True, slots=True)
class Origin:
    """Whom a connection belongs to."""

    host: str
    port: int
    tls: bool

    @property
    def name(self) -> str:
        """As it stands in the header `Host`."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _PORTS["https" if self.tls else "http"] else f"{host}:{self.port}"


@functools.lru_cache(maxsize=1024)
def destination(url: str) -> tuple[Origin, str]:
    """The origin of a URL and what follows it, byte for byte; a fragment stays here."""
    try:
        parts = urlsplit(url)
        port = parts.port or _PORTS[parts.scheme]
        host = (parts.hostname or "").encode("idna" if not (parts.hostname or "").isascii() else "ascii").decode()
    except (ValueError, KeyError) as error:  # a UnicodeError too: no resolver takes such a name
        raise Unsendable("the address cannot be read") from error
    target = f"{parts.path or '/'}{f'?{parts.query}' if parts.query else ''}"
    if not host or parts.username is not None or not _TARGET.fullmatch(target) or not _TARGET.fullmatch(host):
        raise Unsendable("the address cannot be read")
    return Origin(host, port, parts.scheme == "https"), target


def head(method: str, origin: Origin, target: str, headers: Mapping[str, str], size: int | None) -> bytes:
    """Request line and headers; `size` is that of the body, None if there is none."""
    if not _METHOD.fullmatch(method) or method == "HEAD":  # an answer to HEAD names the length of what does not come
        raise Unsendable("no such method")
    lines = [f"{method} {target} HTTP/1.1\r\nHost: {origin.name}\r\n{_ALWAYS}"]
    for name, value in headers.items():
        if not _NAME.fullmatch(name) or _UNSAFE.search(value):
            raise Unsendable("a header holds a line break or another control character")
        lines.append(f"{name}: {value}\r\n")
    if size is not None or method not in ("GET", "DELETE"):
        lines.append(f"Content-Length: {size or 0}\r\n")
    lines.append("\r\n")
    return "".join(lines).encode()
