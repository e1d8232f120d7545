"""How long `import orderkit` takes, as the ratio to an empty Python and in milliseconds: the median of many fresh processes, taken in turn."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import time

RUNS = 15


def seconds(code: str) -> float:
    """Return how long a fresh interpreter takes for the code."""
    begin = time.perf_counter()
    subprocess.run([sys.executable, "-c", code], check=True)
    return time.perf_counter() - begin


def main() -> None:
    """Measure, and print one JSON object."""
    seconds("import orderkit")  # bytecode is written once
    empty, whole = [], []
    for _ in range(RUNS):  # in turn, so that a drift of the machine's speed meets both
        empty.append(seconds("pass"))
        whole.append(seconds("import orderkit"))
    milliseconds = (statistics.median(whole) - statistics.median(empty)) * 1000
    noise = statistics.quantiles(empty, n=4)
    print(
        json.dumps(
            {
                "name": "startup",
                "metric": "import orderkit",
                "value": round(milliseconds, 1),
                "unit": "ms",
                "noise_ms": round((noise[2] - noise[0]) * 1000, 1),
            }
        )
    )


if __name__ == "__main__":
    main()
