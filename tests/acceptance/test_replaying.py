"""A made-up shop's months, replayed: the books balance, a second run changes nothing, and a killed run comes to the same end."""

from __future__ import annotations

import json
import random
import signal
import subprocess
import time
from pathlib import Path

import pytest

from orderkit.errors import Misconfigured
from orderkit.replay.render_json import as_document
from orderkit.replay.running import replayed
from orderkit.replay.sample import write_sample
from tests import interruptible


@pytest.fixture(scope="module")
def slice_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file of two hundred sales with their dirt."""
    path = tmp_path_factory.mktemp("slice") / "slice.csv"
    write_sample(path, invoices=200, seed=11)
    return path


def replay(file: Path, folder: Path, name: str) -> list[str]:
    """Return the command that replays a file into a folder."""
    report = folder / f"{name}.json"
    return [
        *interruptible.COMMAND,
        "replay",
        str(file),
        "--store",
        f"sqlite:///{folder}/{name}.db",
        "--report",
        str(report),
        "--quiet",
    ]


def test_the_books_balance(slice_file: Path, tmp_path: Path) -> None:
    """Orders, refunds and named reasons make up the file, to the last fraction of a penny."""
    report = replayed(slice_file, store=f"sqlite:///{tmp_path}/shop.db")

    found = as_document(report)
    assert report.balanced
    assert found["reconciliation"]["unexplained"] == "0.00"
    assert found["orders"]["placed"] == 200
    assert found["orders"]["split"] > 0
    assert found["orders"]["returned"] > 0
    assert report.shares.ordered >= 0.99
    assert report.shares.matched >= 0.8


def test_a_second_run_changes_nothing(slice_file: Path, tmp_path: Path) -> None:
    """The report of the second run is the first's, byte for byte."""
    store = f"sqlite:///{tmp_path}/shop.db"

    first, second = (as_document(replayed(slice_file, store=store)) for _ in range(2))

    assert second == first


def test_a_killed_run_comes_to_the_same_end(slice_file: Path, tmp_path: Path) -> None:
    """Killed at random moments and started again, it ends with the very same report."""
    subprocess.run(replay(slice_file, tmp_path, "calm"), check=True, cwd=tmp_path)
    dice = random.Random(5)
    for _ in range(4):
        running = subprocess.Popen(replay(slice_file, tmp_path, "shot"), cwd=tmp_path)
        time.sleep(dice.uniform(0.8, 2.5))
        running.send_signal(signal.SIGKILL)
        running.wait()
    subprocess.run(replay(slice_file, tmp_path, "shot"), check=True, cwd=tmp_path)

    assert (tmp_path / "shot.json").read_bytes() == (tmp_path / "calm.json").read_bytes()
    assert json.loads((tmp_path / "shot.json").read_text())["balanced"] is True


def test_an_interrupted_run_says_so(slice_file: Path, tmp_path: Path) -> None:
    """Ctrl-C ends with the status that shells know, without a traceback; the next run comes to the end."""
    command = replay(slice_file, tmp_path, "stopped")
    running = subprocess.Popen(
        [part for part in command if part != "--quiet"], cwd=tmp_path, stderr=subprocess.PIPE, text=True
    )
    assert running.stderr is not None
    while not running.stderr.readline().startswith("replaying"):
        assert running.poll() is None
    running.send_signal(signal.SIGINT)
    told = running.stderr.read()

    assert running.wait() == 130
    assert told.endswith("\ninterrupted\n")
    assert "Traceback" not in told
    running.stderr.close()
    subprocess.run(command, check=True, cwd=tmp_path)


@pytest.mark.postgres
def test_postgresql_tells_the_same_story(slice_file: Path, tmp_path: Path, postgres_database: str) -> None:
    """The store makes no difference to the report."""
    book = tmp_path / "pg.fakepsp"

    on_server = as_document(replayed(slice_file, store=postgres_database, book=book))
    embedded = as_document(replayed(slice_file, store=f"sqlite:///{tmp_path}/shop.db"))

    assert on_server == embedded


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    """No file, no replay, and nothing is made."""
    with pytest.raises(Misconfigured) as caught:
        replayed(tmp_path / "nowhere.parquet", store=f"sqlite:///{tmp_path}/shop.db")

    assert caught.value.code == "file_missing"
    assert not (tmp_path / "shop.db").exists()
