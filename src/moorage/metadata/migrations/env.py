"""Runs revisions on the connection, and in the transaction, that moorage.metadata.schema hands over."""

from alembic import context

from moorage.metadata.tables import metadata

context.configure(connection=context.config.attributes["connection"], target_metadata=metadata, render_as_batch=True)
context.run_migrations()
