"""`dispatcher code`: pools of goodwill codes. Nothing here ever shows one."""

from pathlib import Path
from typing import Any

import click

from dispatcher.cli.actor import acting
from dispatcher.cli.groups import Noun, Verb
from dispatcher.cli.screen import number, say, show, table
from dispatcher.cli.session import Session, pass_session

_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


def as_dict(pool: Any) -> dict[str, Any]:
    """A pool in numbers; amounts as people write them, None where there is no cap."""
    from dispatcher.services.codes import money

    return {
        "pool": pool.name,
        "codes": pool.size,
        "bound": pool.bound,
        "free": pool.free,
        "stock": pool.stock,
        "value": money(pool.worth),
        "budget": money(pool.budget) if pool.budget is not None else None,
        "closed": pool.closed or None,
    }


@click.command("import", cls=Verb)
@click.argument("file", type=_FILE)
@click.option("--pool", required=True, metavar="NAME", help="Where they go; new, or one with codes of the same worth.")
@click.option("--value", "worth", default="", metavar="AMOUNT", help="What one code is worth, like 5 or 12.50.")
@click.option("--budget", default="", metavar="AMOUNT", help="What all codes of the pool may cost together.")
@click.option("--column", default="", metavar="NAME", help="The column of the codes, if it is not called code.")
@pass_session
def import_file(session: Session, /, file: Path, **how: str) -> None:
    """Take codes from a CSV or XLSX file, all or none; the same file again adds nothing."""
    from dispatcher.services import codes

    done = codes.import_file(session.ctx, acting(session), file, **how)
    plain = as_dict(done.pool) | {"added": done.added, "held_already": done.held_already}
    words = f"{number(done.added)} codes added to {done.pool.name}; it had {number(done.held_already)} of the file."
    show(session, plain, f"{words} In stock: {number(done.pool.stock)}.")
    say(session, f"Next: dispatcher broadcast draft --codes {done.pool.name} --template goodwill-voucher")


@click.command("list", cls=Verb)
@pass_session
def list_all(session: Session) -> None:
    """Every pool: codes, how many are bound to people, how many may still be."""
    from dispatcher.services import codes

    found = [as_dict(pool) for pool in codes.listing(session.ctx)]
    rows = [
        [p["pool"], p["codes"], p["bound"], p["stock"], p["value"], p["budget"] or "none", p["closed"] or ""]
        for p in found
    ]
    words = table(["pool", "codes", "bound", "in stock", "value", "budget", ""], rows) if rows else "No codes yet."
    show(session, {"pools": found}, words)


@click.command(cls=Verb)
@click.argument("name")
@click.option("--reason", required=True, metavar="TEXT", help="How you know that none was issued; kept.")
@pass_session
def reopen(session: Session, name: str, reason: str) -> None:
    """Use a pool again that was closed because an older copy of the ledger was restored."""
    from dispatcher.services import codes

    found = codes.reopen(session.ctx, acting(session), name, reason)
    show(session, as_dict(found), f"{found.name} is open again. In stock: {number(found.stock)}.")


command = Noun("code", help="Goodwill codes: pools, stock, budget.", commands=[import_file, list_all, reopen])
