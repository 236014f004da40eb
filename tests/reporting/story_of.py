"""A small run, told: two channels, every kind of end among them."""

from datetime import UTC, datetime

from dispatcher.reporting.story import Act, Proof, Spread, Story, Sums, Words
from dispatcher.reporting.sums import cumulate

AT = datetime(2026, 11, 22, 18, 3, tzinfo=UTC)
EMAIL = Sums(
    "email",
    {"planned": 1000, "suppressed": 12, "delivered": 950, "failed": 30, "unknown": 8},
    {"failed": {"address does not exist": 22, "mailbox full": 8}, "suppressed": {"opt_out": 12}},
)
SMS = Sums("sms", {"planned": 400, "held": 5, "accepted": 380, "delivered": 10, "failed": 5}, {"failed": {"": 5}})


def story(**changes):
    accepted = {250 * i: 10 for i in range(1, 135)}
    delivered = {250 * i + 900: 7 for i in range(1, 135)}
    told = {
        "ref": "B-7",
        "title": "Sign-in outage",
        "mode": "drill",
        "state": "done",
        "made_at": AT,
        "released_at": AT,
        "audience": "customers",
        "audience_size": 1001,
        "people_reached": 980,
        "approved_by": "Ben",
        "drafted_by": "Ana",
        "digest": "f" * 64,
        "channels": (EMAIL, SMS),
        "curve": tuple(cumulate(accepted, delivered)),
        "spreads": (Spread("email", accepted), Spread("sms", {40: 3})),
        "acts": (Act(AT, "Ben", "approved B-7", "times checked"),),
        "words": (Words("email · en", "Dear ⟨first_name⟩", 950),),
        "proofs": (Proof("email accepted", 950, 950),),
    }
    return Story(**{**told, **changes})
