"""What each account has been asked to carry today (UTC): the ground on which daily and money caps stand.

It is counted with the intent, in its transaction, so a cap can never be passed by however many workers.
"""

from dispatcher.ledger.engine import Tx

DAY_MS = 86_400_000
MICRO = 1_000_000


def take(tx: Tx, account: str, now: int, recipients: int, cost: float, per_day: int, spend_cap: float) -> bool:
    """Count these in, unless a cap (0: none) would be passed; then nothing is counted."""
    day, micro = now // DAY_MS, round(cost * MICRO)
    tx.change(
        "INSERT INTO usage (account, day, recipients, micro) VALUES (:account, :day, 0, 0) ON CONFLICT DO NOTHING",
        account=account, day=day,
    )  # fmt: skip
    return bool(
        tx.change(
            "UPDATE usage SET recipients = recipients + :n, micro = micro + :micro WHERE account = :account"
            " AND day = :day AND (:per_day = 0 OR recipients + :n <= :per_day)"
            " AND (:cap = 0 OR micro + :micro <= :cap)",
            n=recipients, micro=micro, account=account, day=day, per_day=per_day, cap=round(spend_cap * MICRO),
        )
    )  # fmt: skip


def today(tx: Tx, account: str, now: int) -> tuple[int, float]:
    """Recipients and money of today."""
    row = tx.one(
        "SELECT recipients, micro FROM usage WHERE account = :account AND day = :day",
        account=account, day=now // DAY_MS,
    )  # fmt: skip
    return (row.recipients, row.micro / MICRO) if row is not None else (0, 0.0)


def seconds_left(now: int) -> float:
    """Until the caps begin anew."""
    return (DAY_MS - now % DAY_MS) / 1000
