"""What Alembic runs: the steps, on a connection that `migrating` gives, or as text. It never compares or touches tables of the host."""

from __future__ import annotations

from alembic import context

options = context.config.attributes
shared = {"version_table": options["version_table"], "version_table_schema": options["schema"]}

if context.is_offline_mode():
    # Named parameters, so that a percent sign in a function stays one.
    context.configure(
        dialect_name=options["dialect"], dialect_opts={"paramstyle": "named"}, literal_binds=True, **shared
    )
else:
    context.configure(connection=options["connection"], **shared)

with context.begin_transaction():
    context.run_migrations()
