"""The command line as a process that hears Ctrl-C, also where whoever runs the tests ignores it: children inherit that."""

from __future__ import annotations

import sys

COMMAND = (
    sys.executable,
    "-c",
    "import runpy, signal; signal.signal(signal.SIGINT, signal.default_int_handler); runpy.run_module('orderkit.cli', run_name='__main__')",
)
