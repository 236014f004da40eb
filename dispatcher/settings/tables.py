"""The tables of the settings: types, bounds and built-in defaults."""

from pathlib import Path
from typing import Annotated, Literal
from zoneinfo import ZoneInfo

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field
from pydantic import field_validator as checked

from dispatcher.model.kinds import Channel, Mode, Policy, Severity
from dispatcher.model.person import Level

_by_commas = BeforeValidator(lambda v: [w.strip() for w in v.split(",") if w.strip()] if isinstance(v, str) else v)

Words = Annotated[tuple[str, ...], _by_commas]
"""A list in TOML; in the environment, words with commas between them."""

Ages = Annotated[tuple[Annotated[int, Field(ge=1)], ...], _by_commas]
"""The same of seconds."""


class Block(BaseModel):
    """A table of the settings."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, hide_input_in_errors=True, str_strip_whitespace=True, validate_default=True
    )


class Anchor(Block):
    """Where the ledger's anchor is kept: outside the work folder, so that a restored copy is noticed."""

    path: Path = Path()


class Organisation(Block):
    """Who speaks. Templates read these words; `never_ask` says what we never ask people for."""

    name: str = "Example Ltd"
    domain: str = "example.com"
    contact: str = "help@example.com"
    phone: str = "+44 1632 960000"
    help_url: str = "https://example.com/help"
    never_ask: str = "We will never ask you for your password, a code or a payment in a message."
    sms_name: str = Field(default="", max_length=20)
    domains: Words = ()
    verify_url: str = ""
    never_ask_in: dict[str, str] = {}
    contact_hours: dict[str, str] = {}
    signatory: str = "The Example team"
    signatory_role: dict[str, str] = {}
    dpo_name: str = ""
    dpo_email: str = ""
    press_email: str = ""
    social: Words = ()
    suppliers: Words = ()
    address: str = "1 Example Street, Exampletown"
    locale: str = "en"
    time_zone: str = "UTC"
    region: str = Field(default="GB", pattern="^[A-Z]{2}$")

    @checked("time_zone")
    @classmethod
    def _known_zone(cls, name: str) -> str:
        try:
            ZoneInfo(name)
        except (ValueError, OSError, KeyError):
            raise ValueError("is no IANA time zone, such as Europe/London") from None
        return name


class Audience(Block):
    """How imports are read. `region` is ISO 3166, for telephone numbers written without a country code."""

    region: str = Field(default="", pattern=r"^([A-Z]{2})?$")


class Retry(Block):
    """When a delivery that was certainly not sent is due again: first × factor each time, ± jitter, up to longest."""

    first_seconds: float = Field(default=5, gt=0)
    factor: float = Field(default=2, ge=1)
    longest_seconds: float = Field(default=300, gt=0)
    jitter: float = Field(default=0.2, ge=0, le=1)
    failover_after: int = Field(default=3, ge=1)
    quarantine_after: int = Field(default=3, ge=2)


class Breaker(Block):
    """When an account is left alone: after so many failures in a row, for so long."""

    failures: int = Field(default=5, ge=1)
    open_seconds: float = Field(default=30, gt=0)


class Dispatch(Block):
    """How deliveries are handed over."""

    lease_seconds: int = Field(default=60, ge=2, le=3600)
    grace_seconds: float = Field(default=15, ge=0.5, le=600)
    drain_seconds: float = Field(default=2, gt=0, le=30)
    late_minutes: float = Field(default=15, gt=0)
    undo_seconds: int = Field(default=10, ge=0, le=3600)
    request_size: dict[str, Annotated[int, Field(ge=1, le=1000)]] = {"default": 200, "life_safety": 20}
    expiry_hours: dict[Severity, Annotated[float, Field(gt=0, le=24 * 30)]] = {}
    settle_seconds: dict[Channel, Annotated[int, Field(ge=1)]] = {}
    when_unknown: dict[Severity, Policy] = {}
    promotional_most: int = Field(default=3, ge=0)
    promotional_days: float = Field(default=7, gt=0)
    service_most: int = Field(default=5, ge=0)
    service_days: float = Field(default=1, gt=0)
    ask_after_seconds: Ages = (900, 3600, 86_400)
    retry: Retry = Retry()
    breaker: Breaker = Breaker()

    @checked("request_size")
    @classmethod
    def _known_sizes(cls, sizes: dict[str, int]) -> dict[str, int]:
        words = {"default", *Channel, *Severity, *(f"{c}_{s}" for c in Channel for s in Severity)}
        if strange := sorted(set(sizes) - words):
            raise ValueError(f"{strange[0]!r} is no channel, severity or channel_severity")
        return {"default": 200, "life_safety": 20} | sizes

    @checked("expiry_hours")
    @classmethod
    def _every_expiry(cls, hours: dict[Severity, float]) -> dict[Severity, float]:
        return dict(zip(Severity, (2.0, 8.0, 24.0, 48.0), strict=True)) | hours

    @checked("settle_seconds")
    @classmethod
    def _every_settle(cls, seconds: dict[Channel, int]) -> dict[Channel, int]:
        return dict(zip(Channel, (900, 300, 120, 300), strict=True)) | seconds

    @checked("when_unknown")
    @classmethod
    def _every_policy(cls, policies: dict[Severity, Policy]) -> dict[Severity, Policy]:
        return dict.fromkeys(Severity, Policy.AT_MOST_ONCE) | {Severity.LIFE_SAFETY: Policy.AT_LEAST_ONCE} | policies

    def recipients_per_request(self, channel: Channel, severity: Severity) -> int:
        """The most exact setting there is: channel and severity, severity, channel, default."""
        wanted = (f"{channel}_{severity}", str(severity), str(channel), "default")
        return next(self.request_size[word] for word in wanted if word in self.request_size)


class Staff(Block):
    """How our own people are told: the first of these channels on which a person can be reached now."""

    channels: Words = ("sms", "email", "chat")
    expires_minutes: float = Field(default=60, gt=0, le=24 * 60)

    @checked("channels")
    @classmethod
    def _known_channels(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        if strange := [name for name in names if name not in ("sms", "email", "chat")]:
            raise ValueError(f"{strange[0]!r} is not sms, email or chat")
        return names


class Signatory(Block):
    """Somebody whose name may stand under a message. `signature` is what stands below it, by language; `topics` are
    ids, profiles, purposes or audiences of templates, and none means all."""

    name: str = Field(min_length=1, max_length=80)
    level: Level
    signature: dict[str, str] = {}
    topics: Words = ()


class Approval(Block):
    """Who must say yes to what, and how long they have. By severity, the template's own demand is never lowered."""

    level: dict[Severity, Level] = {}
    signatory_level: dict[Severity, Level] = {}
    answer_minutes: dict[Severity, Annotated[float, Field(gt=0, le=7 * 24 * 60)]] = {}
    open_warnings: dict[Mode, Literal["refuse", "tell"]] = {}
    tell_approvers: bool = True
    break_glass: dict[Severity, bool] = {}

    @checked("level")
    @classmethod
    def _every_level(cls, levels: dict[Severity, Level]) -> dict[Severity, Level]:
        lead = Level.COMMS_LEAD
        return dict(zip(Severity, (lead, lead, lead, Level.COMMS), strict=True)) | levels

    @checked("signatory_level")
    @classmethod
    def _every_signatory(cls, levels: dict[Severity, Level]) -> dict[Severity, Level]:
        return dict(zip(Severity, (*(2 * (Level.DIRECTOR,)), Level.COMMS_LEAD, Level.COMMS), strict=True)) | levels

    @checked("answer_minutes")
    @classmethod
    def _every_wait(cls, minutes: dict[Severity, float]) -> dict[Severity, float]:
        return dict(zip(Severity, (2.0, 5.0, 15.0, 60.0), strict=True)) | minutes

    @checked("open_warnings")
    @classmethod
    def _every_mode(cls, modes: dict[Mode, str]) -> dict[Mode, str]:
        return {Mode.LIVE: "refuse", Mode.DRILL: "tell"} | modes

    @checked("break_glass")
    @classmethod
    def _every_glass(cls, allowed: dict[Severity, bool]) -> dict[Severity, bool]:
        return dict(zip(Severity, (True, True, False, False), strict=True)) | allowed


class Marketing(Block):
    """Promotion: who has agreed to it, and which incidents make it wait for a person."""

    consent_column: str = "consent"
    pause_for: tuple[Severity, ...] = (Severity.LIFE_SAFETY, Severity.CRITICAL, Severity.MAJOR)


class Workers(Block):
    """Sizes of the processes behind `up`; 0 is by the number of cores."""

    processes: int = Field(default=0, ge=0, le=256)
    web_threads: int = Field(default=8, ge=1, le=256)


class Log(Block):
    """What is logged and in which form: json, console, or auto (console only in a terminal)."""

    level: str = Field(default="info", pattern="^(debug|info|warning|error)$")
    form: str = Field(default="auto", pattern="^(auto|json|console)$")
