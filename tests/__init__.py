"""What the tests share: profiles, servers, builders. Tests themselves are found by file, not by package."""
