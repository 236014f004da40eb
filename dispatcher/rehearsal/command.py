"""`dispatcher demo`."""

import click

from dispatcher.cli.groups import Verb
from dispatcher.cli.screen import show
from dispatcher.cli.session import Session, pass_session
from dispatcher.errors import DispatcherError


@click.command("demo", cls=Verb)
@click.option(
    "--recipients", type=click.IntRange(10, 1_000_000), default=2000, show_default=True, help="How many people."
)
@click.option("--seed", type=int, default=7, show_default=True, help="The same seed gives the same people and fates.")
@click.option("--open", "look_at", is_flag=True, help="Open the report in the browser.")
@pass_session
def command(session: Session, recipients: int, seed: int, look_at: bool) -> None:
    """A rehearsal on this machine with invented people; asks nothing, ends by itself, exit 0 if the sums reconcile."""
    from dispatcher.rehearsal import demo

    played = demo.play(session, recipients, seed, session.work_dir or demo.FOLDER)
    if session.json:
        show(session, played.as_dict(), "")
    if look_at:
        click.launch(played.report.resolve().as_uri())
    if not played.reconciles:
        raise DispatcherError(
            "The sums do not reconcile.",
            why="; ".join(p.claim for p in played.proofs if not p.holds) or "a counter is not what its rows say",
            mend=f"Look at {played.report} and report this.",
            code="E-SUM",
        )
