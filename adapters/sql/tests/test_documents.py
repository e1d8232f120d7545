"""Lists of documents in PostgreSQL's binary form: the driver's own bytes, on connections that know the form and on those that do not."""

from __future__ import annotations

import asyncio
from contextlib import closing

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orderkit_sql import open_store
from orderkit_sql.async_store import open_async_store
from orderkit_sql.documents import Documents, array_of, register

psycopg = pytest.importorskip("psycopg")
adapt = pytest.importorskip("psycopg.adapt")


@given(st.lists(st.binary(max_size=40), min_size=1, max_size=20))
def test_the_array_is_what_the_driver_would_write(documents: list[bytes]) -> None:
    """Byte by byte."""
    assert bytes(adapt.Transformer().dump_sequence([documents], [adapt.PyFormat.BINARY])[0] or b"") == array_of(
        documents
    )


@pytest.mark.postgres
@pytest.mark.parametrize("registered", [True, False])
def test_documents_arrive_as_they_are(postgres_database: str, registered: bool) -> None:
    """Empty ones, ones with any byte in them, and long ones, whether or not the connection knows the form."""
    documents = Documents([b"", bytes(range(256)), b"long" * 10_000, b'{"quoted": "\\\\"}'])
    with psycopg.connect(postgres_database) as connection:
        if registered:
            register(connection)
        rows = connection.execute("SELECT * FROM unnest(%b::bytea[])", (documents,)).fetchall()
        plain = connection.execute("SELECT * FROM unnest(%b::bytea[])", (list(documents),)).fetchall()

    assert rows == plain == [(document,) for document in documents]


@pytest.mark.postgres
def test_a_stores_own_connections_know_the_form(postgres_database: str) -> None:
    """Those of a program with an event loop too."""

    def form(connection: object) -> str:
        return str(connection.adapters.get_dumper(Documents, adapt.PyFormat.BINARY).__name__)  # type: ignore[attr-defined]  # any connection of psycopg

    async def asked() -> str:
        store = open_async_store(postgres_database, create=True)
        try:
            async with store._engine.connect() as connection:
                return form((await connection.get_raw_connection()).driver_connection)
        finally:
            await store.close()

    with closing(open_store(postgres_database, create=True)) as store, store._engine.connect() as connection:
        assert form(connection.connection.driver_connection) == "DocumentsDumper"
    assert asyncio.run(asked()) == "DocumentsDumper"
