"""`python -m eventstore_cli`, where `eventstore` is not on the path."""

from eventstore_cli.app import main

main()
