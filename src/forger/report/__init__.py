"""One self-contained page that compares variants, made from run folders alone, without torch."""
