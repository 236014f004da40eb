"""Intents have rows of their own; an attempt is written once, when it is closed."""

from dispatcher.ledger.migrate import run_file

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    run_file("0003.sql")
