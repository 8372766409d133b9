"""`forger play`: a page on this machine to get to know a trained game."""
