"""From a network, a data set and a recipe to a run directory."""
