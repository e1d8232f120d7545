"""The hooks: the schemes of this adapter are answered, all others are left to their own."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import pytest

from orderkit.errors import Misconfigured
from orderkit.plugins.manager import Plugins
from orderkit.plugins.url import Url
from orderkit_sql import AsyncSqlStore, SqlStore, plugin
from tests.drivers import needs_aiosqlite


def test_a_sqlite_address_opens_this_store(tmp_path: Path) -> None:
    """The installed entry point leads here."""
    with closing(Plugins().open_store(f"sqlite:///{tmp_path}/shop.db")) as store:
        assert isinstance(store, SqlStore)


@needs_aiosqlite
async def test_a_sqlite_address_opens_its_form_for_event_loops(tmp_path: Path) -> None:
    """With aiosqlite there is one."""
    store = Plugins().open_async_store(f"sqlite:///{tmp_path}/shop.db")
    assert isinstance(store, AsyncSqlStore)
    await store.close()


def test_other_schemes_are_not_answered() -> None:
    """A hook says nothing to an address that is not its own."""
    url = Url.parse("memory:")

    assert plugin.open_store(url) is None
    assert plugin.open_async_store(url) is None
    assert plugin.migrate_store(url, print_only=False) is None
    assert plugin.adapter_capabilities("memory") is None


def test_without_aiosqlite_threads_serve_the_event_loop(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The async hook leaves a file to the sync store, which needs no driver."""
    monkeypatch.setattr(plugin, "find_spec", lambda name: None)

    assert plugin.open_async_store(Url.parse(f"sqlite:///{tmp_path}/shop.db")) is None


def test_migrate_answers_with_the_sql(tmp_path: Path) -> None:
    """What the CLI prints."""
    statements = plugin.migrate_store(Url.parse(f"sqlite:///{tmp_path}/shop.db"), print_only=True)

    assert statements is not None
    assert any(statement.startswith("CREATE TRIGGER") for statement in statements)
    assert not (tmp_path / "shop.db").exists()


def test_capabilities_are_said_without_opening() -> None:
    """What `orderkit adapters list` shows."""
    assert plugin.adapter_capabilities("postgresql") == {
        "store": {"durable": True, "concurrent_writers": True, "joins_host_transaction": True, "batch_max": 256}
    }
    assert plugin.adapter_capabilities("sqlite") == {
        "store": {"durable": True, "concurrent_writers": False, "joins_host_transaction": True, "batch_max": 256}
    }


def test_an_option_of_another_database_is_refused(tmp_path: Path) -> None:
    """A file has no schema."""
    with pytest.raises(Misconfigured) as refusal:
        Plugins().open_store(f"sqlite:///{tmp_path}/shop.db?schema=second")

    assert refusal.value.code == "bad_url"
