"""Trained models as files of other programs."""
