"""How hard Hypothesis tries: `ORDERKIT_PROFILE=light` on a user's machine (the default), `full` where a change is judged.

`light` is small and always the same, so that a fresh clone passes or fails for everybody alike. `full` is random and gives every law at
least a thousand examples; no property may ask for fewer (tests/architecture holds that).
"""

from __future__ import annotations

import os

from hypothesis import HealthCheck, Phase, settings

LIGHT_EXAMPLES = 25
FULL_EXAMPLES = 1_000

settings.register_profile(
    "light",
    max_examples=LIGHT_EXAMPLES,
    stateful_step_count=20,
    deadline=None,
    derandomize=True,
    database=None,
    phases=(Phase.explicit, Phase.generate, Phase.shrink),
)
settings.register_profile(
    "full",
    max_examples=FULL_EXAMPLES,
    stateful_step_count=50,
    deadline=None,
    print_blob=True,
    suppress_health_check=(HealthCheck.too_slow,),
)
settings.load_profile(os.environ.get("ORDERKIT_PROFILE", "light"))
