"""`python -m orderkit.cli`: the command line without its script."""

from orderkit.cli.main import main

main()
