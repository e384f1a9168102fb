"""`python -m nncli` is `nn`."""

from nncli.cli.main import main

main()
