"""Where the words of a broadcast came from: its template, or nothing where they stand in the ledger alone.

A notice to our own people is worded where it is needed, and a template may be gone or broken by the time that
somebody reads what was sent with it. What was sent stands in the ledger, and can be looked at without its source.
"""

from dispatcher.errors import NotFound, Refused, TemplateError
from dispatcher.model.broadcast import Broadcast
from dispatcher.model.person import Level
from dispatcher.model.template import Profile, Template
from dispatcher.services.context import Context


def of(ctx: Context, broadcast: Broadcast) -> Template:
    """The template of a broadcast; for frozen words whose template is gone or broken, one without sources stands in."""
    try:
        return ctx.catalogue.get(broadcast.template_id)
    except (NotFound, TemplateError):
        if not broadcast.is_frozen:
            raise
    return Template(
        id=broadcast.template_id, title=broadcast.title, about="", purpose=broadcast.purpose, audiences=(),
        channels=broadcast.plan.channels, documents=(), facts=(), level=Level.COMMS, approvals=(),
        profile=Profile.WARNING, sources={}, locale=broadcast.plan.default_locale,
    )  # fmt: skip


def require_own(broadcast: Broadcast) -> None:
    """Return unless this is a notice to our own people: nobody checks, corrects or updates what has no template."""
    if broadcast.relation == "notice":
        raise Refused(
            f"{broadcast.ref} is a notice to our own people: it has no template to check or to write again from.",
            why="The program wrote it and released it at once.",
            mend=f"Read it: dispatcher broadcast preview {broadcast.ref}",
        )
