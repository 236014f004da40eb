"""What a sandbox is told at its start: its accounts, and how badly they behave.

Everything but the accounts and the files can be changed later over the admin API.
"""

from enum import StrEnum
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr, model_validator

from dispatcher.sandbox.fate import NUMBER_SUFFIXES, Fate


class Strict(BaseModel):
    """Frozen, and a misspelt setting is an error, not silence."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


def _ordered(span: tuple[float, float]) -> tuple[float, float]:
    if not 0 <= span[0] <= span[1]:
        raise ValueError("give (shortest, longest), both in seconds and not negative")
    return span


Share = Annotated[float, Field(ge=0, le=1)]
Seconds = Annotated[float, Field(ge=0)]
Span = Annotated[tuple[Seconds, Seconds], AfterValidator(_ordered)]


class Kind(StrEnum):
    """A wire that the sandbox speaks."""

    SENDGRID = "sendgrid"
    TWILIO = "twilio"
    X = "x"
    SMTP = "smtp"


class OAuth(Strict):
    """The four parts of an OAuth 1.0a user context; with them the signature of each request is checked."""

    consumer_key: str
    consumer_secret: SecretStr
    token: str
    token_secret: SecretStr


class Account(Strict):
    """One customer of a pretend vendor. `name` is what our own settings call it, and what the record says.

    `user`: Twilio's account SID, X's user id, the SMTP user. `secret`: SendGrid's API key, Twilio's auth token,
    X's bearer token (empty: any), the SMTP password (empty: no login). `events_url`: where SendGrid's events go.
    `own_port`: this account alone answers there, so that a refused connection can be played.
    """

    name: Annotated[str, Field(pattern=r"^[a-z0-9_]+$")]
    kind: Kind
    secret: SecretStr = SecretStr("")
    user: str = ""
    events_url: str = ""
    own_port: bool = False
    senders: tuple[str, ...] = ()
    oauth: OAuth | None = None
    posts_per_window: Annotated[int, Field(ge=1)] = 100


class Fault(StrEnum):
    """One way in which a request can go wrong. `..._accepted`: the message was taken on all the same."""

    THROTTLE = "throttle"
    ERROR = "error"
    ERROR_ACCEPTED = "error_accepted"
    RESET = "reset"
    RESET_ACCEPTED = "reset_accepted"
    STALL = "stall"
    STALL_ACCEPTED = "stall_accepted"
    GARBAGE = "garbage"
    GARBAGE_ACCEPTED = "garbage_accepted"
    TRUNCATED = "truncated"
    SLOW = "slow"

    @property
    def accepts(self) -> bool:
        """Whether the message is taken on although the answer is bad."""
        return self in (Fault.TRUNCATED, Fault.SLOW) or self.endswith("_accepted")


class DownHow(StrEnum):
    """What an outage looks like from outside."""

    UNAVAILABLE = "unavailable"
    RESET = "reset"
    REFUSE = "refuse"


class Outage(Strict):
    """From `start` to `end` seconds after the sandbox began. Only the admin API can close a port (`refuse`)."""

    start: Seconds
    end: Seconds
    how: Literal[DownHow.UNAVAILABLE, DownHow.RESET] = DownHow.UNAVAILABLE


class Faults(Strict):
    """Shares of requests that go wrong, one account's; at most one fault strikes a request.

    `throttle` was not processed and says when to come back; `truncated` and `slow` were accepted; `stall` waits
    `stall_seconds` and then works, unless the caller has gone. `per_second` and `in_flight` (0: no limit) are real
    limits: what goes over is throttled. `list_lag` is how long an accepted message stays missing from lists.
    """

    throttle: Share = 0
    error: Share = 0
    error_accepted: Share = 0
    reset: Share = 0
    reset_accepted: Share = 0
    stall: Share = 0
    stall_accepted: Share = 0
    garbage: Share = 0
    garbage_accepted: Share = 0
    truncated: Share = 0
    slow: Share = 0

    retry_after: Seconds = 1
    error_status: Annotated[int, Field(ge=400, le=599)] = 500
    stall_seconds: Seconds = 30
    slow_seconds: Seconds = 5
    latency: Span = (0, 0)
    list_lag: Seconds = 0
    per_second: Annotated[float, Field(ge=0)] = 0
    in_flight: Annotated[int, Field(ge=0)] = 0
    outages: tuple[Outage, ...] = ()

    @model_validator(mode="after")
    def _shares_fit(self) -> Self:
        if sum(self.shares().values()) > 1 + 1e-9:
            raise ValueError("the shares of the faults add up to more than 1")
        return self

    def shares(self) -> dict[Fault, float]:
        """Every fault with its share, in a fixed order."""
        return {fault: getattr(self, fault.value) for fault in Fault}


class Fates(Strict):
    """What becomes of accepted messages: shares by fate, drawn from the address and the seed, never from chance.

    An address that names its own fate (see `fate.py`) comes before the shares. `suffixes` are endings of numbers.
    """

    shares: dict[Fate, Share] = {}
    suffixes: dict[str, Fate] = NUMBER_SUFFIXES
    from_addresses: bool = True

    @model_validator(mode="after")
    def _shares_fit(self) -> Self:
        if sum(self.shares.values()) > 1 + 1e-9:
            raise ValueError("the shares of the fates add up to more than 1")
        return self


class EventPlan(Strict):
    """How events come back. `delay` lies between one step of a message's life and the next.

    `late`, `duplicate`, `drop` and `reorder` are shares; `hold` keeps everything back until it is lifted; without
    `steps` only the last word about a message is told. SendGrid's batches close after `batch_seconds` (the vendor:
    30 s) or at `batch_bytes`; `retries` are the waits between its tries (the vendor goes on for 24 hours).
    """

    delay: Span = (0.05, 0.4)
    late: Share = 0
    late_seconds: Seconds = 5
    duplicate: Share = 0
    drop: Share = 0
    reorder: Share = 0
    hold: bool = False
    steps: bool = True
    batch_seconds: Seconds = 0.1
    batch_bytes: Annotated[int, Field(ge=1_000)] = 768_000
    batches_in_flight: Annotated[int, Field(ge=1)] = 4
    callbacks_in_flight: Annotated[int, Field(ge=1)] = 32
    retries: tuple[Seconds, ...] = (0.25, 0.5, 1, 2, 4, 8, 15, 30)


DEFAULT_ACCOUNTS = (
    Account(name="sendgrid", kind=Kind.SENDGRID, secret=SecretStr("SG.sandbox")),
    Account(name="twilio", kind=Kind.TWILIO, user="AC" + "0" * 32, secret=SecretStr("sandbox-token")),
    Account(name="x", kind=Kind.X, user="1000000001"),
    Account(name="smtp", kind=Kind.SMTP),
)
"""Made-up credentials of a sandbox that is told of no accounts; they open nothing but itself."""


class SandboxConfig(Strict):
    """`port` and `smtp_port` 0: a free one; `smtp_port` None: no SMTP. `faults` by account name, `*` for the rest."""

    host: str = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65535)] = 0
    smtp_port: Annotated[int, Field(ge=0, le=65535)] | None = 0
    accounts: tuple[Account, ...] = DEFAULT_ACCOUNTS
    record: str = ""
    plain_addresses: bool = False
    seed: int = 7
    faults: dict[str, Faults] = {}
    fates: Fates = Fates()
    events: EventPlan = EventPlan()
    keep: Annotated[int, Field(ge=0)] = 2_000
    keep_texts: Annotated[int, Field(ge=1)] = 200_000
    key_argument: str = "d"
    key_header: str = "X-Dispatcher-Key"

    @model_validator(mode="after")
    def _names_are_known_once(self) -> Self:
        names = [account.name for account in self.accounts]
        if len(set(names)) != len(names):
            raise ValueError("two accounts have the same name")
        if strangers := set(self.faults) - set(names) - {"*"}:
            raise ValueError(f"faults name accounts that do not exist: {', '.join(sorted(strangers))}")
        return self

    def faults_of(self, account: str) -> Faults:
        """The account's own faults, else those of `*`, else none."""
        return self.faults.get(account) or self.faults.get("*") or Faults()
