"""A real Kafka for tests: found, or started and stopped again by whoever asked for it.

In this order: the broker that `ORDERKIT_KAFKA` names (`host:port`; topics are made there), one that `tests/kafka/kafka-broker` starts on loopback,
from jars that Maven gets once. It needs Java 17. Without, tests that need one are skipped and say why; `ORDERKIT_REQUIRE_SERVERS=1` fails them.
"""

from __future__ import annotations

import atexit
import contextlib
import importlib.util
import os
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import attrs
import pytest

from tests.servers import NoServer, without

SERVERS = "ORDERKIT_KAFKA"
ENABLE = f"pip install 'orderkit[kafka]' and install Java 17 and Maven, or set {SERVERS}=host:port"
PROGRAM = Path(__file__).parent / "kafka" / "kafka-broker"
START_SECONDS_MAX = 300.0  # the first time it gets its jars


@attrs.define
class KafkaServer:
    """A private broker, or three: started and stopped here, by their own process ids."""

    folder: Path
    servers: str = ""

    @classmethod
    def start(cls, *, brokers: int = 1) -> KafkaServer:
        """Start a broker, or three, on free ports of loopback."""
        if shutil.which("java") is None:
            raise NoServer("there is no `java`")
        server = cls(Path(tempfile.mkdtemp(prefix="orderkit-kafka-")))
        atexit.register(server.stop)  # when the tests end before their fixtures do
        server.servers = server._run("start", "--brokers", str(brokers), "--port", "0", timeout=START_SECONDS_MAX)
        return server

    def resume(self) -> None:
        """Start whichever is down, on the same port and the same data; wait until all answer."""
        self._run("start", timeout=START_SECONDS_MAX)

    def crash(self, node: int = 1) -> None:
        """Kill one."""
        self._run("kill", "--node", str(node))

    def hang(self) -> None:
        """Let it take connections and answer nothing."""
        os.kill(self.pid, signal.SIGSTOP)

    def go_on(self) -> None:
        """Let it answer again."""
        with contextlib.suppress(ProcessLookupError, FileNotFoundError):
            os.kill(self.pid, signal.SIGCONT)

    @property
    def pid(self) -> int:
        """The broker's process id."""
        return int((self.folder / "node-1" / "pid").read_text())

    def stop(self) -> None:
        """Stop it and remove its folder."""
        atexit.unregister(self.stop)
        self.go_on()
        with contextlib.suppress(NoServer):
            self._run("stop", "--wipe")
        shutil.rmtree(self.folder, ignore_errors=True)

    def _run(self, command: str, *options: str, timeout: float = 60.0) -> str:
        """Run the script; return what it prints."""
        line = [sys.executable, str(PROGRAM), command, "--dir", str(self.folder), *options]
        done = subprocess.run(line, capture_output=True, text=True, timeout=timeout, check=False)
        if done.returncode:
            raise NoServer(f"{command}: {done.stderr[-500:]}")
        return done.stdout.strip()


# ---------------------------------------------------------------- fixtures


def started(*, brokers: int = 1) -> KafkaServer:
    """Start a broker, or three. Skips where there is none."""
    if importlib.util.find_spec("confluent_kafka") is None:
        without("confluent-kafka is not installed (pip install 'orderkit[kafka]')", ENABLE)
    try:
        return KafkaServer.start(brokers=brokers)
    except (NoServer, subprocess.TimeoutExpired) as missing:
        without(str(missing), ENABLE)


@pytest.fixture(scope="session")
def kafka_servers() -> Iterator[str]:
    """The address of a broker that lives as long as the run."""
    if (given := os.environ.get(SERVERS)) and importlib.util.find_spec("confluent_kafka") is not None:
        yield given
        return
    server = started()
    yield server.servers
    server.stop()


@pytest.fixture
def kafka_url(kafka_servers: str) -> str:
    """The URL of a bus of one's own on that broker: its topics stand behind a prefix, and are made when they are first used."""
    return f"kafka://{kafka_servers}?prefix=test-{secrets.token_hex(6)}.&create=yes&partitions=4&replication=1"


@pytest.fixture
def kafka_server() -> Iterator[KafkaServer]:
    """A broker of one's own, to be killed and stopped."""
    server = started()
    yield server
    server.stop()
