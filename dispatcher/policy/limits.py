"""Rate tokens per account, shared by every worker of every host through Redis, taken in leases before the intent.

One call to a script takes as many tokens as there are, up to what is wanted, and says how long to wait for more. When
Redis is away each process goes on with a share of its own: slower, never faster than the account allows.
"""

from dataclasses import dataclass
from typing import Any

from dispatcher.model.clock import Clock

SCRIPT = """
local rate = tonumber(ARGV[1])
local burst = tonumber(ARGV[2])
local want = tonumber(ARGV[3])
local t = redis.call('TIME')
local now = tonumber(t[1]) + tonumber(t[2]) / 1000000
local state = redis.call('HMGET', KEYS[1], 'tokens', 'at')
local tokens = tonumber(state[1]) or burst
local at = tonumber(state[2]) or now
tokens = math.min(burst, tokens + math.max(0, now - at) * rate)
local granted = math.min(want, math.floor(tokens))
redis.call('HSET', KEYS[1], 'tokens', tostring(tokens - granted), 'at', tostring(now))
redis.call('EXPIRE', KEYS[1], 3600)
return {granted, tostring((1 - math.min(1, tokens - granted)) / rate)}
"""
AWAY_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Grant:
    """Tokens taken, and seconds to wait where they were fewer than wanted."""

    tokens: int
    wait: float


@dataclass(slots=True)
class _Bucket:
    tokens: float
    at: float


class Limits:
    """Tokens for accounts. `share` is this process's part of a limit while Redis cannot be asked, as 1/n."""

    def __init__(self, redis_url: str, clock: Clock, *, prefix: str, share: int) -> None:
        self._url = redis_url
        self._clock = clock
        self._prefix = prefix
        self._share = max(1, share)
        self._script: Any = None
        self._away_until = 0.0
        self._local: dict[str, _Bucket] = {}

    def take(self, account: str, want: int, per_second: float) -> Grant:
        """Up to `want` tokens of an account that may start `per_second` deliveries; 0 means no limit."""
        if per_second <= 0 or want <= 0:
            return Grant(want, 0.0)
        if self._url and self._clock.monotonic() >= self._away_until:
            try:
                return self._shared(account, want, per_second)
            except _redis_errors():
                self._away_until = self._clock.monotonic() + AWAY_SECONDS
        return self._own(account, want, per_second / self._share)

    def _shared(self, account: str, want: int, rate: float) -> Grant:
        if self._script is None:
            self._script = _connect(self._url).register_script(SCRIPT)
        granted, wait = self._script(keys=[f"{self._prefix}:limit:{account}"], args=[rate, max(1.0, rate), want])
        return Grant(int(granted), max(0.001, float(wait)) if int(granted) < want else 0.0)

    def _own(self, account: str, want: int, rate: float) -> Grant:
        now = self._clock.monotonic()
        burst = max(1.0, rate)
        bucket = self._local.setdefault(account, _Bucket(1.0, now))
        bucket.tokens = min(burst, bucket.tokens + max(0.0, now - bucket.at) * rate)
        bucket.at = now
        granted = min(want, int(bucket.tokens))
        bucket.tokens -= granted
        return Grant(granted, max(0.001, (1 - min(1.0, bucket.tokens)) / rate) if granted < want else 0.0)


def _connect(url: str) -> Any:
    from redis import Redis

    return Redis.from_url(url, socket_timeout=1, socket_connect_timeout=1, health_check_interval=30)


def _redis_errors() -> type[Exception]:
    from redis.exceptions import RedisError

    return RedisError
