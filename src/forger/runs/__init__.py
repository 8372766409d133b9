"""Runs on disk: what makes two the same, what stands in their folders, how they are found and built again."""
