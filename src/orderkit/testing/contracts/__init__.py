"""Contract suites, one for each port, driven by what an adapter claims: inherit a class, override its fixture, run pytest."""

import pkgutil

import pytest

# What a case asserts is explained when it fails, as in a test file of one's own.
pytest.register_assert_rewrite(*(f"{__name__}.{module.name}" for module in pkgutil.iter_modules(__path__)))
