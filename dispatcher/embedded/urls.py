"""One setting names the Redis-protocol server; redis-py and kombu want it spelled differently when it is a socket."""

from urllib.parse import parse_qsl, urlencode, urlsplit

_SOCKET_SCHEMES = ("unix", "redis+socket", "socket")
_DATABASE = ("db", "virtual_host")


def for_redis(url: str) -> str:
    """The URL as redis-py reads it: `unix:///path?db=0`."""
    return _socket_url(url, "unix", "db")


def for_celery(url: str) -> str:
    """The URL as kombu reads it: `redis+socket:///path?virtual_host=0`."""
    return _socket_url(url, "redis+socket", "virtual_host")


def _socket_url(url: str, scheme: str, database: str) -> str:
    parts = urlsplit(url)
    if parts.scheme not in _SOCKET_SCHEMES:
        return url
    query = dict(parse_qsl(parts.query))
    number = next((query.pop(word) for word in _DATABASE if word in query), "0")
    return f"{scheme}://{parts.netloc}{parts.path}?{urlencode({database: number} | query)}"
