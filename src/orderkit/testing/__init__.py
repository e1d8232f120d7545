"""What hosts and authors of adapters test with: contract suites, one for each port. Needs pytest."""
