"""Contract suites, one for each port, driven by what an adapter claims: inherit a class, override its fixture, run pytest."""
