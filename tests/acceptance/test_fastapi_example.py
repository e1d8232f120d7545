"""The example application as its README runs it: on its SQLite file, with its tokens, and with the README's own request bodies."""

from __future__ import annotations

import importlib.util
import json
import re
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from httpx2 import AsyncClient, Response

from tests.acceptance.served import running

FOLDER = Path(__file__).parents[2] / "examples" / "fastapi_shop"
ANNA, BRUNO, SOFIA = ({"Authorization": f"Bearer {name}-token"} for name in ("anna", "bruno", "sofia"))


@pytest.fixture
def example(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The module `app` of the example, imported in an empty working directory."""
    monkeypatch.chdir(tmp_path)
    for name in ("ORDERKIT_STORE", "SHOP_TOKENS"):
        monkeypatch.delenv(name, raising=False)
    spec = importlib.util.spec_from_file_location("fastapi_shop_app", FOLDER / "app.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, spec.name, module)  # FastAPI reads annotations from the module
    spec.loader.exec_module(module)
    return module


def documented() -> list[tuple[str, str, dict[str, str], Any]]:
    """Return the README's curl lines as method, path, headers, body."""
    text = (FOLDER / "README.md").read_text(encoding="utf-8").replace("\\\n", "")
    found = []
    for command in re.findall(r"^curl (.*?)(?=^curl |^```)", text, flags=re.MULTILINE | re.DOTALL):
        path = re.search(r'"\$API([^"]*)"', command)
        assert path is not None
        headers = dict(header.split(": ", 1) for header in re.findall(r"-H '([^']*)'", command))
        body = re.search(r"-d '([^']*)'", command)
        method = "POST" if body or "-X POST" in command else "GET"
        found.append((method, path[1], headers, json.loads(body[1]) if body else None))
    return found


async def follow(client: AsyncClient) -> list[Response]:
    """Send the README's requests in turn; the first answer names the order of the others."""
    answers: list[Response] = []
    for method, path, headers, body in documented():
        order_id = answers[0].json()["order_id"] if answers else ""
        answers.append(await client.request(method, path.replace("$ORDER", order_id), headers=headers, json=body))
    return answers


async def test_the_flow_of_the_readme_works(example: ModuleType) -> None:
    """Place, read, actions, status, timeline, search, cancel a part, deliver, return: as written down."""
    async with running(example.app) as (client, _):
        place, read, actions, status, timeline, search, cancel, deliver, back = await follow(client)

    assert place.status_code == 201
    assert {a.status_code for a in (read, actions, status, timeline, search, cancel, deliver, back)} == {200}
    assert (place.json()["total"], cancel.json()["refund_amount"], back.json()["refund_amount"]) == (
        "57.50",
        "20.00",
        "12.50",
    )
    assert {shipment["status"] for shipment in deliver.json()["shipments"]} <= {"delivered", "cancelled"}
    assert back.json()["return_label_url"]


async def test_a_restart_forgets_nothing(example: ModuleType, tmp_path: Path) -> None:
    """After a restart the orders, the stock and the fakes' books are as before: the repeat is a repeat, the refund finds its payment."""
    method, path, headers, body = documented()[0]
    async with running(example.app) as (client, state):
        first = await client.request(method, path, headers=headers, json=body)
        before = await state["orderkit_shop"].stock()
    order_id = first.json()["order_id"]
    async with running(example.app) as (client, state):
        after = await state["orderkit_shop"].stock()
        again = await client.request(method, path, headers=headers, json=body)
        cancelled = await client.post(
            f"/api/v1/orders/{order_id}/cancel", headers=ANNA, json={"reason": "changed_mind"}
        )

    assert (again.json(), again.headers["Idempotent-Replayed"]) == (first.json(), "true")
    assert after == before
    assert (cancelled.json()["refund_amount"], cancelled.json()["refund_status"]) == ("57.50", "refunded")
    assert all((tmp_path / name).exists() for name in ("shop.db", "shop.parcels.db", "shop.psp.db"))


async def test_only_who_has_a_token_comes_in(example: ModuleType) -> None:
    """No token and a wrong one are 401; bruno does not see anna's order, sofia does; only sofia sends parcels."""
    method, path, headers, body = documented()[0]
    async with running(example.app) as (client, _):
        order_id = (await client.request(method, path, headers=headers, json=body)).json()["order_id"]
        order = f"/api/v1/orders/{order_id}"
        found = [
            (await client.get(order)).status_code,
            (await client.get(order, headers={"Authorization": "Bearer guess"})).status_code,
            (await client.get(order, headers=BRUNO)).status_code,
            (await client.get(order, headers=SOFIA)).status_code,
            (await client.post(f"/warehouse/orders/{order_id}/deliver", headers=ANNA)).status_code,
        ]

    assert found == [401, 401, 404, 200, 403]


def test_tokens_come_from_the_environment(example: ModuleType) -> None:
    """The table reads token:customer pairs, and `staff/` makes a colleague."""
    found = example.actors("abc:anna, def:staff/sofia,")

    assert {token: (actor.id, actor.staff) for token, actor in found.items()} == {
        "abc": ("anna", False),
        "def": ("sofia", True),
    }
