"""How verbs that do and verbs that look tell of a broadcast alike: its frame as JSON, a warning in a line."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from dispatcher.cli.screen import printable

if TYPE_CHECKING:
    from dispatcher.model.broadcast import Broadcast


def shown(broadcast: "Broadcast") -> dict[str, object]:
    """A broadcast as JSON, without counts."""
    return {
        "ref": broadcast.ref,
        "state": broadcast.state,
        "mode": broadcast.mode,
        "title": broadcast.title,
        "template": broadcast.template_id,
        "channels": list(broadcast.plan.channels),
        "version": broadcast.version,
        "digest": broadcast.digest,
        "audience_size": broadcast.audience_size,
        "preapproved": broadcast.preapproval_id is not None,
        "release_at": broadcast.release_at,
        "expires_at": broadcast.expires_at,
    }


def warning_words(told: Mapping[str, Any]) -> str:
    """A warning in one line, with who let it pass and why."""
    place = " ".join(filter(None, (told["code"], told.get("channel"), told.get("locale"))))
    let = f" - let pass by {told['overridden_by']}: {told['reason']}" if told.get("overridden_by") else ""
    return f"! {place}  {printable(told['what'] + let)}"
