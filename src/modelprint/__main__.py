"""`python -m modelprint`."""

from modelprint.cli.app import main

main()
