"""One look at everything that must work before a message can go out."""

from typing import TYPE_CHECKING

import click

from dispatcher.cli.groups import Verb
from dispatcher.cli.screen import printable, show
from dispatcher.cli.session import Session, pass_session

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dispatcher.services.doctor import Finding

_SIGNS = {"ok": ("✔", "green"), "off": ("○", "white"), "warn": ("!", "yellow"), "fail": ("✖", "red")}
NOT_WELL = 3


@click.command(cls=Verb)
@pass_session
def command(session: Session) -> int:
    """Check settings, ledger, Redis, templates and accounts; exit 3 if anything fails.

    Each line that fails or warns has its mend beside it.
    """
    from dispatcher import bootstrap
    from dispatcher.services import doctor

    findings = doctor.examine(session.settings, bootstrap.accounts)
    well = doctor.is_well(findings)
    payload = {"well": well, "findings": [finding.as_dict() for finding in findings]}
    show(session, payload, lambda: _words(session, findings))
    return 0 if well else NOT_WELL


def _words(session: Session, findings: "Sequence[Finding]") -> str:
    columns = max(len(finding.about) for finding in findings)
    lines = []
    for finding in findings:
        sign, colour = _SIGNS[finding.health]
        head = f"{finding.health:<4}" if session.plain else click.style(sign, fg=colour)
        lines.append(f"{head} {finding.about:<{columns}}  {printable(finding.said)}")
        if finding.mend:
            lines.append(f"{'':<{5 if session.plain else 2}}{'':<{columns}}  Mend: {printable(finding.mend)}")
    return "\n".join(lines)
