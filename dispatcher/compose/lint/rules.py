"""What a rule is, where rules are registered, and what they find."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, TypeAlias

from dispatcher.compose.brief import Brief
from dispatcher.compose.lint.passages import Passage
from dispatcher.compose.rendering import Composed
from dispatcher.model.fact import FactKind
from dispatcher.model.kinds import FactState
from dispatcher.model.template import Template


class Weight(StrEnum):
    """Block: it may not go out like this. Warn: a person may override it, with a reason that is kept."""

    BLOCK = "block"
    WARN = "warn"


@dataclass(frozen=True, slots=True)
class Case:
    """Everything a rule may look at."""

    template: Template
    brief: Brief
    composed: Composed
    passages: tuple[Passage, ...]

    def said(self, kind: FactKind) -> list[Any]:
        """Values of the facts of this kind that the template asks for and that are not taken back."""
        asked = {spec.name for spec in self.template.facts if spec.kind is kind}
        silent = (FactState.UNKNOWN, FactState.RETRACTED)
        facts = (fact for (name, _), fact in self.brief.facts.items() if name in asked)
        return [fact.value for fact in facts if fact.state not in silent and fact.value is not None]

    def of(self, *targets: str) -> list[Passage]:
        """The passages of these channels or documents."""
        return [passage for passage in self.passages if passage.target in targets]


@dataclass(frozen=True, slots=True)
class Hit:
    """One place where a rule bites. `passage` None: the broadcast as a whole. `weight` None: the rule's own."""

    passage: Passage | None
    line: int
    words: str
    what: str = ""
    weight: Weight | None = None
    mend: str = ""


@dataclass(frozen=True, slots=True)
class Finding:
    """What the author is told. `line` counts from 1 in the part as it is read; 0 means the whole."""

    rule: str
    weight: Weight
    what: str
    words: str
    channel: str
    part: str
    locale: str
    variant: str
    line: int
    why: str
    source: str
    mend: str

    def as_dict(self) -> dict[str, object]:
        """Plain data for JSON."""
        return {name: getattr(self, name) for name in self.__slots__}


Check: TypeAlias = Callable[[Case], Iterable[Hit]]


@dataclass(frozen=True, slots=True)
class Rule:
    """A registered check. `title` is the sentence the author reads."""

    id: str
    weight: Weight
    title: str
    why: str
    source: str
    mend: str
    check: Check

    def findings(self, case: Case) -> list[Finding]:
        """Everything this rule finds in the case."""
        return [self._finding(hit) for hit in self.check(case)]

    def _finding(self, hit: Hit) -> Finding:
        place = hit.passage
        return Finding(
            rule=self.id,
            weight=hit.weight or self.weight,
            what=hit.what or self.title,
            words=hit.words,
            channel=place.target if place else "",
            part=place.part if place else "",
            locale=place.locale if place else "",
            variant=place.variant if place else "",
            line=hit.line,
            why=self.why,
            source=self.source,
            mend=hit.mend or self.mend,
        )


RULES: dict[str, Rule] = {}


def rule(
    rule_id: str, weight: Weight, title: str, *, why: str, mend: str, source: str = "house"
) -> Callable[[Check], Check]:
    """Registers the function below it."""

    def register(check: Check) -> Check:
        if rule_id in RULES:
            raise ValueError(f"Two rules are called {rule_id}.")
        RULES[rule_id] = Rule(rule_id, weight, title, why, source, mend, check)
        return check

    return register


def each(check: Callable[[Passage, Case], Iterable[Hit]]) -> Check:
    """A check of one passage, as a check of them all."""

    def check_all(case: Case) -> Iterable[Hit]:
        for passage in case.passages:
            yield from check(passage, case)

    return check_all
