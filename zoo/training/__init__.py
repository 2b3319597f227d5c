"""From a network, a dataset and a recipe to a run directory."""
