"""Ways to the people of an audience that a broadcast does not use: their other addresses, our accounts, documents."""

import re
from collections.abc import Iterator

from dispatcher.ledger import audiences, measures
from dispatcher.ledger.engine import Tx
from dispatcher.model.broadcast import Broadcast
from dispatcher.model.kinds import Channel
from dispatcher.model.template import Template
from dispatcher.services import marketing
from dispatcher.services.context import Context
from dispatcher.services.findings import Finding

CODE = "I-TOUCH"
_ADDRESS = {Channel.EMAIL: "an email address", Channel.SMS: "a phone number"}
_COLUMNS = (
    (re.compile(r"address|street|post_?code|zip|postal"), "letter", "a letter"),
    (re.compile(r"push|device|app_?(?:id|user|token)"), "page", "the app, by its feed"),
)
"""Columns of an audience that speak of another way to people, the document that serves it, and what it is called."""


def unused(ctx: Context, tx: Tx, broadcast: Broadcast, template: Template) -> list[Finding]:
    """What is not used, each as something to know."""
    ways = (_addresses(ctx, tx, broadcast, template), _accounts(ctx, broadcast, template))
    return [finding for way in (*ways, _documents(tx, broadcast, template)) for finding in way]


def _told(what: str, mend: str, channel: str = "") -> Finding:
    return Finding(CODE, "info", what, mend=mend, channel=channel)


def _addresses(ctx: Context, tx: Tx, broadcast: Broadcast, template: Template) -> Iterator[Finding]:
    version = broadcast.audience_version_id
    scopes, spared = marketing.scopes(broadcast.purpose), marketing.sparing(ctx, tx, broadcast)
    for channel, address in _ADDRESS.items() if version is not None else ():
        if version is None or channel in broadcast.plan.channels:
            continue
        addressed, suppressed, _ = measures.reach(tx, version, channel, scopes, spared)
        if addressed > suppressed:
            count = addressed - suppressed
            who = "1 person has" if count == 1 else f"{count:,} people have"
            what = f"{who} {address} that this does not use."
            has_words = channel in template.channels
            mend = f"Draft with --channel {channel} too." if has_words else "Choose a template that has words for it."
            yield _told(what, mend, channel)


def _accounts(ctx: Context, broadcast: Broadcast, template: Template) -> Iterator[Finding]:
    for channel in template.channels:
        accounts = [one.name for one in ctx.on(channel) if one.settings.enabled]
        if accounts and not channel.counts_people and channel not in broadcast.plan.channels:
            what = f"Our own accounts on {channel} are not used: {', '.join(accounts)}."
            yield _told(what, f"Draft with --channel {channel} too.", channel)


def _documents(tx: Tx, broadcast: Broadcast, template: Template) -> Iterator[Finding]:
    if not template.documents:
        return
    export = f"dispatcher broadcast export {broadcast.ref} --documents DIR"
    yield _told(f"Made as documents, and reaching nobody by themselves: {', '.join(template.documents)}.", export)
    version = broadcast.audience_version_id
    columns = audiences.version(tx, version).fields if version is not None else ()
    for looks, document, way in _COLUMNS:
        found = [name for name in columns if looks.search(name.lower())]
        if found and document in template.documents:
            yield _told(f"The audience has the column {found[0]}: it can also be reached by {way}.", export)
