"""A look inside a network: what its layers make of one picture, and what in it speaks for a class."""
