"""Where the words of a broadcast came from: its template, or nothing where they stand in the ledger alone.

A notice to our own people is worded where it is needed, and a template may be gone or broken by the time that
somebody sends or reads what was approved. Words stand in the ledger from submit on, and with them an outline of their
template: whose yes it takes, which facts it states, what kind of message it is. So they can go without its files.
"""

import contextlib
import json
from functools import lru_cache

from dispatcher.errors import NotFound, Refused, TemplateError
from dispatcher.ledger.broadcasts import canonical
from dispatcher.model.broadcast import Broadcast
from dispatcher.model.person import Level
from dispatcher.model.template import Profile, Template
from dispatcher.services.context import Context


def submitted(template: Template) -> str:
    """The outline of a template as it is stored with the words that are frozen from it."""
    return canonical(template.outline())


@lru_cache(maxsize=256)
def _outlined(stored: str) -> Template:
    return Template.of_outline(json.loads(stored))


def standing(ctx: Context, broadcast: Broadcast) -> Template:
    """What decides about a broadcast: its template as it was when the words were frozen, for a draft as it is now.

    Nothing stands in for a template that is gone: whoever asks for levels, facts or promises must not get none.
    """
    if broadcast.is_frozen and broadcast.source:
        return _outlined(broadcast.source)
    return ctx.catalogue.get(broadcast.template_id)


def readings(ctx: Context, broadcast: Broadcast) -> list[Template]:
    """Its template as it was submitted and as it is now, of these what there is: a level that was raised since counts,
    and one that was taken out does not vanish."""
    found = [_outlined(broadcast.source)] if broadcast.is_frozen and broadcast.source else []
    with contextlib.suppress(NotFound, *([TemplateError] if found else [])):
        found.append(ctx.catalogue.get(broadcast.template_id))
    return found


def profile(ctx: Context, broadcast: Broadcast) -> Profile | None:
    """What kind of message it is; None where nobody can say."""
    if broadcast.is_frozen and broadcast.source:
        return _outlined(broadcast.source).profile
    return ctx.catalogue.profiles().get(broadcast.template_id)


def of(ctx: Context, broadcast: Broadcast) -> Template:
    """The template of a broadcast, to look at it; where frozen words have none at all, one without parts stands in."""
    try:
        return standing(ctx, broadcast)
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
