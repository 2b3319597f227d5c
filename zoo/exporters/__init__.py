"""Export trained models to file formats of other programs."""
