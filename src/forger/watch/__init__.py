"""Is the game still healthy? Signals of a moment, alarms over a window of them, and what to change."""
