"""What operators must hear at once: an account that stopped itself, because its vendor refuses our key or settings.

The tick looks; the hand-over itself only writes that the account is paused, so that no notice can cost an outcome.
"""

from typing import Any

from dispatcher.ledger import accounts, meta
from dispatcher.ledger.engine import Tx
from dispatcher.ledger.rows import Row
from dispatcher.model.kinds import Severity
from dispatcher.people import Right
from dispatcher.services import staff
from dispatcher.services.context import Context


def run(ctx: Context, _now: int) -> None:
    """Tell once for each time that an account stopped."""
    with ctx.ledger.read() as tx:
        news = _untold(tx)
    for row in news:
        with ctx.ledger.write() as tx:
            if any(row.name == one.name for one in _untold(tx)):
                staff.tell_in(tx, ctx, staff.who_may(tx, Right.SEND), _notice(row))
                meta.put(tx, _mark(row), str(row.changed_at))


def _untold(tx: Tx) -> list[Row[Any]]:
    paused = [row for row in accounts.states(tx).values() if row.state == accounts.PAUSED]
    return [row for row in paused if meta.get(tx, _mark(row)) != str(row.changed_at)]


def _mark(row: Row[Any]) -> str:
    return f"told:account:{row.name}"


def _notice(row: Row[Any]) -> staff.Notice:
    return staff.Notice(
        subject=f"The account {row.name} ({row.channel}) has stopped",
        text=f"Its vendor refuses our key or settings: {row.reason}. Nothing goes out through it until a person has"
        f" mended it and said: dispatcher channel probe {row.name}",
        key=f"account:{row.name}:{row.changed_at}",
        severity=Severity.CRITICAL,
    )
