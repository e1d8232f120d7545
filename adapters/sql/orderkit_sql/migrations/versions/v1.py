"""Version 1: the tables of before there were steps. A store that has them begins here; a new one is made by `creating` in one go."""

revision = "1"
down_revision = None


def upgrade() -> None:
    """Nothing: the tables are there."""
