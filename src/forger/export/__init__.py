"""What a game makes, as files that are used without forger."""
