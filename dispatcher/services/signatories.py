"""Who signs a message: named people in the settings, each with a level, topics, and what stands under the name.

Without a directory the organisation's one signatory signs everything, and no rule asks how senior that is.
"""

from collections.abc import Mapping
from dataclasses import replace

from dispatcher.compose.brief import Organisation, Signature
from dispatcher.errors import Refused
from dispatcher.model.kinds import Severity
from dispatcher.model.person import Level
from dispatcher.model.template import Template
from dispatcher.services.context import Context
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
    directory = ctx.settings.signatories
    if key:
        return directory.get(key)
    wanted = needed(ctx, template, severity)
    for fit in (_of_topic(directory, template), [one for one in directory.values() if not one.topics]):
        by_rank = sorted(fit, key=lambda one: one.level.rank)
        if enough := [one for one in by_rank if one.level.covers(wanted)]:
            return enough[0]
    return max(directory.values(), key=lambda one: one.level.rank, default=None)


def _of_topic(directory: Mapping[str, Signatory], template: Template) -> list[Signatory]:
    mine = {template.id, template.profile.value, template.purpose.value, *template.audiences}
    return [one for one in directory.values() if mine & set(one.topics)]


def signed(
    ctx: Context, organisation: Organisation, template: Template, severity: Severity, key: str = ""
) -> tuple[Organisation, Signature | None]:
    """The organisation with the name that stands under this message, and what the check must know of it."""
    if not ctx.settings.signatories:
        return organisation, None
    wanted = needed(ctx, template, severity)
    who = chosen(ctx, template, severity, key)
    if who is None:
        return organisation, Signature(key, None, wanted)
    named = replace(organisation, signatory_name=who.name, signatory_role=dict(who.signature))
    return named, Signature(who.name, who.level, wanted)
