"""What a SQL store sends to its database, for tests that count or look at statements."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import event

from orderkit_sql import SqlStore


def statements_of(store: SqlStore, monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, Any]]:
    """Return a list that is filled with what the store sends: by way of SQLAlchemy, or straight to psycopg."""
    sent: list[tuple[str, Any]] = []
    event.listen(store._engine, "before_cursor_execute", lambda *said: sent.append((said[2], said[3])))
    if store.database.backend.name == "postgresql":
        import psycopg  # noqa: PLC0415  (only where PostgreSQL is)

        execute = psycopg.RawCursor.execute

        def listen(cursor: Any, query: bytes, parameters: Any, **options: Any) -> Any:
            sent.append((query.decode(), parameters))
            return execute(cursor, query, parameters, **options)

        monkeypatch.setattr(psycopg.RawCursor, "execute", listen)
    return sent
