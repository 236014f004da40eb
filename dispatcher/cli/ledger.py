"""`dispatcher ledger`: the proof that the counters are what the rows say."""

import click

from dispatcher.cli.groups import Noun, Verb
from dispatcher.cli.screen import number, show, table
from dispatcher.cli.session import Session, pass_session
from dispatcher.errors import DispatcherError


@click.command(cls=Verb)
@pass_session
def check(session: Session) -> None:
    """Recount every sum of every broadcast from its rows; exit 1 if one is wrong."""
    from dispatcher.services import recounting

    done = recounting.recount(session.ctx)
    rows = [[d.broadcast, d.batch, d.counter, d.stored, d.counted] for d in done.differences]
    good = f"✔ {number(done.broadcasts)} broadcasts recounted; every counter is what its rows say."
    words = table(["broadcast", "batch", "counter", "stored", "counted"], rows) if rows else good
    show(session, done.as_dict(), words)
    if rows:
        raise DispatcherError(
            f"{len(rows)} counters are wrong.", mend="Keep a copy of the ledger and report this.", code="E-SUM"
        )


command = Noun("ledger", help="Recount every sum from its rows.", commands=[check])
