"""Which member of a payload means what, said by JMESPath: for tools that post whatever their owner set up.

https://jmespath.org/specification.html (read 2026-11). Expressions come from our settings, never from a payload.
"""

from collections.abc import Mapping
from functools import lru_cache
from typing import Annotated, Any

from pydantic import AfterValidator

from dispatcher.intake.reading import (
    ID,
    identifier,
    label_map,
    line,
    link,
    moment,
    names,
    prose,
    required_id,
    word,
    yes,
)
from dispatcher.model.incident import Visibility
from dispatcher.model.signal import Signal, SignalKind

LONGEST = 500


@lru_cache(maxsize=512)
def _compiled(expression: str) -> Any:
    import jmespath

    return jmespath.compile(expression)


def check(expression: str) -> str:
    """The expression, if it can be read."""
    from jmespath.exceptions import JMESPathError

    if len(expression) > LONGEST:
        raise ValueError(f"is longer than {LONGEST} characters")
    try:
        _compiled(expression)
    except JMESPathError as error:
        said = str(error).splitlines()[0]
        raise ValueError(f"is no JMESPath: {said}") from None
    return expression


Path = Annotated[str, AfterValidator(check)]
"""A JMESPath expression that was read once."""


def pick(expression: str, data: object) -> Any:
    """What the expression finds; nothing where it does not fit the data."""
    from jmespath.exceptions import JMESPathError

    if not expression:
        return None
    try:
        return _compiled(expression).search(data)
    except (JMESPathError, TypeError, ValueError, AttributeError, RecursionError):
        return None


_WORDS: Mapping[SignalKind, str] = {
    SignalKind.OPENED: "open opened create created trigger triggered fire firing fired start started alerting alarm"
    " down problem active activated new",
    SignalKind.ACKNOWLEDGED: "ack acked acknowledge acknowledged investigating in_progress",
    SignalKind.UPDATED: "update updated change changed identified escalated",
    SignalKind.MITIGATED: "mitigate mitigated monitoring",
    SignalKind.RESOLVED: "resolve resolved close closed recover recovered recovery ok up end ended fixed",
    SignalKind.REOPENED: "reopen reopened unresolved",
    SignalKind.CANCELLED: "cancel cancelled canceled deleted",
    SignalKind.NOTED: "note noted comment commented",
    SignalKind.TEST: "test ping",
}
USUAL: Mapping[str, SignalKind] = {word: kind for kind, words in _WORDS.items() for word in words.split()}


def kind_of(said: str, own: Mapping[str, SignalKind]) -> SignalKind:
    """Our kind for a word: the source's own first, else the usual ones by the last piece of `com.example.opened`."""
    mine = {name.lower(): kind for name, kind in own.items()}
    plain = said.lower().strip()
    last = plain.replace("/", ".").replace(":", ".").rpartition(".")[2].replace(" ", "_").replace("-", "_")
    return mine.get(plain) or USUAL.get(plain) or USUAL.get(last) or SignalKind.IGNORED


def signal(data: object, fields: Mapping[str, str], kinds: Mapping[str, SignalKind], zone: str) -> Signal:
    """One payload by its fields. Unreadable if it moves something and does not say what."""
    found = {name: pick(expression, data) for name, expression in fields.items()}
    said = word(found.get("kind"))
    kind = kind_of(said, kinds)
    delivery = identifier(found.get("delivery_id"))
    if not kind.moves:
        return Signal(kind, "", said, delivery)
    return Signal(
        kind,
        required_id(found.get("external_id")),
        word=said,
        delivery_id=delivery,
        external_ref=line(found.get("external_ref"), ID),
        title=line(found.get("title")),
        text=prose(found.get("text")),
        severity_raw=word(found.get("severity")),
        phase_raw=word(found.get("phase")),
        services=names(found.get("services")),
        regions=names(found.get("regions")),
        url=link(found.get("url")),
        occurred_at=moment(found.get("occurred_at"), zone),
        visibility=Visibility.PRIVATE if yes(found.get("private")) else Visibility.PUBLIC,
        labels=label_map(found.get("labels")),
    )
