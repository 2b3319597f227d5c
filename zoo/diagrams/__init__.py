"""Architecture diagrams: what is drawn of a model, and where."""
