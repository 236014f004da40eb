"""The terms of a pre-approval: what may be said, to whom and until when, and whether a message keeps within them."""

import hashlib
import re
import tomllib
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from dispatcher.errors import Refused, UsageError
from dispatcher.ledger.broadcasts import canonical
from dispatcher.model.fact import Fact, FactKind, FactSpec
from dispatcher.model.kinds import Channel, FactState, Severity
from dispatcher.model.template import Template

_WORDS = frozenset({"one_of", "matches", "longest"})
_LIMITS: Mapping[FactKind, frozenset[str]] = {
    FactKind.LINE: _WORDS,
    FactKind.TEXT: _WORDS,
    FactKind.URL: _WORDS,
    FactKind.EMAIL: frozenset({"one_of"}),
    FactKind.PHONE: frozenset({"one_of"}),
    FactKind.YES_NO: frozenset({"one_of"}),
    FactKind.NUMBER: frozenset({"least", "most"}),
    FactKind.DURATION: frozenset({"least", "most"}),
    FactKind.MOMENT: frozenset({"within_hours"}),
    FactKind.LIST: _WORDS | {"most"},
    FactKind.STEPS: _WORDS | {"most"},
    FactKind.SERVICES: frozenset({"one_of", "most"}),
    FactKind.MATRIX: frozenset({"one_of", "most"}),
}
"""Which limits a fact of a kind can have. In lists and tables they hold for each item; `most` counts the items."""


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Limits(_Table):
    """What one fact may be. Lengths in characters; `within_hours` of the moment of use, before or after."""

    one_of: tuple[str, ...] = ()
    matches: str = ""
    longest: int = Field(default=0, ge=0)
    least: int | None = None
    most: int | None = None
    within_hours: float | None = Field(default=None, gt=0)

    @field_validator("matches")
    @classmethod
    def _readable(cls, pattern: str) -> str:
        try:
            re.compile(pattern)
        except re.error as error:
            raise ValueError(f"is no pattern: {error}") from None
        return pattern

    def named(self) -> set[str]:
        """The limits that are set."""
        return {name for name in type(self).model_fields if getattr(self, name) not in ((), "", 0, None)}

    def breach(self, fact: Fact, now: datetime) -> str:
        """Which limit the fact goes beyond, in words; empty where it keeps within."""
        if fact.kind in (FactKind.NUMBER, FactKind.DURATION):
            return self._beyond(int(str(fact.value)), "")
        if fact.kind is FactKind.MOMENT:
            off = abs(datetime.fromisoformat(str(fact.value)) - now)
            far = self.within_hours is not None and off > timedelta(hours=self.within_hours)
            return f"more than {self.within_hours:g} hours away" if far else ""
        items = list(_items(fact))
        if isinstance(fact.value, list) and (told := self._beyond(len(items), " items")):
            return told
        return next(filter(None, map(self._words, items)), "")

    def _beyond(self, number: int, unit: str) -> str:
        if self.least is not None and number < self.least:
            return f"below {self.least}{unit}"
        return f"above {self.most}{unit}" if self.most is not None and number > self.most else ""

    def _words(self, text: str) -> str:
        if self.one_of and text not in self.one_of:
            return f"not one of {', '.join(self.one_of)}"
        if self.longest and len(text) > self.longest:
            return f"longer than {self.longest} characters"
        return "not of the form agreed" if self.matches and not re.fullmatch(self.matches, text) else ""


def _items(fact: Fact) -> Iterator[str]:
    """The words of a fact, one by one; of a table the thing that each row is about."""
    if isinstance(fact.value, bool):
        yield "yes" if fact.value else "no"
    elif isinstance(fact.value, list):
        yield from (str(item.get("data", item.get("name"))) if isinstance(item, dict) else item for item in fact.value)
    else:
        yield str(fact.value)


class Terms(_Table):
    """What was said yes to. `template_sha` and `voice` are the marks of the template and of the organisation's words.

    `promise_minutes` is how far ahead the next update may be promised; `instances` how often it may be used in all;
    `unattended` whether the program may send by itself. `warnings` are rules whose warnings are let pass, and why.
    """

    template: str
    channels: Annotated[tuple[Channel, ...], Field(min_length=1)]
    ends: datetime
    audience: str = ""
    audience_most: int = Field(default=0, ge=0)
    severities: tuple[Severity, ...] = tuple(Severity)
    promise_minutes: int | None = Field(default=None, gt=0)
    instances: int | None = Field(default=None, gt=0)
    unattended: bool = False
    facts: dict[str, Limits] = {}
    warnings: dict[str, str] = {}
    template_sha: str = ""
    voice: str = ""

    @field_validator("ends")
    @classmethod
    def _zoned(cls, moment: datetime) -> datetime:
        if moment.tzinfo is None:
            raise ValueError("has no time zone: write it like 2027-03-31T18:00:00Z")
        return moment

    def digest(self) -> str:
        """What every yes is a yes to."""
        return hashlib.sha256(self.stored().encode()).hexdigest()

    def stored(self) -> str:
        """As the ledger keeps them."""
        return canonical(self.model_dump(mode="json"))


def read(path: Path) -> Terms:
    """Terms from a TOML file; UsageError says which line does not fit."""
    try:
        return Terms.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise UsageError(f"{path} cannot be read.", why=f"{error}.", mend="Correct it.") from None
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(map(str, first["loc"]))
        raise UsageError(f"{path}: {place} does not fit.", why=f"{first['msg']}.", mend="Correct that key.") from None


def require_sound(terms: Terms, template: Template, now: datetime) -> None:
    """Return if somebody can say yes to these terms: they end, they name whom, and every fact has a limit."""
    if terms.ends <= now:
        raise _unsound("It ends in the past.")
    if strange := [channel for channel in terms.channels if channel not in template.channels]:
        raise _unsound(f"{template.title} has no words for {strange[0]}.")
    if any(channel.counts_people for channel in terms.channels) and not (terms.audience and terms.audience_most):
        raise _unsound("audience and audience_most are missing.")
    for name, limits in terms.facts.items():
        _require_limits(template.spec(name), name, limits)
    if lost := [spec.name for spec in template.facts if spec.required and spec.name not in terms.facts]:
        raise _unsound(f"The template requires the fact {lost[0]}; it has no limits here.")


def _require_limits(spec: FactSpec | None, name: str, limits: Limits) -> None:
    if spec is None:
        raise _unsound(f"The template does not know the fact {name}.")
    if strange := sorted(limits.named() - _LIMITS[spec.kind]):
        raise _unsound(f"{name} is a {spec.kind}; {strange[0]} means nothing for it.")
    if not limits.named():
        raise _unsound(f"{name} has no limit: {' or '.join(sorted(_LIMITS[spec.kind]))}.")


def _unsound(what: str) -> UsageError:
    return UsageError(f"These terms cannot be approved: {what}", mend="Correct the file.")


def outside(name: str, limit: str, what: str, ref: str = "") -> Refused:
    """The refusal of what a pre-approval does not cover; `limit` is the key of its terms."""
    mend = [f"dispatcher preapproval show {name}"]
    if ref:
        mend.append(f"dispatcher broadcast submit {ref}, for the ordinary approval")
    return Refused(f"The pre-approval {name} does not cover this: {limit}.", why=what, mend=mend, code="E-PRE")


def require_facts(terms: Terms, name: str, facts: Mapping[Any, Fact], now: datetime, ref: str) -> None:
    """Return if every fact that is said is one of those permitted, and in its range."""
    for (fact_name, locale), fact in sorted(facts.items(), key=lambda item: (item[0][0], item[0][1] or "")):
        if fact.value is None or fact.state in (FactState.UNKNOWN, FactState.RETRACTED):
            continue
        about = f"facts.{fact_name}"
        if fact_name not in terms.facts:
            raise outside(name, about, f"{fact_name} may not be said.", ref)
        if told := terms.facts[fact_name].breach(fact, now):
            raise outside(name, about, f"{fact_name}{'@' + locale if locale else ''} is {told}.", ref)
