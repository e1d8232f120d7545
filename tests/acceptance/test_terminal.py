"""What a person sees: the command line on a terminal of eighty columns."""

from __future__ import annotations

import os
import pty
import re
import signal
import subprocess
from pathlib import Path

import pytest

from orderkit.replay.sample import write_sample
from tests import interruptible

ORDER_ID = re.compile(r"\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b")
HIDE_CURSOR, SHOW_CURSOR = "\x1b[?25l", "\x1b[?25h"


def on_a_terminal(*arguments: str, cwd: Path, stop_at: str | None = None) -> tuple[int, str]:
    """Run a command on a terminal and return its exit status and all it wrote; press Ctrl-C once it wrote `stop_at`."""
    ours, its = pty.openpty()
    running = subprocess.Popen(
        [*interruptible.COMMAND, *arguments],
        cwd=cwd,
        stdin=its,
        stdout=its,
        stderr=its,
        env={**os.environ, "TERM": "xterm-256color", "COLUMNS": "80", "LINES": "24"},
        start_new_session=True,
    )
    os.close(its)
    written = b""
    while True:
        try:
            part = os.read(ours, 65_536)
        except OSError:  # how Linux says that the other end was closed
            break
        written += part
        if stop_at is not None and stop_at.encode() in written:
            running.send_signal(signal.SIGINT)
            stop_at = None
    os.close(ours)
    return running.wait(), written.decode()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the demo's shop in it, made on a terminal."""
    found = tmp_path_factory.mktemp("shop")
    status, told = on_a_terminal("demo", "--store", "sqlite:///demo.db", "--invoices", "20", cwd=found)
    assert status == 0
    assert "Balanced: nothing is unexplained." in told
    return found


def test_no_id_is_cut_short(folder: Path) -> None:
    """What is wider than the terminal is not ruled but told whole: ids are there to be copied."""
    _, listed = on_a_terminal("order", "list", "--store", "sqlite:///demo.db", cwd=folder)
    order_ids = ORDER_ID.findall(listed)

    _, shown = on_a_terminal("order", "show", order_ids[0], "--store", "sqlite:///demo.db", cwd=folder)

    assert len(order_ids) == len(set(order_ids)) == 6
    assert "…" not in listed + shown
    assert "┃" in shown  # a table that fits is ruled


def test_an_interrupted_progress_bar_gives_the_cursor_back(tmp_path: Path) -> None:
    """After Ctrl-C the terminal is as it was."""
    write_sample(tmp_path / "slice.csv", invoices=300, seed=11)

    status, told = on_a_terminal("replay", "slice.csv", "--store", "sqlite:///x.db", cwd=tmp_path, stop_at="replaying")

    assert status == 130
    assert told.count(HIDE_CURSOR) == told.count(SHOW_CURSOR) == 1
    assert told.rstrip().endswith("interrupted")
