"""Who arrived, counted by the second, instead of a row for each event."""

from dispatcher.ledger.migrate import run_file

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    run_file("0002.sql")
