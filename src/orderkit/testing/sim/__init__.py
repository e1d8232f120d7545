"""The simulator: the fourth driver. Real flows in a deterministic world of models, virtual time and faults.

`run` plays a scenario under given faults, `every_single` and `every_pair` enumerate them, `shrunk` finds the fewest that break an invariant.
`orderkit simulate` does all of it from the command line, `orderkit.testing.plugin` under pytest.
"""

from orderkit.testing.sim.exhausting import every_pair, every_single
from orderkit.testing.sim.faults import Fault, FaultKind, Place
from orderkit.testing.sim.people import Ask, Script, Until, Wait
from orderkit.testing.sim.running import Outcome, run
from orderkit.testing.sim.scenes import Scenario, Scene
from orderkit.testing.sim.shrinking import shrunk
from orderkit.testing.sim.stories import told

__all__ = [
    "Ask",
    "Fault",
    "FaultKind",
    "Outcome",
    "Place",
    "Scenario",
    "Scene",
    "Script",
    "Until",
    "Wait",
    "every_pair",
    "every_single",
    "run",
    "shrunk",
    "told",
]
