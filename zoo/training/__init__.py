"""From a model, a dataset and a recipe to a run directory."""
