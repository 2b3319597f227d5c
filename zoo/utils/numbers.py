"""Numbers as short text."""

import statistics

MAX_FIXED_LOSS = 1e5  # from here on a loss is written with an exponent


def format_loss(loss):
    """Return a loss as text: with four decimals, or with three significant digits if it is large.

    >>> format_loss(2.302585), format_loss(4.2038876e24)
    ('2.3026', '4.2e+24')
    """
    return f"{loss:.4f}" if abs(loss) < MAX_FIXED_LOSS else f"{loss:.3g}"


def format_mean_std(fractions):
    """Return the mean and the sample standard deviation (n - 1) of fractions as text in percent.

    >>> format_mean_std([0.99, 0.992])
    '99.10 ± 0.14%'
    """
    std = f" ± {100 * statistics.stdev(fractions):.2f}" if len(fractions) > 1 else ""
    return f"{100 * statistics.fmean(fractions):.2f}{std}%"
