"""Architecture diagrams: what is drawn of a network, and where."""
