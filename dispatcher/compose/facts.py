"""Reads facts: from `name=value` words, from TOML or JSON, from Python; checked by kind, kept in plain form.

A fact is data. It may hold braces, markup and any script; it may not hold control characters or the invisible marks
that turn text around (bidi overrides), which could make an approver read something else than the recipient.
"""

import difflib
import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Annotated, Any, TypeAlias
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from pydantic import (
    AfterValidator,
    BeforeValidator,
    EmailStr,
    Field,
    StringConstraints,
    TypeAdapter,
    ValidationError,
)

from dispatcher.compose.tables_of_facts import Row, Service, rows_of_words, services_of_words
from dispatcher.compose.wording import Clean, Line
from dispatcher.errors import TemplateError
from dispatcher.model.fact import Fact, FactKey, FactKind, FactSpec, FactValue
from dispatcher.model.kinds import FactState
from dispatcher.model.template import Template

_MINUTES = {"m": 1, "min": 1, "minute": 1, "h": 60, "hour": 60, "d": 1440, "day": 1440, "w": 10080, "week": 10080}
_SPAN = re.compile(r"(\d+)\s*([a-z]+)")
_GROUPED = re.compile(r"\d{1,3}(,\d{3})+|\d+")
_HOST = re.compile(r"(?=.{4,253}$)([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]{2,63}")


def _moment(value: object) -> str:
    """ISO 8601 with offset; `2026-11-22 18:30 Europe/London` is read too."""
    moment = value if isinstance(value, datetime) else _moment_of_words(str(value))
    if moment.tzinfo is None:
        raise ValueError("has no time zone: write it like 2026-11-22T18:30Z or 2026-11-22 18:30 Europe/London")
    return moment.isoformat(timespec="minutes")


def _moment_of_words(words: str) -> datetime:
    text, _, zone = words.strip().rpartition(" ")
    try:
        if zone in ("UTC", "GMT"):
            return datetime.fromisoformat(text).replace(tzinfo=UTC)
        if "/" not in zone:
            return datetime.fromisoformat(words.strip())
        moment = datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone))
    except (ValueError, OSError, LookupError):
        raise ValueError(
            "is no date and time: write it like 2026-11-22T18:30Z or 2026-11-22 18:30 Europe/London"
        ) from None
    if moment.utcoffset() != moment.replace(fold=1).utcoffset():
        raise ValueError("falls into the hour when the clocks change: write it with its offset, like 18:30+01:00")
    return moment


def _minutes(value: object) -> int:
    """Whole minutes from 90, "90m", "1h 30m" or "2 days"."""
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    words = str(value).strip().lower()
    if words.isdigit():
        return int(words)
    spans = _SPAN.findall(words)
    if not spans or _SPAN.sub("", words).strip(" ,"):
        raise ValueError("is no duration: write it like 90m, 2h or 1h 30m")
    units = [(int(count), _MINUTES.get(unit) or _MINUTES.get(unit.removesuffix("s"))) for count, unit in spans]
    if any(size is None for _, size in units):
        raise ValueError("is no duration: write it like 90m, 2h or 1h 30m")
    return sum(count * (size or 0) for count, size in units)


def _count(value: object) -> object:
    if isinstance(value, str) and _GROUPED.fullmatch(value.strip()):
        return int(value.replace(",", ""))
    return value


def _yes_no(value: object) -> object:
    return {"yes": True, "no": False}.get(value.strip().lower(), value) if isinstance(value, str) else value


def check_url(value: str) -> str:
    """An https address of a named host, in plain ASCII, without user, port or characters that end a link."""
    parts = urlsplit(value)
    if parts.scheme != "https":
        raise ValueError("is no https address: write it with https:// in front")
    if not re.fullmatch(r"[A-Za-z0-9:/.?&=#%_~+,@!$;-]+", value):
        raise ValueError("holds a character that an address may not: write it in plain ASCII")
    if parts.username is not None or ":" in parts.netloc or not _HOST.fullmatch(parts.netloc.lower()):
        raise ValueError("needs a host by name, without user or port")
    return value


def _items(value: object) -> object:
    """Words are cut at semicolons or line breaks."""
    if isinstance(value, str):
        return [item.strip() for item in re.split(r"[;\n]", value) if item.strip()]
    return value


def _services(value: object) -> object:
    return services_of_words(value) if isinstance(value, str) else value


def _rows(value: object) -> object:
    return rows_of_words(value) if isinstance(value, str) else value


def _plain(rows: list[Any]) -> list[dict[str, Any]]:
    return [row.model_dump(mode="json") for row in rows]


_List: TypeAlias = Annotated[list[Line], Field(min_length=1, max_length=50), BeforeValidator(_items)]

_READERS: Mapping[FactKind, TypeAdapter[Any]] = {
    FactKind.LINE: TypeAdapter(Line),
    FactKind.TEXT: TypeAdapter(Annotated[Clean, StringConstraints(max_length=5000)]),
    FactKind.MOMENT: TypeAdapter(Annotated[str, BeforeValidator(_moment)]),
    FactKind.DURATION: TypeAdapter(Annotated[int, BeforeValidator(_minutes), Field(ge=1, le=525600)]),
    FactKind.NUMBER: TypeAdapter(Annotated[int, BeforeValidator(_count), Field(strict=True, ge=0, le=10**12)]),
    FactKind.YES_NO: TypeAdapter(Annotated[bool, BeforeValidator(_yes_no)]),
    FactKind.URL: TypeAdapter(Annotated[Line, AfterValidator(check_url)]),
    FactKind.EMAIL: TypeAdapter(EmailStr),
    FactKind.PHONE: TypeAdapter(Annotated[Line, StringConstraints(pattern=r"^[+0-9][0-9 ()-]{2,30}$")]),
    FactKind.LIST: TypeAdapter(_List),
    FactKind.STEPS: TypeAdapter(_List),
    FactKind.SERVICES: TypeAdapter(
        Annotated[
            list[Service], Field(min_length=1, max_length=100), BeforeValidator(_services), AfterValidator(_plain)
        ]
    ),
    FactKind.MATRIX: TypeAdapter(
        Annotated[list[Row], Field(min_length=1, max_length=50), BeforeValidator(_rows), AfterValidator(_plain)]
    ),
}


def read_value(kind: FactKind, raw: object) -> FactValue:
    """The value in plain form; ValueError with a reason that follows the fact's name ("is no ...", "holds ...")."""
    try:
        value: FactValue = _READERS[kind].validate_python(raw)
    except ValidationError as error:
        raise ValueError(_reason(error)) from None
    return value


_SAID = {
    "int_type": "is no whole number: write digits",
    "int_parsing": "is no whole number: write digits",
    "bool_parsing": "is neither yes nor no",
    "bool_type": "is neither yes nor no",
    "string_type": "is no text",
    "string_too_short": "is empty",
    "string_pattern_mismatch": "is not written as expected: use digits, spaces and a leading + at most",
    "list_type": "is no list",
    "too_short": "is empty",
    "missing": "is missing",
    "extra_forbidden": "is not asked for",
}


def _reason(error: ValidationError) -> str:
    """The first complaint in plain words, after the place in a list or table where it arose."""
    first = error.errors(include_url=False, include_input=False)[0]
    place = "".join(f", item {part + 1}" if isinstance(part, int) else f", {part}" for part in first["loc"])
    said = str(first["msg"]).removeprefix("Value error, ")
    plain = said if first["type"] == "value_error" else f"does not fit: {said[0].lower()}{said[1:]}"
    words = _SAID.get(first["type"], plain)
    return f"({place.strip(', ')}) {words}" if place else words


def parse_words(words: Iterable[str]) -> dict[FactKey, object]:
    """`name=value` and `name@fr=value` as they stand on a command line."""
    raw: dict[FactKey, object] = {}
    for word in words:
        key, equals, value = word.partition("=")
        if not equals or not key.strip():
            raise TemplateError(f"{word!r} is no fact.", mend="Write it like name=value.")
        name, _, locale = key.strip().partition("@")
        raw[name, locale or None] = value
    return raw


def read_facts(
    specs: Iterable[FactSpec],
    raw: Mapping[FactKey, object],
    *,
    state: FactState = FactState.CONFIRMED,
    source: str = "",
    as_of: datetime | None = None,
    set_by: str = "",
    set_at: datetime | None = None,
) -> list[Fact]:
    """Every raw fact, typed by its spec. Unknown names and wrong types are told together, each with its reason."""
    known = {spec.name: spec for spec in specs}
    facts, wrong = [], []
    for (name, locale), value in raw.items():
        if name not in known:
            wrong.append(unknown_name(name, known))
            continue
        try:
            plain = read_value(known[name].kind, value)
        except ValueError as error:
            wrong.append(f"{name}{'@' + locale if locale else ''} {error}.")
            continue
        facts.append(Fact(name, known[name].kind, plain, state, locale, source, as_of, set_by, set_at))
    if wrong:
        raise TemplateError("These facts cannot be used.", why=" ".join(wrong), mend=_SHOW, code="E-FACT")
    return facts


_SHOW = "See what the template asks for: dispatcher template show ID"


def unknown_name(name: str, known: Iterable[str]) -> str:
    """A sentence about a name that nothing asks for, with the nearest that something does."""
    near = difflib.get_close_matches(name, list(known), n=1)
    return f"{name} is not asked for{f' (did you mean {near[0]}?)' if near else ''}."


def require_names(template: Template, facts: Iterable[FactKey]) -> None:
    """Return if the template asks for all of these: a wrong name is best told to whoever has just typed it."""
    known = {spec.name for spec in template.facts}
    if wrong := [unknown_name(name, known) for name, _ in facts if name not in known]:
        raise TemplateError(
            "These facts cannot be used.",
            why=" ".join(wrong),
            mend=f"See what it asks for: dispatcher template show {template.id}",
            code="E-FACT",
        )


def missing(template: Template, facts: Mapping[FactKey, Fact], variants: Iterable[str] = ("",)) -> list[FactSpec]:
    """What these variants of the template require and nobody has said; an unknown or retracted fact is not said."""
    wanted = set(variants)
    silent = (FactState.UNKNOWN, FactState.RETRACTED)
    said = {name for (name, _), fact in facts.items() if fact.state not in silent and fact.value is not None}
    asked = (spec for spec in template.facts if spec.required or wanted & set(spec.required_for))
    return [spec for spec in asked if spec.name not in said]


def require_complete(template: Template, facts: Mapping[FactKey, Fact], variants: Iterable[str] = ("",)) -> None:
    """Return if nothing required is missing."""
    gaps = missing(template, facts, variants)
    if not gaps:
        return
    raise TemplateError(
        f"{template.title}: {len(gaps)} required facts are missing." if len(gaps) > 1
        else f"{template.title}: the fact {gaps[0].name} is missing.",
        why=" ".join(f"{gap.name} ({gap.kind}): {gap.about}" for gap in gaps),
        mend=[f"--fact {gap.name}=..." for gap in gaps],
        code="E-FACT",
    )  # fmt: skip
