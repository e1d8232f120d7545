"""The benchmark suite says what it promises to say. How fast anything is here is nobody's fact: no test looks at a time."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from benchmarks.cpu import CpuWatch
from benchmarks.harness import NAMES, Figure
from benchmarks.load import closed_loop, open_loop, percentile, threaded_loop
from benchmarks.workload import Workload
from orderkit import Policies
from orderkit_sql.codec import encode

TOP = Path(__file__).parents[2]


def called(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the suite as a user does."""
    command = [sys.executable, "-m", "benchmarks", *arguments]
    return subprocess.run(command, cwd=TOP, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def of_core(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, Any], str]:
    """What a tiny run of `core` writes: its JSON, and its page."""
    path = tmp_path_factory.mktemp("bench") / "core.json"
    done = called("core", "--seconds", "0.01", "--json", str(path))
    assert done.returncode == 0, done.stderr
    return json.loads(path.read_text(encoding="utf-8")), path.with_suffix(".html").read_text(encoding="utf-8")


def test_every_result_has_the_promised_form(of_core: tuple[dict[str, Any], str]) -> None:
    """A result is name, metric, value, unit and params, and nothing else."""
    found, _ = of_core
    shapes = {(tuple(row), row["name"], type(row["params"])) for row in found["results"]}
    assert shapes == {(("name", "metric", "value", "unit", "params"), "core", dict)}
    assert all(isinstance(row["value"], float) and row["value"] > 0 for row in found["results"])


def test_core_covers_what_an_order_needs(of_core: tuple[dict[str, Any], str]) -> None:
    """Transition, planner, refund, encoding, placement to rows, and the memory of open orders are all there."""
    found, _ = of_core
    metrics = {row["metric"] for row in found["results"]}
    wanted = {
        "transition",
        "planner",
        "refund quote of one line",
        "encode the facts",
        "encode a record",
        "placement to encoded rows, in batches",
        "memory of open orders",
    }
    assert wanted <= metrics
    planned = {(row["params"]["lines"]) for row in found["results"] if row["metric"] == "planner"}
    assert planned == {3, 6, 10}


def test_the_machine_and_its_noise_are_told(of_core: tuple[dict[str, Any], str]) -> None:
    """Figures travel with the machine they come from, and with how quiet it was."""
    found, _ = of_core
    machine = found["machine"]
    assert {"cores", "cpu", "memory_gb", "python", "postgresql", "load_before", "noise"} <= machine.keys()
    assert set(machine["noise"]) == {"loop_ms", "spread", "samples"}


def test_the_page_stands_alone(of_core: tuple[dict[str, Any], str]) -> None:
    """The page shows every metric, draws charts, and loads nothing."""
    found, page = of_core
    assert page.startswith("<!doctype html>")
    assert "<svg" in page
    assert all(row["metric"] in page for row in found["results"])
    assert not [word for word in ("<script", "http://", "https://", "<link") if word in page]


def test_an_unknown_name_is_refused_with_the_known_ones() -> None:
    """A mistyped name ends the program at once and says which there are."""
    done = called("plaecment")
    assert done.returncode == 2
    assert all(name in done.stderr for name in (*NAMES, "all"))


def test_a_missing_server_is_said_and_not_hidden(tmp_path: Path) -> None:
    """Without what a benchmark needs, the run fails, names it, and still writes what it has."""
    path = tmp_path / "growth.json"
    (tmp_path / "psycopg.py").write_text("raise ModuleNotFoundError('none here', name='psycopg')", encoding="utf-8")
    surroundings = {**os.environ, "PYTHONPATH": str(tmp_path)}
    command = [sys.executable, "-m", "benchmarks", "growth", "--seconds", "0.01", "--json", str(path)]
    done = subprocess.run(command, cwd=TOP, env=surroundings, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "psycopg is not installed: pip install" in json.loads(path.read_text(encoding="utf-8"))["failures"]["growth"]


def test_a_goal_is_a_bound() -> None:
    """A figure holds its goal when it is on the right side of it, and always without one."""
    over = Figure("core", "transition", 3.0, "µs", {}, at_most=2)
    under = Figure("placement", "orders/s", 3.0, "orders/s", {}, at_least=2)
    free = Figure("core", "document", 3.0, "bytes", {})
    assert (over.held, under.held, free.held) == (False, True, True)
    assert (over.goal, under.goal, free.goal) == ("at most 2", "at least 2", None)


def test_a_percentile_is_a_value_that_was_measured() -> None:
    """Nearest rank: the value that the share does not exceed."""
    hundred = [float(n) for n in range(100, 0, -1)]
    assert (percentile(hundred, 0.5), percentile(hundred, 0.99), percentile([7.0], 0.99)) == (50.0, 99.0, 7.0)


def test_every_caller_gets_numbers_of_its_own() -> None:
    """Closed loop, open loop and threads never ask for one order twice."""
    seen: dict[str, list[int]] = {"closed": [], "open": [], "threads": []}

    def acting(kind: str) -> Any:
        async def act(n: int) -> None:
            seen[kind].append(n)
            await asyncio.sleep(0)

        return act

    asyncio.run(closed_loop(acting("closed"), callers=8, seconds=0.05, first=100))
    opened = asyncio.run(open_loop(acting("open"), rate=200, seconds=0.1, first=100))
    threaded_loop(seen["threads"].append, callers=4, seconds=0.05, first=100)
    assert opened.count == 20
    for numbers in seen.values():
        assert sorted(numbers) == list(range(100, 100 + len(numbers)))


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="CPU time of other processes is read from /proc")
def test_a_child_counts_as_the_client() -> None:
    """What a child of this program burns is the client's, also when it has ended."""
    watch = CpuWatch()
    subprocess.run([sys.executable, "-c", "sum(n * n for n in range(3_000_000))"], check=True)
    client, server = watch.spent()
    assert client > 0
    assert server == 0


@pytest.mark.parametrize("lines", [1, 3])
def test_a_document_has_about_the_size_that_was_asked_for(lines: int) -> None:
    """5 KB are 5 KB, so that figures of different systems are of the same orders."""
    workload = Workload(lines=lines)
    documents = [len(encode(workload.cart(n).facts(Policies()))) for n in (0, 1, 777_777)]
    assert all(4_850 <= size <= 5_150 for size in documents)


def test_an_order_differs_from_every_other_and_so_do_its_lines() -> None:
    """Two orders have different documents and keys, the lines of one different SKUs, hot or not."""
    for workload in (Workload(), Workload(skus=10)):
        assert len({workload.cart(n) for n in range(500)}) == len({workload.key(n) for n in range(500)}) == 500
        assert all(len({sku for sku, _, _ in workload.picked(n)}) == 3 for n in range(500))
