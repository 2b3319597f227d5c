"""The arithmetic of modules that fork: counts of parameters, from the papers' numbers of filters."""


class Counter:
    """Adds up parameters and multiply-adds.

    `each` is what a filter has beside its kernel: a bias, 1, or batch normalisation, 3 or 4. A chain is a list of
    (filters, area of the kernel[, side of its output]); widths are multiplied by `width`. `side` is the output's side
    where the chain does not say it; grids are square.
    """

    def __init__(self, width=1.0, each=3, side=1):
        self.width, self.each, self.side, self.total, self.multiply_adds, self.filters = width, each, side, 0, 0, 0

    def scaled(self, filters):
        return max(1, int(filters * self.width))

    def chain(self, before, *convolutions):
        """Return the channels after convolutions one after another."""
        for filters, area, *side in convolutions:
            filters = self.scaled(filters)
            self.total += before * area * filters + self.each * filters
            self.multiply_adds += before * area * filters * (side[0] if side else self.side) ** 2
            self.filters += filters
            before = filters
        return before

    def module(self, before, *chains):
        """Return the channels of chains side by side."""
        return sum(self.chain(before, *convolutions) for convolutions in chains)

    def dense(self, before, units):
        self.total += (before + 1) * units
        self.multiply_adds += before * units
        return units
