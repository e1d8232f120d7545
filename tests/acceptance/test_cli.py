"""The command line as a person uses it: each command is a process of its own on one store in a file."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.architecture.tree import ROOT

COMMANDS = (
    "demo",
    "replay",
    "worker",
    "migrate",
    "retire",
    "doctor",
    "audit",
    "order",
    "allocate",
    "diagram",
    "explain",
    "adapters",
)


def run(*arguments: str, cwd: Path, status: int = 0) -> subprocess.CompletedProcess[str]:
    """Run a command and hold its exit status."""
    done = subprocess.run(
        [sys.executable, "-m", "orderkit.cli", *arguments], cwd=cwd, capture_output=True, text=True, check=False
    )
    assert done.returncode == status, done.stdout + done.stderr
    return done


def answer(*arguments: str, cwd: Path) -> Any:
    """Run a command for its JSON."""
    return json.loads(run(*arguments, "--format", "json", cwd=cwd).stdout)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the demo's shop in it."""
    found = tmp_path_factory.mktemp("shop")
    shown = run("demo", "--store", "sqlite:///demo.db", "--invoices", "20", "--report", "slice.html", cwd=found).stdout
    assert "Balanced: nothing is unexplained." in shown
    assert "\nTry next:\n  orderkit order list --store sqlite:///demo.db\n" in shown
    assert (found / "slice.html").read_text(encoding="utf-8").startswith("<!doctype html>")
    return found


@pytest.fixture
def store() -> list[str]:
    """The option that names the demo's store."""
    return ["--store", "sqlite:///demo.db"]


@pytest.mark.parametrize("command", COMMANDS)
def test_help_has_an_example(command: str, tmp_path: Path) -> None:
    """Every command says how it is called, and a group shows each of its own."""
    text = run(command, "--help", cwd=tmp_path).stdout

    assert f"orderkit {command}" in text


def test_a_report_that_cannot_be_written_is_refused_before_the_demo_runs(tmp_path: Path) -> None:
    """Nothing is shown and nothing is stored."""
    done = run("demo", "--store", "sqlite:///x.db", "--invoices", "1", "--report", "slice.pdf", cwd=tmp_path, status=2)

    assert done.stdout == ""
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("gate", ["put_stock:after:2", "commit:after:1", "commit:after:12", "move_money:before:5"])
def test_a_demo_killed_in_the_middle_is_run_again(tmp_path: Path, gate: str) -> None:
    """It goes on where it was killed, and a further run tells the same story: every step has its key."""
    demo = ("demo", "--store", "sqlite:///demo.db", "--invoices", "1")
    killed = subprocess.run(
        [sys.executable, "-m", "orderkit.cli", *demo],
        cwd=tmp_path,
        env={**os.environ, "ORDERKIT_CRASH_AT": gate},
        capture_output=True,
        check=False,
    )

    told, again = (run(*demo, cwd=tmp_path).stdout.partition("\nWhy the third")[0] for _ in range(2))

    assert killed.returncode == 137
    assert told == again
    assert told.count("EUR") == 12


def test_orders_are_listed_found_and_shown(folder: Path, store: list[str]) -> None:
    """A list, a filter, one order with its actions, its timeline, and why it stands where it stands."""
    everything = answer("order", "list", *store, cwd=folder)["items"]
    delivered = answer("order", "list", *store, "--status", "delivered", cwd=folder)["items"]
    order_id = delivered[0]["id"]

    assert len(everything) == 6
    assert {row["status"] for row in delivered} == {"delivered"}
    assert answer("order", "show", order_id, *store, cwd=folder)["status"] == "delivered"
    assert answer("order", "timeline", order_id, *store, cwd=folder)["entries"][0]["event"] == "order.placed"
    assert "delivered" in run("order", "why", order_id, *store, cwd=folder).stdout


def test_a_cancellation_is_shown_dry_then_done_and_paid_out(folder: Path, store: list[str]) -> None:
    """The refund reaches the provider of an earlier process, because its book lies beside the store."""
    row = answer("order", "list", *store, "--status", "payment_confirmed", "--sku", "TEE", cwd=folder)["items"][0]

    dry = run("order", "cancel", row["id"], "--reason", "changed_mind", "--dry-run", *store, cwd=folder).stdout
    done = answer("order", "cancel", row["id"], "--reason", "changed_mind", "--yes", *store, cwd=folder)

    assert "reserved → cancelled" in dry
    assert done["status"] == "cancelled" or done["axes"]["payment"] == "refunded"
    assert [refund["state"] for refund in done["refunds"]] == ["refunded"]


def test_a_refusal_has_its_own_status(folder: Path, store: list[str]) -> None:
    """A rule that says no exits with 4, and tells code and remedy."""
    row = answer("order", "list", *store, "--status", "delivered", cwd=folder)["items"][0]

    told = run("order", "cancel", row["id"], "--reason", "late", "--yes", *store, cwd=folder, status=4).stderr

    assert "already_shipped" in told
    assert "orderkit explain already_shipped" in told


def test_a_return_is_received_and_refunded(folder: Path, store: list[str]) -> None:
    """One command opens, receives and refunds."""
    row = answer("order", "list", *store, "--status", "partially_returned", cwd=folder)["items"][0]

    done = answer(
        "order",
        "return",
        row["id"],
        "--units",
        "TEE=1",
        "--reason",
        "worn",
        "--receive-at",
        "lyon",
        "--yes",
        *store,
        cwd=folder,
    )

    assert done["returns"][-1]["state"] == "received"
    assert done["refunds"][-1]["state"] == "refunded"


def test_the_planner_explains_and_imagines(folder: Path, store: list[str]) -> None:
    """Why an order is split, and what if a warehouse were closed."""
    row = answer("order", "list", *store, "--status", "partially_shipped", cwd=folder)["items"][0]

    told = answer("allocate", "explain", row["id"], *store, "--close", "lyon", cwd=folder)

    assert "lyon" not in json.dumps(told["plan"]["parcels"])
    assert told["reasons"]


@pytest.mark.parametrize(
    ("command", "option"),
    [
        (("allocate", "explain"), ("--close", "atlantis")),
        (("allocate", "explain"), ("--what-if", "atlantis:MUG=10")),
        (("order", "return"), ("--reason", "worn", "--yes", "--receive-at", "atlantis")),
    ],
)
def test_an_unknown_warehouse_is_refused(
    command: tuple[str, ...], option: tuple[str, ...], folder: Path, store: list[str]
) -> None:
    """A typing error moves no goods and changes no answer in silence."""
    order_id = answer("order", "list", *store, "--status", "delivered", cwd=folder)["items"][0]["id"]

    told = run(*command, order_id, *option, *store, cwd=folder, status=2).stderr

    assert "no warehouse 'atlantis'; there are berlin, lyon, madrid" in told
    assert f"code unknown_warehouse, field {option[-2]}," in told
    assert answer("order", "show", order_id, *store, cwd=folder)["order"]["returns"] == []


@pytest.mark.parametrize(
    "arguments",
    [
        ("order", "list"),
        ("order", "show", "x"),
        ("order", "timeline", "x"),
        ("order", "why", "x"),
        ("order", "cancel", "x", "--reason", "why", "--yes"),
        ("order", "return", "x", "--reason", "why", "--yes"),
        ("order", "refund", "x", "1.00", "--reason", "why", "--yes"),
        ("allocate", "explain", "x"),
    ],
)
def test_a_mistyped_store_is_told_and_not_made(arguments: tuple[str, ...], tmp_path: Path) -> None:
    """Nothing is created, neither a store nor a provider's book, and the remedy says how a store is."""
    told = run(*arguments, "--store", "sqlite:///typo.db", cwd=tmp_path, status=3).stderr

    assert "code schema_missing" in told
    assert "Run: orderkit migrate --store sqlite:///typo.db" in told
    assert list(tmp_path.iterdir()) == []


def test_a_doctor_finds_that_there_is_no_store(tmp_path: Path) -> None:
    """It makes none either; what `create=yes` asks for is made."""
    told = run("doctor", "--store", "sqlite:///typo.db", cwd=tmp_path, status=1).stdout
    nothing = list(tmp_path.iterdir())
    run("doctor", "--store", "sqlite:///typo.db?create=yes", cwd=tmp_path)

    assert "schema_missing" in told
    assert nothing == []
    assert (tmp_path / "typo.db").exists()


def test_a_doctor_looks_at_a_cache_as_well(folder: Path, store: list[str]) -> None:
    """One that answers is fine; one that does not is found, with why; one that cannot be is an error of the address."""
    pytest.importorskip("redis", reason="pip install 'orderkit[redis]'")
    fine = run("doctor", *store, "--cache", "memory:", cwd=folder).stdout
    away = json.loads(
        run("doctor", *store, "--cache", "redis://127.0.0.1:1/0", "--format", "json", cwd=folder, status=1).stdout
    )["findings"]
    wrong = run("doctor", *store, "--cache", "redis://127.0.0.1:1/zero", cwd=folder, status=1).stdout

    assert fine.strip() == "nothing wrong was found"
    assert [(found["id"], found["severity"]) for found in away] == [("D040-cache", "error")]
    assert "Connection refused" in away[0]["what"]
    assert "D001-open" in wrong


@pytest.mark.parametrize("arguments", [("order", "list", "--status", "delivred"), ("worker", "--once", "--roles", "")])
def test_a_word_that_means_nothing_is_refused(arguments: tuple[str, ...], folder: Path, store: list[str]) -> None:
    """An empty answer would look like an empty shop."""
    assert "Invalid value for" in run(*arguments, *store, cwd=folder, status=2).stderr


def test_a_cancellation_repeated_with_its_key_answers_the_same(folder: Path, store: list[str]) -> None:
    """The key answers although nothing is left to cancel; with another reason it is refused as used."""
    order_id = answer("order", "list", *store, "--sku", "MUG", "--status", "payment_confirmed", cwd=folder)["items"][0][
        "id"
    ]
    cancel = ("order", "cancel", order_id, "--yes", "--key", "once", *store)

    first = answer(*cancel, "--reason", "changed_mind", cwd=folder)

    assert answer(*cancel, "--reason", "changed_mind", cwd=folder) == first
    assert "code key_reused" in run(*cancel, "--reason", "other", cwd=folder, status=4).stderr


def test_a_return_of_everything_repeated_with_its_key_answers_the_same(folder: Path, store: list[str]) -> None:
    """The dry run tells the receipt too; without the key a rule says no, with the status for that."""
    order_id = answer("order", "list", *store, "--status", "delivered", cwd=folder)["items"][0]["id"]
    give_back = ("order", "return", order_id, "--reason", "worn", "--receive-at", "berlin", *store)

    dry = run(*give_back, "--dry-run", cwd=folder).stdout
    first = answer(*give_back, "--yes", "--key", "all", cwd=folder)

    assert dry.endswith("then      all of it is received at berlin as good as new, and refunded\n")
    assert answer(*give_back, "--yes", "--key", "all", cwd=folder) == first
    assert "code not_returnable, outcome" in run(*give_back, "--yes", cwd=folder, status=4).stderr


def test_a_worker_works_until_nothing_is_due(folder: Path, store: list[str]) -> None:
    """Events are relayed and parcels polled; a second run finds nothing."""
    assert "0 of them failed" in run("worker", "--once", *store, "--bus", "memory:", cwd=folder).stderr
    assert run("doctor", *store, cwd=folder).stdout.strip() == "nothing wrong was found"


def test_errors_and_pictures_are_explained(tmp_path: Path) -> None:
    """Codes, lifecycles and adapters need no store."""
    assert answer("explain", "cutoff_passed", cwd=tmp_path)["status"] == 409
    assert run("diagram", "status", cwd=tmp_path).stdout in (ROOT / "README.md").read_text(encoding="utf-8")
    assert {"sqlite", "memory", "fakepsp"} <= {row["scheme"] for row in answer("adapters", "list", cwd=tmp_path)}


@pytest.mark.parametrize(
    ("arguments", "status", "code", "field"),
    [
        (["explain", "nonsense"], 2, "invalid_input", "code"),
        (["order", "list", "--store", "sqlite:///typo.db"], 3, "schema_missing", "store"),
        (["order", "list", "--store", "nonsense"], 3, "bad_url", "store"),
        (["order", "list", "--limit", "0"], 2, "invalid_input", "--limit"),
        (["order", "cancel", "x"], 2, "invalid_input", "--reason"),
    ],
)
def test_errors_are_json_where_json_was_asked_for(
    arguments: list[str], status: int, code: str, field: str | None, tmp_path: Path
) -> None:
    """Nothing on standard output; on standard error one object that programs can read, with the same exit status."""
    done = run(*arguments, "--format", "json", cwd=tmp_path, status=status)

    told = json.loads(done.stderr)
    assert done.stdout == ""
    assert set(told) == {"code", "message", "field", "fault", "outcome", "remedy", "facts"}
    assert (told["code"], told["field"], told["outcome"]) == (code, field, "not_applied")


@pytest.mark.parametrize(
    ("arguments", "status", "code"),
    [
        (["order", "list", "--store", "mysql://x/y"], 3, "unknown_scheme"),
        (["order", "list", "--store", "nonsense"], 3, "bad_url"),
        (["order", "show", "nobody", "--store", "sqlite:///:memory:"], 2, "order_not_found"),
        (["replay", "nowhere.csv"], 3, "file_missing"),
        (["replay", "nowhere.csv", "--report", "year.pdf"], 2, "invalid_input"),
        (["explain", "nonsense"], 2, "invalid_input"),
        (["replay", "nowhere.csv", "--report", "missing/year.html"], 3, "file_missing, field --report"),
    ],
)
def test_wrong_input_is_told_with_code_and_remedy(arguments: list[str], status: int, code: str, tmp_path: Path) -> None:
    """No traceback, a code, a remedy, and the documented exit status."""
    told = run(*arguments, cwd=tmp_path, status=status).stderr

    assert f"code {code}" in told
    assert "Traceback" not in told
