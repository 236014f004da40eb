"""Datadog, webhooks integration.

https://docs.datadoghq.com/integrations/webhooks (read 2026-11).
Oddities: the body is whatever the customer typed, and every value of it a string; the default body names the state in
the title only, in brackets; `id` is that of the event, not of the monitor; signs nothing, custom headers are possible;
wants its answer within 15 s. docs/adding-a-signal-source.md has the body to paste.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from dispatcher.intake.proof import ByToken
from dispatcher.intake.reading import (
    an_object,
    first,
    identifier,
    label_map,
    line,
    link,
    moment,
    plain,
    prose,
    required_id,
    word,
)
from dispatcher.model.event import WebhookRequest
from dispatcher.model.signal import Signal, SignalKind

KINDS: Mapping[str, SignalKind] = {
    "triggered": SignalKind.OPENED,
    "re-triggered": SignalKind.OPENED,
    "renotify": SignalKind.OPENED,
    "warn": SignalKind.OPENED,
    "re-warn": SignalKind.OPENED,
    "recovered": SignalKind.RESOLVED,
    "no data": SignalKind.NOTED,
    "re-no data": SignalKind.NOTED,
}
_TITLE = re.compile(r"\[(?P<state>[A-Za-z -]+?)(?: on \{[^}]*\})?\]\s*")


class Datadog(ByToken):
    """Monitors of Datadog."""

    name: ClassVar[str] = "datadog"
    title: ClassVar[str] = "Datadog webhooks"

    def parse(self, request: WebhookRequest) -> Sequence[Signal]:
        """One signal. The state is $ALERT_TRANSITION, else the word in the title's brackets."""
        post = {name.lower().lstrip("$"): value for name, value in an_object(request.body).items()}
        whole = line(first(post, "title", "event_title", "alert_title"))
        found = _TITLE.match(whole)
        state = word(first(post, "alert_transition", "transition")) or (found["state"] if found else "")
        kind = KINDS.get(state.lower(), SignalKind.IGNORED)
        title = _TITLE.sub("", whole, count=1) if found else whole
        if kind.moves and "[TEST]" in whole.upper():
            kind = SignalKind.TEST
        if not kind.moves:
            return [Signal(kind, "", line(state, 80))]
        return [_signal(kind, line(state, 80), title, post)]


def _signal(kind: SignalKind, state: str, title: str, post: Mapping[str, Any]) -> Signal:
    tags = _tags(post.get("tags"))
    service = word(post.get("service")) or tags.get("service", "")
    at = first(post, "last_updated", "date", "alert_date")
    number = identifier(first(post, "id", "event_id"))
    return Signal(
        kind,
        _cycle(post, title),
        word=state,
        delivery_id=identifier(f"{number}:{state}:{plain(at)}") if number else "",
        title=title,
        text=prose(_body(plain(first(post, "body", "event_msg", "text_only_msg")))),
        severity_raw=word(first(post, "alert_priority", "priority", "severity")),
        services=(service,) if service else (),
        regions=(tags["region"],) if "region" in tags else (),
        url=link(first(post, "link", "url", "alert_url")),
        occurred_at=moment(at),
        labels=tags | label_map({"monitor": first(post, "monitor_id", "alert_id"), "scope": _scope(post)}),
    )


def _cycle(post: Mapping[str, Any], title: str) -> str:
    if cycle := first(post, "alert_cycle_key", "cycle_key"):
        return required_id(cycle)
    if monitor := first(post, "monitor_id", "alert_id"):
        return required_id(f"{plain(monitor)}|{_scope(post)}")
    return required_id(f"title:{title}" if title else None)


def _scope(post: Mapping[str, Any]) -> str:
    return line(first(post, "alert_scope", "scopes", "scope"))


def _tags(value: object) -> dict[str, str]:
    """`env:prod,team:web` as labels; a tag without a value is its own."""
    pairs = (tag.strip().partition(":") for tag in plain(value).split(",") if tag.strip())
    return label_map({name: rest or name for name, _, rest in pairs})


def _body(text: str) -> str:
    """Without the fences of Markdown and without mentions, which are routes and not words."""
    kept = [part for part in text.replace("%%%", "").splitlines() if not part.strip().startswith("@")]
    return "\n".join(kept).strip()
