"""Readers of a run directory: the pictures that are drawn from its files alone."""
