"""Forward-only migrations, run by Alembic through `dispatcher.ledger.migrate`."""
