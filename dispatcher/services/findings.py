"""What a check finds, and which of its warnings somebody has let pass for exactly this text."""

import dataclasses
import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from dispatcher.ledger import approvals
from dispatcher.ledger.broadcasts import canonical
from dispatcher.ledger.engine import Tx
from dispatcher.ledger.rows import Row
from dispatcher.model.broadcast import Broadcast
from dispatcher.model.template import Template

if TYPE_CHECKING:
    from dispatcher.compose.brief import Brief

LEVELS = ("error", "warning", "info")
_MOVING = ("as_of", "nonce", "code", "facts", "latest_update_at", "previous")
"""What is not of the text itself: the clock, the random marks, and what others were told meanwhile."""


@dataclass(frozen=True, slots=True)
class Finding:
    """Something to know before sending. `level`: error blocks, warning wants a person, info tells.

    `overridden_by` let this warning pass for the text as it stands, and said why.
    """

    code: str
    level: str
    what: str
    why: str = ""
    mend: str = ""
    channel: str = ""
    locale: str = ""
    words: str = ""
    line: int = 0
    overridden_by: str = ""
    reason: str = ""

    @property
    def is_open(self) -> bool:
        """A warning that nobody has taken upon themselves."""
        return self.level == "warning" and not self.overridden_by

    @property
    def scope(self) -> str:
        """What an override must name besides the rule. A rule of the text finds the same as long as the text is the
        same; what is said of an audience or of other broadcasts may become another warning under the same code."""
        return "" if self.of_text else self.what

    @property
    def of_text(self) -> bool:
        """Whether a rule of the text found it."""
        return self.code[:1] == "L" and self.code[1:].isdigit()

    def as_dict(self) -> dict[str, Any]:
        """For `--json`; empty fields are left out."""
        told = {name: getattr(self, name) for name in self.__slots__}
        return {"severity": told.pop("level")} | {k: v for k, v in told.items() if v}

    @classmethod
    def from_dict(cls, told: Mapping[str, Any]) -> "Finding":
        """The finding behind `as_dict`."""
        plain = dict(told)
        return cls(level=plain.pop("severity"), **plain)


def basis(template: Template, brief: "Brief") -> str:
    """The mark of a text but for its clock: template, facts, organisation, channels, languages, promise."""
    said = sorted(
        ([name, locale or "", fact.value, fact.state] for (name, locale), fact in brief.facts.items()),
        key=lambda row: row[:2],
    )
    rest = {f.name: getattr(brief, f.name) for f in dataclasses.fields(brief) if f.name not in _MOVING}
    whole = {"template": template.sha256(), "facts": said, "brief": rest}
    return hashlib.sha256(canonical(whole).encode()).hexdigest()


def marked(found: Iterable[Finding], overrulings: Sequence[Row[Any]]) -> list[Finding]:
    """The findings, with who let which warning pass. A finding that blocks is never marked."""
    let_pass = {(row.rule, row.what): row for row in overrulings}
    marks = []
    for one in found:
        row = let_pass.get((one.code, one.scope)) if one.level == "warning" else None
        marks.append(dataclasses.replace(one, overridden_by=row.name, reason=row.reason) if row is not None else one)
    return marks


def submitted(tx: Tx, broadcast: Broadcast) -> tuple[str, list[Finding]]:
    """The mark of the frozen text and what the check found in it, with what was let pass; empty before a submit."""
    asked = approvals.asked(tx, broadcast.id, broadcast.digest)
    if asked is None:
        return "", []
    found = [Finding.from_dict(told) for told in approvals.findings(asked)]
    return asked.basis, marked(found, approvals.overrulings(tx, broadcast.id, asked.basis))
