"""Runs on disk: their identity, what is written in their folders, how they are found and built again."""
