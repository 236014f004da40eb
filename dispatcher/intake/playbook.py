"""Playbooks: which signal opens which incident, what is promised, drafted and believed then, and who is to be told.

A playbook is one TOML file in `config/playbooks/`. It sends nothing: what it drafts, a person submits and another
approves. The one exception is a draft that names a pre-approval and says `send`. Expressions are JMESPath over the
signal as `view` shows it; texts hold them in braces, and what they find is put in as it is, never read as an expression
again.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator

from dispatcher.errors import ConfigurationError
from dispatcher.intake import fields
from dispatcher.intake.fields import Path as Expression
from dispatcher.model.incident import Phase, Visibility
from dispatcher.model.kinds import Channel, FactState, Severity
from dispatcher.model.signal import Signal
from dispatcher.resources import read_toml

_HOLE = re.compile(r"\{\{|\}\}|\{([^{}]*)\}")
_LARGEST = 64 * 1024


class Moment(StrEnum):
    """When in the life of an incident something is due."""

    OPENED = "opened"
    REOPENED = "reopened"
    UPDATED = "updated"  # severity, phase or words changed
    MITIGATED = "mitigated"
    RESOLVED = "resolved"


def _text(words: str) -> str:
    for hole in _HOLE.finditer(words):
        if hole[1] is not None:
            fields.check(hole[1].strip())
    if re.search(r"[{}]", _HOLE.sub("", words)):
        raise ValueError("has a brace without its other half; write {{ for one that is meant")
    return words


Text = Annotated[str, AfterValidator(_text)]
"""Words with expressions in braces: `Some customers cannot use {join(', ', words)}.`"""


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", str_strip_whitespace=True, frozen=True)


class When(_Table):
    """Which signals it is for. Empty means any; `match` is an expression that must find something true."""

    tools: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()
    match: Expression = ""

    def fits(self, seen: Mapping[str, Any]) -> bool:
        """Whether this signal is meant."""
        named = (not self.tools or seen["tool"] in self.tools) and (not self.sources or seen["source"] in self.sources)
        return named and (not self.match or bool(fields.pick(self.match, seen)))


class IncidentRule(_Table):
    """The incident it opens. `join` finds a key: signals with the same one belong to one incident."""

    title: Text = "{title}"
    visibility: Visibility = Visibility.PUBLIC
    join: Expression = ""
    severity: dict[Severity, Severity] = Field(default_factory=dict)
    phases: dict[str, Phase] = Field(default_factory=dict)
    at_end: Literal["resolve", "close"] = "resolve"


class FactRule(_Table):
    """One fact of the sheet; several texts make a list. It is believed until a person confirms it."""

    say: Text | tuple[Text, ...]
    state: Literal[FactState.BELIEVED, FactState.UNKNOWN] = FactState.BELIEVED
    on: Moment = Moment.OPENED


class DraftRule(_Table):
    """A broadcast to draft. No channels: those of the template that have an account. No audience suits channels that
    count no people.

    `preapproval` names a yes given in peace: within its limits the draft is approved by it, and with `send` released by
    the program, if the terms let it go unattended. Beyond them it stays a draft like any other.
    """

    on: tuple[Moment, ...] = (Moment.OPENED,)
    template: str
    audience: str = ""
    channels: tuple[Channel, ...] = ()
    accounts: tuple[str, ...] = ()
    severities: tuple[Severity, ...] = ()
    title: str = Field(default="", max_length=200)
    preapproval: str = Field(default="", max_length=80)
    send: bool = False

    @model_validator(mode="after")
    def _sends_only_what_was_approved(self) -> Self:
        if self.send and not self.preapproval:
            raise ValueError("send needs the name of a preapproval: nothing else goes out by itself")
        return self


class TellRule(_Table):
    """Who of us is to be told: names of persons, roles or levels."""

    on: tuple[Moment, ...] = (Moment.OPENED, Moment.REOPENED)
    whom: tuple[str, ...] = Field(min_length=1)


class Playbook(_Table):
    """One file. Of those that fit a signal the one with the lowest `order` is taken."""

    id: str = Field(pattern=r"^[a-z][a-z0-9-]{1,62}$")
    title: str = Field(max_length=120)
    about: str = ""
    order: int = 50
    enabled: bool = True
    when: tuple[When, ...] = Field(min_length=1)
    incident: IncidentRule = IncidentRule()
    promise_minutes: dict[Severity, Annotated[int, Field(ge=5, le=7 * 24 * 60)]] = Field(default_factory=dict)
    words: dict[str, str] = Field(default_factory=dict)
    facts: dict[str, FactRule] = Field(default_factory=dict)
    draft: tuple[DraftRule, ...] = ()
    tell: tuple[TellRule, ...] = ()

    def fits(self, seen: Mapping[str, Any]) -> bool:
        """Whether one of its `when` means this signal."""
        return self.enabled and any(when.fits(seen) for when in self.when)

    def with_words(self, seen: Mapping[str, Any]) -> dict[str, Any]:
        """The signal with `words`: its services as customers call them. A service without words is left out."""
        known = {name.lower(): words for name, words in self.words.items()}
        spoken = dict.fromkeys(known[name.lower()] for name in seen["services"] if name.lower() in known)
        return {**seen, "words": list(spoken)}

    def phase(self, signal: Signal) -> Phase | None:
        """The phase that a signal means: by the tool's word for it, else by its kind."""
        own = {name.lower(): phase for name, phase in self.incident.phases.items()}
        for word in (signal.phase_raw.lower(), signal.kind.value):
            if word in own:
                return own[word]
        return PHASES.get(signal.phase_raw.lower() if signal.kind.is_live else "") or PHASES.get(signal.kind.value)


PHASES: Mapping[str, Phase] = {
    "opened": Phase.INVESTIGATING,
    "reopened": Phase.INVESTIGATING,
    "investigating": Phase.INVESTIGATING,
    "identified": Phase.IDENTIFIED,
    "mitigated": Phase.MONITORING,
    "resolved": Phase.RESOLVED,
    "cancelled": Phase.RESOLVED,
}
"""Phases by a tool's word or our kind, where the playbook names none."""


def view(tool: str, source: str, signal: Signal, severity: Severity) -> dict[str, Any]:
    """A signal as expressions see it."""
    return {
        "tool": tool,
        "source": source,
        "kind": signal.kind.value,
        "word": signal.word,
        "severity": severity.value,
        "severity_raw": signal.severity_raw,
        "phase_raw": signal.phase_raw,
        "external_id": signal.external_id,
        "external_ref": signal.external_ref,
        "title": signal.title,
        "text": signal.text,
        "services": list(signal.services),
        "regions": list(signal.regions),
        "url": signal.url,
        "visibility": signal.visibility.value,
        "labels": dict(signal.labels),
        "occurred_at": signal.occurred_at.isoformat(timespec="minutes") if signal.occurred_at else "",
    }


def fill(text: str, seen: Mapping[str, Any]) -> str:
    """The text with what its expressions find; empty if one of them finds nothing."""
    missing = False

    def put(hole: re.Match[str]) -> str:
        nonlocal missing
        if hole[1] is None:
            return hole[0][0]
        found = said(fields.pick(hole[1].strip(), seen))
        missing = missing or not found
        return found

    filled = _HOLE.sub(put, text)
    return "" if missing else " ".join(filled.split())


def said(found: object) -> str:
    """What an expression found, as words."""
    if isinstance(found, list):
        return ", ".join(words for words in map(said, found) if words)
    if isinstance(found, bool):
        return "yes" if found else "no"
    return str(found) if isinstance(found, str | int | float) else ""


def facts(playbook: Playbook, seen: Mapping[str, Any], moment: Moment) -> dict[str, tuple[object, FactState]]:
    """Values of the facts of a moment and their state. One whose expressions find nothing is left to a person."""
    found: dict[str, tuple[object, FactState]] = {}
    for name, rule in ((name, rule) for name, rule in playbook.facts.items() if rule.on is moment):
        if isinstance(rule.say, str):
            value: object = fill(rule.say, seen)
        else:
            value = [words for words in (fill(one, seen) for one in rule.say) if words]
        if value:
            found[name] = (value, rule.state)
    return found


def choose(playbooks: Iterable[Playbook], seen: Mapping[str, Any]) -> Playbook | None:
    """The playbook for a signal, if any."""
    fitting = [one for one in playbooks if one.fits(seen)]
    return min(fitting, key=lambda one: (one.order, one.id), default=None)


def load(folders: Sequence[Path]) -> tuple[list[Playbook], dict[str, str]]:
    """Every playbook that can be used, and by file why the others cannot. An earlier folder's id wins."""
    found: dict[str, Playbook] = {}
    broken: dict[str, str] = {}
    for path in (path for folder in folders for path in sorted(folder.glob("*.toml"))):
        try:
            one = read(path)
        except ConfigurationError as error:
            broken[path.name] = error.why
            continue
        found.setdefault(one.id, one)
    return sorted(found.values(), key=lambda one: (one.order, one.id)), broken


def read(path: Path) -> Playbook:
    """One file, checked."""
    if path.stat().st_size > _LARGEST:
        raise ConfigurationError(f"{path.name} is no playbook.", why="It is too large.", code="E-PLAYBOOK")
    tree, lines = read_toml(path)
    try:
        return Playbook.model_validate(tree)
    except ValidationError as error:
        problems = error.errors(include_input=False, include_url=False, include_context=False)
        told = "; ".join(_told(one["loc"], one["msg"], lines) for one in problems)
        raise ConfigurationError(
            f"{path.name} is not a valid playbook.", why=told, mend="dispatcher playbook schema", code="E-PLAYBOOK"
        ) from None


def _told(place: Sequence[int | str], what: str, lines: Mapping[str, int]) -> str:
    key = ".".join(str(part) for part in place if not isinstance(part, int))
    line = f" (line {lines[key]})" if key in lines else ""
    return f"{'.'.join(map(str, place))}{line}: {what.removeprefix('Value error, ')}"
