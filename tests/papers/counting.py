"""The arithmetic of branching modules: parameter counts from the papers' numbers of filters."""


class Counter:
    """Adds up parameters and multiply-adds.

    `per_filter` is the number of parameters beside the kernel: a bias, 1, or batch normalization, 3 or 4. A chain is a
    list of (filters, area of the kernel[, size of its output]); widths are multiplied by `width`. `size` is the default
    size of the output; feature maps are square.
    """

    def __init__(self, width=1.0, per_filter=3, size=1):
        self.width, self.per_filter, self.size = width, per_filter, size
        self.total, self.multiply_adds, self.filters = 0, 0, 0

    def scaled(self, filters):
        return max(1, int(filters * self.width))

    def chain(self, before, *convolutions):
        """Return the channels after a sequence of convolutions."""
        for filters, area, *size in convolutions:
            filters = self.scaled(filters)
            self.total += before * area * filters + self.per_filter * filters
            self.multiply_adds += before * area * filters * (size[0] if size else self.size) ** 2
            self.filters += filters
            before = filters
        return before

    def module(self, before, *chains):
        """Return the channels of parallel chains, concatenated."""
        return sum(self.chain(before, *convolutions) for convolutions in chains)

    def dense(self, before, units):
        self.total += (before + 1) * units
        self.multiply_adds += before * units
        return units
