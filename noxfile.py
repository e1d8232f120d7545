"""Every check of orderkit is a session here; CONTRIBUTING.md lists them, `.ci/run` runs them.

Arguments after `--` go to pytest. Interpreters come from the classifiers; a session whose interpreter is missing is skipped and says so
(with `CI` set it fails). With uv installed environments are made by it, otherwise by virtualenv and pip.
"""

from __future__ import annotations

import json
import os
import re
import shutil
from pathlib import Path

import nox

nox.needs_version = ">=2025.5.1"
nox.options.default_venv_backend = os.environ.get("NOX_DEFAULT_VENV_BACKEND", "uv|virtualenv")
nox.options.sessions = ["lint", "arch", "types", "tests"]
nox.options.reuse_existing_virtualenvs = True

PROJECT = nox.project.load_toml("pyproject.toml")
PYTHONS = nox.project.python_versions(PROJECT)
LOWEST, *LATER = PYTHONS
EXTRAS = sorted(PROJECT["project"]["optional-dependencies"])
ADAPTERS = sorted(str(path) for path in Path("adapters").glob("*/orderkit_*"))
REQUIRED = {"ORDERKIT_REQUIRE_SERVERS": "1"}
WITHOUT_SERVERS = {"ORDERKIT_REQUIRE_SERVERS": "0"}
FULL = {"ORDERKIT_PROFILE": "full"}
# On every core; what stands in one class or module shares its fixtures, a database among them, and stays together.
PARALLEL = ("-n", "auto", "--dist", "loadscope")


def group(*names: str) -> list[str]:
    """Return the requirements of dependency groups."""
    return list(nox.project.dependency_groups(PROJECT, *names))


def install(session: nox.Session, *groups: str, extras: str = "all") -> None:
    """Install the project, editable, with extras and dependency groups."""
    session.install("-e", f".[{extras}]" if extras else ".", *group(*groups))


# ---------------------------------------------------------------- sources


@nox.session(python=LOWEST)
def lint(session: nox.Session) -> None:
    """Check format, rules and spelling."""
    session.install(*group("lint"))
    session.run("ruff", "format", "--check", ".")
    session.run("ruff", "check", ".")
    session.run("codespell", "src", "adapters", "docs", "tests", "README.md", "CONTRIBUTING.md", "changelog.d")


@nox.session(python=LOWEST)
def fmt(session: nox.Session) -> None:
    """Format the sources and mend what ruff can mend."""
    session.install(*group("lint"))
    session.run("ruff", "check", "--fix-only", ".")
    session.run("ruff", "format", ".")


@nox.session(python=LOWEST)
def arch(session: nox.Session) -> None:
    """Check the import contracts."""
    install(session, "lint")
    session.run("lint-imports", "--no-cache")


@nox.session(python=LOWEST)
def types(session: nox.Session) -> None:
    """Check types: mypy strict on everything shipped, pyright on the public API."""
    install(session, "types", "test")
    examples = sorted(str(path) for path in Path("examples").glob("**/*.py"))
    session.run("mypy", "src/orderkit", *ADAPTERS, *examples, "tests/typing", "benchmarks")
    session.run("pyright", "tests/typing")


# ---------------------------------------------------------------- tests


@nox.session(python=PYTHONS)
def tests(session: nox.Session) -> None:
    """Run the whole suite in the light profile, with all extras."""
    install(session, "test")
    session.run("pytest", *PARALLEL, *session.posargs)


@nox.session(python=LOWEST)
@nox.parametrize("extra", ["none", *(extra for extra in EXTRAS if extra != "all")])
def extras(session: nox.Session, extra: str) -> None:
    """Run the suite without extras, and with each one alone: what a driver is missing for is skipped, nothing fails."""
    install(session, "test", extras="" if extra == "none" else extra)
    env = {} if extra in ("kafka", "postgres", "redis") else WITHOUT_SERVERS
    session.run("pytest", *PARALLEL, "-m", "not slow", *session.posargs, env=env)


@nox.session(python=LOWEST)
def complete(session: nox.Session) -> None:
    """Run everything in the full profile against real servers."""
    install(session, "test")
    session.run("pytest", *PARALLEL, *session.posargs, env=REQUIRED | FULL)


@nox.session(python=LOWEST)
def coverage(session: nox.Session) -> None:
    """Hold the branch coverage of the domain at 98%, by the tests that need nothing else."""
    install(session, "test")
    covering = ("tests/unit", "tests/flows", "tests/properties", "tests/acceptance/test_given.py")
    session.run("pytest", *PARALLEL, "-m", "not postgres", "--cov", "--cov-report=", *covering, *session.posargs)
    session.run("coverage", "report", "--skip-covered", "--fail-under=98")


@nox.session(python=LOWEST)
def properties(session: nox.Session) -> None:
    """Run the laws with at least 1,000 examples each."""
    install(session, "test")
    session.run("pytest", *PARALLEL, "tests/properties", *session.posargs, env=FULL)


@nox.session(python=LOWEST)
def contracts(session: nox.Session) -> None:
    """Run the contract suites against every adapter, with real servers."""
    install(session, "test")
    session.run("pytest", *PARALLEL, "tests/contracts", "adapters", *session.posargs, env=REQUIRED)


@nox.session(python=LOWEST)
def postgres(session: nox.Session) -> None:
    """Run what needs PostgreSQL; a missing server is a failure."""
    install(session, "test")
    session.run("pytest", *PARALLEL, "-m", "postgres", *session.posargs, env=REQUIRED)


def chaos(session: nox.Session, test: str) -> None:
    """Attack real processes at length with one test of `tests/chaos`, and show its figures."""
    install(session, "test")
    session.run(
        "pytest", "-s", f"tests/chaos/{test}", *session.posargs, env=REQUIRED | FULL | {"ORDERKIT_CHAOS": "long"}
    )


@nox.session(python=LOWEST)
def kills(session: nox.Session) -> None:
    """Kill PostgreSQL a hundred times under load, and hold all books against each other."""
    chaos(session, "test_kills.py")


@nox.session(python=LOWEST)
def gates(session: nox.Session) -> None:
    """End a host's and a worker's process at every gate, and let others finish."""
    chaos(session, "test_gates.py")


@nox.session(python=LOWEST)
def pauses(session: nox.Session) -> None:
    """Stop a worker fifty times for longer than its lease: none of its stale writes counts."""
    chaos(session, "test_pauses.py")


@nox.session(python=LOWEST)
def outbox(session: nox.Session) -> None:
    """Relay a million records of eight writers whose transactions commit late: none is skipped."""
    chaos(session, "test_outbox.py")


@nox.session(python=LOWEST)
def caches(session: nox.Session) -> None:
    """Flush, kill and stop the cache six hundred times under load: time is lost, and nothing else."""
    chaos(session, "test_caches.py")


@nox.session(python=LOWEST)
def brokers(session: nox.Session) -> None:
    """Kill each of three brokers of Kafka, and two of them, under a relay: nothing is lost or turned round."""
    chaos(session, "test_brokers.py")


@nox.session(python=LOWEST)
def oracle(session: nox.Session) -> None:
    """Hold the planner against OR-Tools."""
    install(session, "test", "oracle")
    session.run("pytest", "-m", "oracle", *session.posargs, env=FULL)


@nox.session(python=LOWEST)
def simulate(session: nox.Session) -> None:
    """Play 2,000 seeds and every single fault of every scenario without a violation, and miss every safeguard that is taken away."""
    install(session)
    for arguments in (["--seeds", "2000"], ["--exhaustive", "singles"], ["--ablate", "all"]):
        session.run("orderkit", "simulate", *arguments, *session.posargs)


@nox.session(python=LOWEST)
def simulate_long(session: nox.Session) -> None:
    """Play 50,000 other seeds, and every pair of crashes of five scenarios."""
    install(session)
    session.run("orderkit", "simulate", "--start", "2000", "--seeds", "50000", *session.posargs)
    session.run("orderkit", "simulate", "--exhaustive", "pairs", "--scenario", "core", *session.posargs)


@nox.session(python=LOWEST)
def lives(session: nox.Session) -> None:
    """Live random lives of orders under the laws of `tests/lives` (`nox -s lives -- --seeds 10000 --start 0 --jobs 4`)."""
    install(session, "test")
    session.run("python", "-m", "tests.lives", *session.posargs)


@nox.session(python=LOWEST)
def lowest(session: nox.Session) -> None:
    """Run the suite with the lowest versions of direct dependencies that pyproject.toml allows."""
    asked = [
        *PROJECT["project"]["dependencies"],
        *(r for e in EXTRAS if e != "all" for r in PROJECT["project"]["optional-dependencies"][e]),
    ]
    pins = sorted({re.sub(r"\[.*?\]", "", requirement).replace(">=", "==") for requirement in asked})
    constraints = Path(session.create_tmp()).resolve() / "lowest.txt"
    constraints.write_text("\n".join(pins) + "\n", encoding="utf-8")
    session.install("-e", ".[all]", *group("test"), "-c", str(constraints))
    session.run(
        "pytest", *PARALLEL, "-m", "not slow", "--deselect", "tests/architecture/test_documents.py", *session.posargs
    )


# ---------------------------------------------------------------- what is shipped


@nox.session(python=LOWEST)
def docs(session: nox.Session) -> None:
    """Build the site without a warning and run every snippet."""
    install(session, "test", "docs")
    session.run("zensical", "build", "-f", "mkdocs.yml", "--clean", "--strict")
    session.run("pytest", "README.md", "docs", "tests/architecture/test_documents.py", *session.posargs)


@nox.session(python=LOWEST)
def wheel(session: nox.Session) -> None:
    """Build sdist and wheel, install the wheel alone in an empty environment, and use it from somewhere else."""
    folder = Path(session.create_tmp()).resolve()
    built, elsewhere = folder / "dist", folder / "elsewhere"
    for path in (built, elsewhere):
        shutil.rmtree(path, ignore_errors=True)
    elsewhere.mkdir()
    session.install("build>=1.2")
    session.run("python", "-m", "build", "--outdir", str(built), silent=True)
    (package,) = built.glob("*.whl")
    session.run("python", "-m", "venv", "--clear", str(folder / "bare"))
    binaries = folder / "bare" / ("Scripts" if os.name == "nt" else "bin")
    python, orderkit = str(binaries / "python"), str(binaries / "orderkit")
    session.run(python, "-m", "pip", "install", "-q", str(package), external=True)
    with session.chdir(elsewhere):
        session.run(
            python,
            "-W",
            "error",
            "-c",
            "import orderkit; print(orderkit.__version__, orderkit.__file__)",
            external=True,
        )
        session.run(
            python,
            "-c",
            "import pathlib, orderkit; assert (pathlib.Path(orderkit.__file__).parent / 'py.typed').exists()",
            external=True,
        )
        for arguments in (["--help"], ["--version"], ["adapters", "list"], ["demo"]):
            session.run(orderkit, *arguments, external=True)


@nox.session(python=LOWEST)
def bench(session: nox.Session) -> None:
    """Measure what needs no server, briefly, and hold it to its budgets."""
    install(session)
    session.run("python", "-m", "benchmarks", "startup", "core", "--seconds", "1", "--strict", *session.posargs)


@nox.session(python=LOWEST)
def bench_full(session: nox.Session) -> None:
    """Run every benchmark against a real server, for as long as it takes (`nox -s bench_full -- --largest 1e6 --json PATH`)."""
    install(session, "test")
    session.run("python", "-m", "benchmarks", "all", "--seconds", "60", *session.posargs)


@nox.session(python=LOWEST)
def replay_year(session: nox.Session) -> None:
    """Replay a year (`nox -s replay_year -- FILE [STORE]`) and hold its books at nothing unexplained."""
    if not session.posargs:
        session.skip("give the file: nox -s replay_year -- FILE [STORE]")
    folder = Path(session.create_tmp()).resolve()
    file, *store = session.posargs
    report = folder / "year.json"
    shutil.rmtree(folder / "year", ignore_errors=True)
    (folder / "year").mkdir()
    install(session)
    session.run(
        "orderkit", "replay", file, "--store", *(store or [f"sqlite:///{folder}/year/year.db"]), "--report", str(report)
    )
    unexplained = json.loads(report.read_text(encoding="utf-8"))["reconciliation"]["unexplained"]
    if float(unexplained) != 0:
        session.error(f"{unexplained} is unexplained: see {report}")
