"""Alembic's entry: migrate over the connection that `migrate.upgrade` hands in, inside its transaction."""

from alembic import context

connection = context.config.attributes["connection"]
context.configure(connection=connection, target_metadata=None)
context.run_migrations()
