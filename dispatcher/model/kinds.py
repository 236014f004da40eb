"""Small closed vocabularies that every room shares."""

from enum import StrEnum


class Channel(StrEnum):
    """A medium. Who carries it is a provider; our credentials there are an account."""

    EMAIL = "email"
    SMS = "sms"
    SOCIAL = "social"
    CHAT = "chat"

    @property
    def counts_people(self) -> bool:
        """Deliveries of this channel go to persons; posts and chat rooms are reached by accounts of our own."""
        return self in (Channel.EMAIL, Channel.SMS)


class Mode(StrEnum):
    """Live reaches people; a drill cannot leave this machine."""

    LIVE = "live"
    DRILL = "drill"


class Purpose(StrEnum):
    """Why we write: decides consent, suppression scope and one-click unsubscribe."""

    SERVICE = "service"
    PROMOTIONAL = "promotional"
    STAFF = "staff"
    DRILL = "drill"


class Severity(StrEnum):
    """How bad it is; orders claims, chooses request size, cadence and who must sign."""

    LIFE_SAFETY = "life_safety"
    CRITICAL = "critical"
    MAJOR = "major"
    MINOR = "minor"

    @property
    def rank(self) -> int:
        """0 is claimed first."""
        return list(Severity).index(self)


class Policy(StrEnum):
    """What happens to a delivery whose answer was lost and that no evidence settles."""

    AT_MOST_ONCE = "at_most_once"
    AT_LEAST_ONCE = "at_least_once"


class FactState(StrEnum):
    """How sure we are of a statement about an incident."""

    CONFIRMED = "confirmed"
    BELIEVED = "believed"
    UNKNOWN = "unknown"
    RETRACTED = "retracted"
