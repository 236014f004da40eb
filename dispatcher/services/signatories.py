"""Who signs a message: named people in the settings, each with a level, topics, and what stands under the name.

Without a directory the organisation's one signatory signs everything, and no rule asks how senior that is.
"""

from collections.abc import Iterator, Mapping
from dataclasses import replace

from dispatcher.compose.brief import Organisation, Signature
from dispatcher.errors import Refused
from dispatcher.model.broadcast import Broadcast
from dispatcher.model.kinds import Severity
from dispatcher.model.person import Level
from dispatcher.model.template import Template
from dispatcher.services import portraits
from dispatcher.services.context import Context
from dispatcher.services.findings import Finding
from dispatcher.settings.tables import Signatory


def needed(ctx: Context, template: Template, severity: Severity) -> Level:
    """How senior the name under a mail or a letter must be: the template's level, raised by the severity's."""
    by_severity = ctx.settings.approval.signatory_level[severity]
    return max(template.level, by_severity, key=lambda level: level.rank)


def require_known(ctx: Context, key: str) -> None:
    """Return if somebody of that key stands in the directory, or none is asked for."""
    if key and key not in ctx.settings.signatories:
        known = ", ".join(ctx.settings.signatories)
        raise Refused(
            f"Nobody in the directory is called {key!r}.",
            mend=f"Use one of {known}." if known else "Write them into the settings: [signatories.NAME]",
            code="E-SIGN",
        )


def chosen(ctx: Context, template: Template, severity: Severity, key: str = "") -> Signatory | None:
    """Who signs: whoever the author named; else of those for this topic, or for any, the least senior who may.

    Where nobody may, the most senior is taken, and the check says that it is not enough. None: there is no directory,
    or whoever was named has left it.
    """
    return ctx.settings.signatories.get(key or _fit(ctx, template, severity))


def _fit(ctx: Context, template: Template, severity: Severity) -> str:
    """The key of whoever fits best; empty without a directory."""
    directory = ctx.settings.signatories
    wanted = needed(ctx, template, severity)
    for fit in (_of_topic(directory, template), [key for key, one in directory.items() if not one.topics]):
        by_rank = sorted(fit, key=lambda key: directory[key].level.rank)
        if enough := [key for key in by_rank if directory[key].level.covers(wanted)]:
            return enough[0]
    return max(directory, key=lambda key: directory[key].level.rank, default="")


def _of_topic(directory: Mapping[str, Signatory], template: Template) -> list[str]:
    mine = {template.id, template.profile.value, template.purpose.value, *template.audiences}
    return [key for key, one in directory.items() if mine & set(one.topics)]


def signed(
    ctx: Context, organisation: Organisation, template: Template, severity: Severity, key: str = ""
) -> tuple[Organisation, Signature | None]:
    """The organisation with the name that stands under this message, and what the check must know of it."""
    if not ctx.settings.signatories:
        return organisation, None
    wanted, key = needed(ctx, template, severity), key or _fit(ctx, template, severity)
    who = ctx.settings.signatories.get(key)
    if who is None:
        return organisation, Signature(key, None, wanted)
    picture = portraits.usable(ctx.settings, key)
    named = replace(
        organisation, signatory_name=who.name, signatory_role=dict(who.signature), signatory_picture=picture
    )
    return named, Signature(who.name, who.level, wanted)


def findings(ctx: Context, broadcast: Broadcast, template: Template) -> Iterator[Finding]:
    """A picture that is there and cannot be used: the message goes without it, and somebody should know."""
    key = broadcast.signatory or _fit(ctx, template, broadcast.severity)
    try:
        portraits.of(ctx.settings, key)
    except Refused as error:
        what = f"It goes without the picture of {key}. {error.what}"
        yield Finding("I-PICTURE", "info", what, error.why, "; ".join(error.mend))
