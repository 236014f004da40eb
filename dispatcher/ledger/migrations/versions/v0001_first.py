"""The first ledger."""

from dispatcher.ledger.migrate import run_file

revision = "0001"
down_revision = None


def upgrade() -> None:
    run_file("0001.sql")
