"""Who of an audience gets nothing although they have an address: suppressed, without consent, or told often enough.

The same SQL decides for the plan and for what a check says beforehand.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from dispatcher.ledger import lookups
from dispatcher.ledger.engine import Tx
from dispatcher.ledger.marketing import AGREED
from dispatcher.model.kinds import Channel

NO_CONSENT = "no_consent"
"""The reason of a delivery to somebody who has not agreed to promotion."""
OFTEN = "told often enough lately"
ADDRESS = {Channel.EMAIL: "email", Channel.SMS: "phone"}
"""Which column of a recipient holds the address on a channel."""
Values = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Sparing:
    """What holds besides suppressions.

    `consent` is the field that must say yes, empty where nobody is asked. Who had `most` promotional messages of this
    `mode` since `most_since` (ms) by others than the broadcast `but` gets no further one; 0 is no such limit.
    """

    consent: str = ""
    most: int = 0
    most_since: int = 0
    mode: str = ""
    but: int = 0


EVERYBODY = Sparing()


def lacks_consent(tx: Tx, sparing: Sparing) -> tuple[str, Values]:
    """Whether recipient `r` has not agreed: SQL that is true or false, never null, and its values."""
    if not sparing.consent:
        return "(1 = 0)", {}
    said = (
        "json_extract(r.fields, :consent)" if tx.is_sqlite else "(CAST(r.fields AS jsonb) ->> CAST(:consent AS text))"
    )
    words = ", ".join(f"'{word}'" for word in AGREED)
    path = f'$."{sparing.consent}"' if tx.is_sqlite else sparing.consent
    return f"(coalesce(lower(trim(CAST({said} AS text))), '') NOT IN ({words}))", {"consent": path}


def left_out(tx: Tx, channel: Channel, scopes: Sequence[str], sparing: Sparing) -> tuple[str, Values]:
    """Addresses of a channel that get nothing, each once with the reason: SQL and its values, marked by the channel."""
    mark = ADDRESS[channel]
    values: Values = {f"{mark}_channel": str(channel)} | {f"{mark}_scope{i}": s for i, s in enumerate(scopes)}
    marks = ", ".join(f":{mark}_scope{i}" for i in range(len(scopes)))
    suppressed = (
        f"SELECT address, min(reason) AS reason FROM suppression WHERE channel = :{mark}_channel"
        f" AND removed_at IS NULL AND scope IN ({marks}) GROUP BY address"
    )
    if not sparing.most:
        return suppressed, values
    both = f"SELECT address, min(reason) AS reason FROM ({suppressed} UNION ALL {_often(tx, mark)}) x GROUP BY address"
    limit = {"most": sparing.most, "most_since": sparing.most_since, "mode": sparing.mode, "but": sparing.but}
    return both, values | {"often": OFTEN} | limit


def _often(tx: Tx, column: str) -> str:
    return (
        f"SELECT r.{column} AS address, CAST(:often AS text) AS reason FROM broadcast o"
        f" JOIN batch b ON b.broadcast_id = o.id AND b.channel = :{column}_channel"
        f" {lookups.deliveries(tx)} {lookups.recipients(tx)}"
        " WHERE o.purpose = 'promotional' AND o.mode = :mode AND o.release_at >= :most_since AND o.id <> :but"
        " AND d.state IN (3, 4, 5, 6)"
        f" GROUP BY r.{column} HAVING count(*) >= :most"
    )
