"""An adapter that orderkit has never heard of comes in by its entry point, passes the contract of its port, and tells the customer once."""

from __future__ import annotations

import importlib
import tomllib
from collections.abc import Sequence
from contextlib import closing
from email import message_from_bytes
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

import orderkit
from orderkit import Misconfigured
from orderkit.cli.main import root
from orderkit.plugins.manager import Plugins
from orderkit.ports.notifications import Notifications
from orderkit.testing.contracts.notifications import NotificationsContract
from tests.shops import a_cart

PROJECT = Path(__file__).parents[2] / "examples" / "third_party_adapter"


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The distribution on the path with the metadata that an installer writes from its pyproject.toml."""
    project = tomllib.loads((PROJECT / "pyproject.toml").read_text())["project"]
    info = tmp_path / "site" / f"{project['name'].replace('-', '_')}-{project['version']}.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.3\nName: {project['name']}\nVersion: {project['version']}\n")
    points = project["entry-points"]["orderkit"]
    (info / "entry_points.txt").write_text("[orderkit]\n" + "".join(f"{k} = {v}\n" for k, v in points.items()))
    monkeypatch.syspath_prepend(str(PROJECT))
    monkeypatch.syspath_prepend(str(info.parent))
    monkeypatch.chdir(tmp_path)


def mails(folder: Path) -> list[Any]:
    """Return the mails that wait in a Maildir, oldest first."""
    files = sorted((folder / "new").iterdir(), key=lambda file: file.stat().st_mtime_ns)
    return [message_from_bytes(file.read_bytes()) for file in files]


@pytest.mark.usefixtures("installed")
class TestMaildir(NotificationsContract):
    @pytest.fixture
    def notifications(self, installed: None, tmp_path: Path) -> Any:
        module = importlib.import_module("orderkit_maildir")
        with closing(module.Maildir(tmp_path / "outbox")) as channel:
            yield channel

    def sent(self, notifications: Notifications) -> Sequence[str]:
        return [mail["X-Orderkit-Id"] for mail in mails(notifications.folder)]  # type: ignore[attr-defined]


@pytest.mark.usefixtures("installed")
def test_its_scheme_is_listed() -> None:
    """The list of adapters shows it with its distribution and its port."""
    found = {adapter.scheme: adapter for adapter in Plugins().installed(capabilities=True)}

    assert (found["maildir"].distribution, found["maildir"].ports) == ("orderkit-maildir", ("notifications",))


@pytest.mark.usefixtures("installed")
def test_a_shop_tells_its_customers_through_it(tmp_path: Path) -> None:
    """A URL is all that a shop needs: a placed order becomes mails in the folder, and a second sweep no more."""
    with orderkit.open("memory:", notifications="maildir:outbox") as shop:
        shop.put_stock("MUG", {"berlin": 3})
        order = shop.place(a_cart(("MUG", 1, "12.50")), "pm_visa", key="checkout-1")
        shop.sweep()
        first = [mail["X-Orderkit-Id"] for mail in mails(tmp_path / "outbox")]
        shop.sweep()

    assert first
    assert all(order.id in name for name in first)
    assert [mail["X-Orderkit-Id"] for mail in mails(tmp_path / "outbox")] == first


@pytest.mark.usefixtures("installed")
@pytest.mark.parametrize("named", [True, False], ids=["named", "not named"])
def test_a_worker_tells_customers_through_it(tmp_path: Path, *, named: bool) -> None:
    """A worker that was not told how says so: what it relays is told to nobody, nor is it kept in its memory."""
    url = f"sqlite:///{tmp_path}/shop.db"
    with orderkit.open(url) as shop:
        shop.put_stock("MUG", {"berlin": 3})
        order = shop.place(a_cart(("MUG", 1, "12.50")), "pm_visa")
    options = ["--store", url, "--payments", "fakepsp:", "--bus", "memory:", "--once"]
    done = CliRunner().invoke(root, ["worker", *options, *(["--notifications", "maildir:outbox"] if named else [])])

    assert done.exit_code == 0
    assert ("customers are told nothing" in done.output) is not named
    assert (
        [order.id in mail["X-Orderkit-Id"] for mail in mails(tmp_path / "outbox")]
        if named
        else not (tmp_path / "outbox").exists()
    )


@pytest.mark.usefixtures("installed")
def test_a_wrong_url_says_what_is_missing() -> None:
    """Without a folder, and for a port that it does not have, the error says so."""
    with pytest.raises(Misconfigured, match="maildir:FOLDER"):
        orderkit.open("memory:", notifications="maildir:")
    with pytest.raises(Misconfigured, match="it offers: notifications"):
        orderkit.open("maildir:outbox")
