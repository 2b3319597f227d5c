"""Helpers for files, processes, text tables and user input, used by all of zoo. Standard library only."""
