"""What the subcommands of `forger` do, one module each."""
