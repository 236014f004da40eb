"""Runs every rule over a composed broadcast."""

from collections.abc import Sequence

from dispatcher.compose.brief import Brief
from dispatcher.compose.lint import agreement, breach, leftovers, lengths, links, plain, promises, safety, signing, tone
from dispatcher.compose.lint.passages import read
from dispatcher.compose.lint.rules import RULES, Case, Finding, Rule, Weight
from dispatcher.compose.rendering import Composed
from dispatcher.model.template import Template

THEMES = (agreement, breach, leftovers, lengths, links, plain, promises, safety, signing, tone)
"""Importing a theme registers its rules."""


def lint(template: Template, brief: Brief, composed: Composed) -> list[Finding]:
    """Everything that must or should be mended: what blocks first, then by rule and place. The same place once."""
    case = Case(template, brief, composed, read(composed))
    found = [finding for one in rules() for finding in one.findings(case)]
    return sorted(dict.fromkeys(found), key=_order)


def rules() -> list[Rule]:
    """Every rule, by id."""
    return sorted(RULES.values(), key=lambda one: one.id)


def blocks(findings: Sequence[Finding]) -> bool:
    """Whether one of the findings keeps the broadcast from going out."""
    return any(finding.weight is Weight.BLOCK for finding in findings)


def _order(finding: Finding) -> tuple[bool, str, str, str, str, int]:
    return (
        finding.weight is not Weight.BLOCK,
        finding.rule,
        finding.channel,
        finding.locale,
        finding.part,
        finding.line,
    )
