"""`orderkit simulate`: the library in a simulated world, by seeds and by scenarios, under faults that are drawn or enumerated."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any

import attrs
import click

from orderkit.cli.arguments import Command
from orderkit.cli.output import format_option, say, table
from orderkit.cli.replaying import progress
from orderkit.errors import InvalidInput

if TYPE_CHECKING:  # loaded when the command runs
    from orderkit.testing.sim.campaigns import Caught, Tally, Tell
    from orderkit.testing.sim.faults import Fault
    from orderkit.testing.sim.running import Ablate, Outcome
    from orderkit.testing.sim.scenes import Scenario

SEEDS = 200  # what is played when nothing else is asked: some seconds
TOLD = 3  # failures that are told whole; the others are counted


@attrs.frozen(kw_only=True)
class Asked:
    """What was asked on the command line."""

    seeds: int | None
    start: int
    again: int | None
    shrink: bool
    names: tuple[str, ...]
    given: tuple[str, ...]
    exhaustive: str | None
    ablations: tuple[str, ...]
    jobs: int
    form: str


@click.command(cls=Command)
@click.option("--seeds", type=click.IntRange(1), help=f"Play so many seeds (default {SEEDS}; 500 for an ablation).")
@click.option("--start", type=click.IntRange(0), default=0, show_default=True, help="The first seed.")
@click.option("--replay", "again", type=click.IntRange(0), metavar="SEED", help="Play one seed again and tell it.")
@click.option(
    "--scenario", "names", multiple=True, metavar="NAME", help="A named scenario, `core`, `all`, or `list`; repeatable."
)
@click.option(
    "--fault", "given", multiple=True, metavar="PLACE=KIND", help="Plant this fault in the scenario; repeatable."
)
@click.option(
    "--exhaustive", type=click.Choice(["singles", "pairs"]), help="Every single fault, or every pair of crashes."
)
@click.option("--ablate", "ablations", multiple=True, metavar="NAME", help="Take a safeguard away, `all`, or `list`.")
@click.option("--shrink", is_flag=True, help="Reduce each failure to the fewest faults that show it.")
@click.option("--jobs", type=click.IntRange(1), help="Processes to use; default: one for each core.")
@click.option("--quiet", is_flag=True, help="No progress.")
@format_option
def simulate(quiet: bool, jobs: int | None, **asked: Any) -> None:
    """Run the library in a simulated world full of faults, and check that nothing is lost, doubled or invented.

    A run is determined by its seed and its faults. The exit status is 1 when an invariant was broken, or when nobody missed a safeguard that
    was taken away.

    \b
    Examples:
      orderkit simulate --seeds 2000
      orderkit simulate --replay 1234 --shrink
      orderkit simulate --exhaustive singles
      orderkit simulate --exhaustive pairs --scenario placement
      orderkit simulate --scenario placement --fault api-1/MoveMoney/1=LOST
      orderkit simulate --ablate all
      orderkit simulate --ablate fencing --replay 17 --shrink
    """
    from orderkit.testing.sim import campaigns  # noqa: PLC0415  (loads the simulator)

    wanted = Asked(jobs=jobs or campaigns.cores(), **asked)
    if wanted.given and (not wanted.names or wanted.exhaustive or wanted.ablations or wanted.again is not None):
        raise click.UsageError(
            "--fault plants a fault in a scenario: name one with --scenario, and nothing else to play"
        )
    with nullcontext(_untold) if quiet else progress() as tell:
        if "list" in wanted.names + wanted.ablations:
            _list(wanted)
        elif wanted.again is not None:
            _replay(wanted)
        elif wanted.ablations:
            _ablate(wanted, tell)
        elif wanted.names and not wanted.exhaustive:
            _plant(wanted)
        else:
            _campaign(wanted, tell)


def _untold(phase: str, done: int, total: int) -> None:
    """Show nothing."""


def _list(wanted: Asked) -> None:
    from orderkit.testing.sim import ablations, scenarios  # noqa: PLC0415  (loads the simulator)

    listed: Sequence[Any] = ablations.ALL if "list" in wanted.ablations else scenarios.ALL
    if wanted.form == "json":
        say([{"name": one.name, "about": one.about} for one in listed])
    else:
        table(["Name", "About"], [[one.name, one.about] for one in listed])


def _replay(wanted: Asked) -> None:
    """Play one seed again; with a safeguard that was taken away, if one is named."""
    from orderkit.testing.sim import campaigns  # noqa: PLC0415  (loads the simulator)
    from orderkit.testing.sim.workload import drawn  # noqa: PLC0415  (the same)

    seed = wanted.again or 0
    ablate = _ablation(wanted)
    _tell_runs([campaigns.play(seed, traced=True, ablate=ablate)], wanted, lambda _: drawn(seed))


def _plant(wanted: Asked) -> None:
    from orderkit.testing.sim.running import run  # noqa: PLC0415  (loads the simulator)
    from orderkit.testing.sim.scenarios import named  # noqa: PLC0415  (the same)

    faults = [_fault(text) for text in wanted.given]
    places = [fault.place for fault in faults]
    if twice := [str(place) for place in places if places.count(place) > 1]:
        raise InvalidInput(f"two faults at {twice[0]}: only one can happen there", field="fault")
    runs = [run(named(name), wanted.start, faults, traced=True) for name in _names(wanted)]
    reached = [fault.place for outcome in runs for fault in outcome.faults]
    if missed := [str(fault.place) for fault in faults if fault.place not in reached]:
        raise InvalidInput(f"the run never comes to {', '.join(missed)}", field="fault")
    _tell_runs(runs, wanted, lambda outcome: named(outcome.scenario))


def _campaign(wanted: Asked, tell: Tell) -> None:
    from orderkit.testing.sim import campaigns, scenarios, workload  # noqa: PLC0415  (loads the simulator)

    begun = time.perf_counter()
    if wanted.exhaustive:
        pairs = wanted.exhaustive == "pairs"
        tallies = campaigns.exhaustive(_names(wanted), pairs=pairs, jobs=wanted.jobs, tell=tell)
    else:
        tallies = [campaigns.seeds(wanted.seeds or SEEDS, start=wanted.start, jobs=wanted.jobs, tell=tell)]
    tell("done", 1, 1)
    seconds = time.perf_counter() - begun
    failures = [outcome for tally in tallies for outcome in tally.failures]
    if wanted.form == "json":
        say({"seconds": round(seconds, 2), "runs": [_counted(tally) for tally in tallies]})
    else:
        rows = [[t.name, t.runs, t.orders, t.gates, t.faults, len(t.failures)] for t in tallies]
        table(["Played", "Runs", "Orders", "Gates", "Faults", "Broken"], rows)
        orders, gates = sum(t.orders for t in tallies), sum(t.gates for t in tallies)
        click.echo(f"{orders / seconds:,.0f} orders/s, {gates / max(orders, 1):.0f} gates an order, {seconds:.1f} s")
        for outcome in failures[:TOLD]:
            scenario = (
                workload.drawn(outcome.seed) if outcome.scenario == "drawn" else scenarios.named(outcome.scenario)
            )
            _tell(_shrunk(outcome, scenario, wanted))
    raise SystemExit(1 if failures else 0)


def _ablate(wanted: Asked, tell: Tell) -> None:
    from orderkit.testing.sim import ablations, campaigns  # noqa: PLC0415  (loads the simulator)

    names = [one.name for one in ablations.ALL] if "all" in wanted.ablations else list(wanted.ablations)
    count = wanted.seeds or campaigns.ABLATED_SEEDS
    caught: list[Caught] = campaigns.ablated(names, count=count, start=wanted.start, jobs=wanted.jobs, tell=tell)
    tell("done", 1, 1)
    if wanted.form == "json":
        say(caught)
    else:
        rows = [[one.name, "never" if one.seed is None else one.seed, one.invariant, one.about] for one in caught]
        table(["Taken away", "Noticed by seed", "Invariant", "The safeguard"], rows)
    raise SystemExit(1 if any(one.seed is None for one in caught) else 0)


# ---- telling


def _tell_runs(runs: list[Outcome], wanted: Asked, scenario_of: Callable[[Outcome], Scenario]) -> None:
    """Tell single runs whole, and end with what they came to."""
    runs = [_shrunk(outcome, scenario_of(outcome), wanted) for outcome in runs]
    if wanted.form == "json":
        say([_outcome(outcome) for outcome in runs])
    else:
        for outcome in runs:
            _tell(outcome)
    raise SystemExit(0 if all(outcome.holds for outcome in runs) else 1)


def _shrunk(outcome: Outcome, scenario: Scenario, wanted: Asked) -> Outcome:
    from orderkit.testing.sim.shrinking import shrunk  # noqa: PLC0415  (loads the simulator)

    return shrunk(scenario, outcome, ablate=_ablation(wanted)) if wanted.shrink and not outcome.holds else outcome


def _ablation(wanted: Asked) -> Ablate | None:
    """Return what takes the named safeguard away."""
    from orderkit.testing.sim.campaigns import ablation_named  # noqa: PLC0415  (loads the simulator)

    return ablation_named(wanted.ablations[0]).apply if wanted.ablations else None


def _tell(outcome: Outcome) -> None:
    from orderkit.testing.sim.stories import told  # noqa: PLC0415  (loads the simulator)

    click.echo(told(outcome))


def _counted(tally: Tally) -> dict[str, Any]:
    return {
        "name": tally.name,
        "runs": tally.runs,
        "orders": tally.orders,
        "gates": tally.gates,
        "faults": tally.faults,
        "fingerprint": tally.fingerprint,
        "broken": [_outcome(outcome) for outcome in tally.failures],
    }


def _outcome(outcome: Outcome) -> dict[str, Any]:
    return {
        "scenario": outcome.scenario,
        "seed": outcome.seed,
        "fingerprint": outcome.fingerprint,
        "orders": outcome.orders,
        "gates": outcome.gates,
        "faults": [f"{fault.place}={fault.kind.name}:{fault.lasts / 1_000_000:g}" for fault in outcome.faults],
        "violations": [str(violation) for violation in outcome.violations],
    }


# ---- reading


def _names(wanted: Asked) -> list[str]:
    """Return the names of the scenarios that were asked for: all, when none is named."""
    from orderkit.testing.sim import scenarios  # noqa: PLC0415  (loads the simulator)

    if not wanted.names or "all" in wanted.names:
        return [scenario.name for scenario in scenarios.ALL]
    if "core" in wanted.names:
        return list(scenarios.CORE)
    return [scenarios.named(name).name for name in wanted.names]


def _fault(text: str) -> Fault:
    """Return the fault that `worker-1/Commit/2=PAUSED:90` spells; without seconds it lasts as long as an enumeration plants it."""
    from orderkit.testing.sim.faults import SECOND, Fault, FaultKind, Place, typical  # noqa: PLC0415  (the simulator)

    where, _, what = text.partition("=")
    name, _, seconds = what.partition(":")
    try:
        kind = FaultKind[name.upper()]
        return Fault(Place.parse(where), kind, int(float(seconds) * SECOND) if seconds else typical(kind))
    except (KeyError, ValueError):
        raise InvalidInput(
            f"{text!r} is no fault: process/effect/nth=KIND[:seconds], KIND one of {', '.join(FaultKind.__members__)}",
            field="fault",
        ) from None
