"""The watch over a game's health: signals of a moment, alarms over a window of them, and remedies."""
