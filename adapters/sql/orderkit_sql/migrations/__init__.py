"""The steps from one version of the tables to the next, in pairs, for Alembic: `N_pre` before a deploy, `N_post` after it.

`N_pre` only adds: programs of version N-1 and of version N both work on what it leaves. `N_post` takes away and tightens; only version N and
later work after it. A step says its own SQL and imports nothing that changes with the program, except for what holds no data (`renewed`).
"""
