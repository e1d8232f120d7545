"""The server that tests get is a real one, and nothing of it stays."""

from __future__ import annotations

import os

import pytest

from tests.drivers import needs_psycopg
from tests.servers import NoServer, PostgresServer, programs


@needs_psycopg
@pytest.mark.postgres
def test_a_private_server_starts_durable_on_loopback_and_leaves_nothing() -> None:
    """A started server syncs to disk, listens on loopback only, and is gone with its folder after `stop`."""
    import psycopg  # noqa: PLC0415  (an extra)

    try:
        programs()
    except NoServer as missing:
        pytest.skip(str(missing))
    server = PostgresServer.start()
    try:
        with psycopg.connect(server.url) as connection:
            settings = dict(
                connection.execute(
                    "SELECT name, setting FROM pg_settings WHERE name IN ('fsync', 'listen_addresses')"
                ).fetchall()
            )
    finally:
        server.stop()

    assert settings == {"fsync": "on", "listen_addresses": "127.0.0.1"}
    assert not server.folder.exists()
    with pytest.raises(ProcessLookupError):
        os.kill(server.pid, 0)


@pytest.mark.postgres
def test_each_module_gets_a_database_of_its_own(postgres_url: str, postgres_database: str) -> None:
    """The database of a module is not the one that the server came with."""
    assert postgres_database.rpartition("/")[0] == postgres_url.rpartition("/")[0]
    assert postgres_database != postgres_url
