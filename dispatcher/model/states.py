"""Every legal transition, one table per noun. Whoever changes a state asks here first."""

from collections.abc import Mapping
from enum import IntEnum, StrEnum


class BroadcastState(StrEnum):
    """Life of a broadcast, from draft to done."""

    DRAFT = "draft"
    SUBMITTED = "submitted"
    RETURNED = "returned"
    REJECTED = "rejected"
    APPROVED = "approved"
    RELEASED = "released"
    PAUSED = "paused"
    STOPPED = "stopped"
    EXPIRED = "expired"
    DONE = "done"


_B = BroadcastState
BROADCAST: Mapping[BroadcastState, frozenset[BroadcastState]] = {
    _B.DRAFT: frozenset({_B.SUBMITTED, _B.REJECTED}),
    _B.SUBMITTED: frozenset({_B.APPROVED, _B.RETURNED, _B.REJECTED, _B.DRAFT}),
    _B.RETURNED: frozenset({_B.DRAFT, _B.SUBMITTED, _B.REJECTED}),
    _B.REJECTED: frozenset(),
    _B.APPROVED: frozenset({_B.RELEASED, _B.DRAFT, _B.REJECTED, _B.EXPIRED}),
    _B.RELEASED: frozenset({_B.APPROVED, _B.PAUSED, _B.STOPPED, _B.EXPIRED, _B.DONE}),
    _B.PAUSED: frozenset({_B.RELEASED, _B.STOPPED, _B.EXPIRED, _B.DONE}),
    _B.STOPPED: frozenset({_B.DONE}),
    _B.EXPIRED: frozenset({_B.DONE}),
    _B.DONE: frozenset({_B.RELEASED}),
}


class ControlState(StrEnum):
    """The one row per broadcast and channel that decides how waiting deliveries read."""

    PLANNED = "planned"
    RELEASED = "released"
    PAUSED = "paused"
    LATE = "late"
    STOPPED = "stopped"
    EXPIRED = "expired"
    DONE = "done"


_C = ControlState
CONTROL: Mapping[ControlState, frozenset[ControlState]] = {
    _C.PLANNED: frozenset({_C.RELEASED, _C.STOPPED, _C.EXPIRED}),
    _C.RELEASED: frozenset({_C.PLANNED, _C.PAUSED, _C.LATE, _C.STOPPED, _C.EXPIRED, _C.DONE}),
    _C.PAUSED: frozenset({_C.RELEASED, _C.STOPPED, _C.EXPIRED}),
    _C.LATE: frozenset({_C.RELEASED, _C.STOPPED, _C.EXPIRED}),
    _C.STOPPED: frozenset(),
    _C.EXPIRED: frozenset(),
    _C.DONE: frozenset({_C.RELEASED}),
}


class DeliveryState(IntEnum):
    """State stored in a delivery row. WAITING is read under the control row (see `shown`)."""

    WAITING = 0
    SUPPRESSED = 1
    FALLBACK = 2
    SENDING = 3
    UNKNOWN = 4
    ACCEPTED = 5
    DELIVERED = 6
    FAILED = 7
    EXPIRED = 8
    CANCELLED = 9


_D = DeliveryState
# What looks like a step back (accepted to unknown, failed to delivered) is a delivery of several copies: it follows
# another copy when the one that it followed comes to nothing, or one that did better when that is told.
DELIVERY: Mapping[DeliveryState, frozenset[DeliveryState]] = {
    _D.WAITING: frozenset({_D.SUPPRESSED, _D.SENDING, _D.FAILED, _D.EXPIRED, _D.CANCELLED}),
    _D.SUPPRESSED: frozenset(),
    _D.FALLBACK: frozenset({_D.WAITING, _D.CANCELLED, _D.SUPPRESSED, _D.EXPIRED}),
    _D.SENDING: frozenset({_D.WAITING, _D.UNKNOWN, _D.ACCEPTED, _D.DELIVERED, _D.FAILED}),
    _D.UNKNOWN: frozenset({_D.WAITING, _D.ACCEPTED, _D.DELIVERED, _D.FAILED}),
    _D.ACCEPTED: frozenset({_D.DELIVERED, _D.FAILED, _D.WAITING, _D.SENDING, _D.UNKNOWN}),
    _D.DELIVERED: frozenset({_D.FAILED, _D.SENDING, _D.UNKNOWN, _D.ACCEPTED}),
    _D.FAILED: frozenset({_D.WAITING, _D.UNKNOWN, _D.ACCEPTED, _D.DELIVERED}),
    _D.EXPIRED: frozenset(),
    _D.CANCELLED: frozenset(),
}

PROOF_RANK: Mapping[DeliveryState, int] = {
    _D.SENDING: 1,
    _D.UNKNOWN: 2,
    _D.ACCEPTED: 3,
    _D.DELIVERED: 4,
    _D.FAILED: 5,
}
"""An event lifts a delivery only upwards in this order: a late bounce beats delivered, disorder changes nothing."""

TERMS = (
    "suppressed", "held", "pending", "sending", "accepted", "delivered", "failed", "unknown", "expired", "cancelled",
)  # fmt: skip
"""The terms of the sum `planned = ...`, in the order in which they are shown."""

_SHOWN_WAITING: Mapping[ControlState, str] = {
    _C.PLANNED: "held",
    _C.RELEASED: "pending",
    _C.PAUSED: "held",
    _C.LATE: "held",
    _C.STOPPED: "cancelled",
    _C.EXPIRED: "expired",
    _C.DONE: "pending",
}


def shown(state: DeliveryState, control: ControlState, *, frozen: bool = False) -> str:
    """The term under which a delivery is counted: a waiting or fallback row reads as its control row says."""
    if state is DeliveryState.WAITING:
        return "held" if frozen and control is ControlState.RELEASED else _SHOWN_WAITING[control]
    if state is DeliveryState.FALLBACK:
        term = _SHOWN_WAITING[control]
        return term if term in ("cancelled", "expired") else "held"
    return state.name.lower()
