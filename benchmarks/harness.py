"""What every benchmark is handed: how long it may take, where a server is, and where its figures go.

A benchmark is a module of this package with `run(bench)`. It says each figure with `bench.figure(…)` as soon as it has it; a figure may carry
a goal, and whether all goals were held is known in the end. Modules are imported when they are asked for: `startup` must not have
SQLAlchemy loaded around it, and a missing server must not stop what needs none.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from importlib import import_module
from typing import TYPE_CHECKING, Any

import attrs

from benchmarks.machine import Noise, machine

if TYPE_CHECKING:
    from benchmarks.postgres import Server

# In the order in which `all` runs them: what is quick and tells most comes first.
NAMES: Mapping[str, str] = {
    "startup": "how long `import orderkit` takes",
    "core": "what the pure core costs per operation, and an open order in memory",
    "bound": "the machine's bound: the same rows by COPY and by a bare driver script",
    "placement": "orders placed per second on PostgreSQL, end to end",
    "sqlite": "orders placed per second in a file, beside a bare sqlite3 script",
    "reads": "an order, a customer's last 20, a timeline, on PostgreSQL and SQLite",
    "cache": "statuses, lists and repeated keys, with a cache in Redis and without",
    "peers": "the same work as a hand-written handler, with DBOS, with django-oscar",
    "growth": "placement and reads with 10,000 to 10,000,000 orders in the table",
}


class Unavailable(Exception):
    """What a benchmark needs is not here; the message says what, and how to get it."""


@attrs.frozen
class Figure:
    """One measured value. `params` says under which conditions; a goal is a bound that the value has to keep."""

    name: str
    metric: str
    value: float
    unit: str
    params: Mapping[str, Any]
    at_least: float | None = None
    at_most: float | None = None

    @property
    def goal(self) -> str | None:
        """The bound in words, if there is one."""
        if self.at_least is not None:
            return f"at least {self.at_least:g}"
        return None if self.at_most is None else f"at most {self.at_most:g}"

    @property
    def held(self) -> bool:
        """Whether the bound was kept; without one it was."""
        return (self.at_least is None or self.value >= self.at_least) and (
            self.at_most is None or self.value <= self.at_most
        )

    def described(self) -> dict[str, Any]:
        """Return the figure as it stands under `results`."""
        return {
            "name": self.name,
            "metric": self.metric,
            "value": self.value,
            "unit": self.unit,
            "params": dict(self.params),
        }


@attrs.define
class Run:
    """One call of the program: all figures of all benchmarks, the machine, the noise, and the server that was started."""

    seconds: float
    largest: int
    figures: list[Figure] = attrs.Factory(list)
    failures: dict[str, str] = attrs.Factory(dict)
    machine: dict[str, Any] = attrs.Factory(machine)
    noise: Noise = attrs.Factory(Noise)
    _server: Server | None = None

    def benchmark(self, name: str) -> None:
        """Run one benchmark."""
        self._module(name).run(Bench(name, self))
        self.noise.sample()

    def _module(self, name: str) -> Any:
        try:
            return import_module(f"benchmarks.{name}")
        except ModuleNotFoundError as error:
            if error.name is not None and error.name.startswith("benchmarks"):
                raise Unavailable(f"there is no benchmarks/{name}.py") from error
            raise Unavailable(f"{error.name} is not installed: pip install -e '.[all]' --group test") from error

    def server(self) -> Server:
        """Return the run's PostgreSQL; it is started when it is first asked for. Raises `Unavailable`."""
        if self._server is None:
            try:
                from benchmarks.postgres import started  # noqa: PLC0415  (most benchmarks need no server)
            except ModuleNotFoundError as error:
                raise Unavailable(f"{error.name} is not installed: pip install -e '.[all]' --group test") from error
            self._server = started()
            self.machine["postgresql"] = self._server.described()
        return self._server

    def close(self) -> None:
        """Stop what was started."""
        if self._server is not None:
            self._server.stop()

    def described(self) -> dict[str, Any]:
        """Return everything as JSON holds it."""
        return {
            "results": [figure.described() for figure in self.figures],
            "goals": [
                {"name": f.name, "metric": f.metric, "params": dict(f.params), "goal": f.goal, "held": f.held}
                for f in self.figures
                if f.goal
            ],
            "failures": self.failures,
            "machine": {**self.machine, "noise": self.noise.described()},
        }


@attrs.frozen
class Bench:
    """What one benchmark is handed."""

    name: str
    run: Run

    @property
    def seconds(self) -> float:
        """How long one measurement should take."""
        return self.run.seconds

    @property
    def server(self) -> Server:
        """The run's PostgreSQL."""
        return self.run.server()

    def figure(
        self,
        metric: str,
        value: float,
        unit: str,
        *,
        at_least: float | None = None,
        at_most: float | None = None,
        **params: Any,
    ) -> Figure:
        """Keep a figure and show it; what is given by name beyond a goal are its conditions."""
        made = Figure(self.name, metric, _rounded(value), unit, params, at_least, at_most)
        self.run.figures.append(made)
        conditions = ", ".join(f"{name} {value}" for name, value in params.items())
        verdict = "" if made.goal is None else f"   {'✓' if made.held else '✗'} {made.goal}"
        say(f"  {metric:<34} {made.value:>12,g} {unit:<10} {conditions}{verdict}")
        self.run.noise.sample()
        return made

    def value(self, metric: str, *, name: str | None = None, **params: Any) -> float | None:
        """Return a figure of this run, of this benchmark or of another one; nothing when it was not measured."""
        for found in reversed(self.run.figures):
            if (found.name, found.metric) == (name or self.name, metric) and params.items() <= found.params.items():
                return found.value
        return None

    def note(self, text: str) -> None:
        """Show how far it is."""
        say(f"  {text}")


def say(text: str) -> None:
    """Show a line of progress; standard output is left to results."""
    print(text, file=sys.stderr, flush=True)


def _rounded(value: float) -> float:
    """Return the value with four figures: no more are ever true."""
    return float(f"{value:.4g}")
