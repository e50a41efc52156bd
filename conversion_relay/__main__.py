"""`python -m conversion_relay VERB`: the command line, where no script is on the path."""

from conversion_relay.cli import main

main()
