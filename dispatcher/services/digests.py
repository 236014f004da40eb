"""The digest that approval binds: every rendition and document, everybody's address and slot values, and the plan."""

import hashlib

from dispatcher.errors import Refused
from dispatcher.ledger import broadcasts, documents, planning, waves
from dispatcher.ledger.engine import Tx
from dispatcher.model.broadcast import Broadcast

ALTERED = "The message, the audience or the plan is not what was submitted."


def digest(tx: Tx, broadcast: Broadcast) -> str:
    """SHA-256 over what is stored now. One character or one recipient more, and it is another."""
    whole = {
        "form": 1,
        "mode": broadcast.mode,
        "template": broadcast.template_id,
        "source": broadcast.source,
        "purpose": broadcast.purpose,
        "severity": broadcast.severity,
        "plan": broadcast.plan.as_dict(),
        "audience_version": broadcast.audience_version_id,
        "renditions": [
            [one.channel, one.locale, one.variant, one.sha256()]
            for one in broadcasts.renditions(tx, broadcast.id).values()
        ],
        "documents": [[one.name, one.locale, one.variant, one.sha256()] for one in documents.of(tx, broadcast.id)],
        "batches": planning.batch_hashes(tx, broadcast.id),
        "waves": waves.bound(tx, broadcast.id),
    }
    return hashlib.sha256(broadcasts.canonical(whole).encode()).hexdigest()


def require_unaltered(tx: Tx, broadcast: Broadcast) -> str:
    """The digest, if it is still the submitted one."""
    now = digest(tx, broadcast)
    if broadcast.digest is None or now != broadcast.digest:
        raise Refused(
            ALTERED,
            why="Its digest differs from the stored one.",
            mend=f"dispatcher broadcast submit {broadcast.ref}, and have it approved again.",
            code="E-DIG",
        )
    return now
