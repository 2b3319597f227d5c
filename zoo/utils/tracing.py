"""TensorFlow's warning that functions are compiled too often, which does not apply to models used one after another."""

import contextlib
import logging


@contextlib.contextmanager
def silence_retracing_warning():
    """Silence TensorFlow's warning on frequent retracing: each model compiles its own function for prediction, once."""
    logger = logging.getLogger("tensorflow")
    logger.addFilter(is_no_retracing_warning)
    try:
        yield
    finally:
        logger.removeFilter(is_no_retracing_warning)


def is_no_retracing_warning(record):
    return "triggered tf.function retracing" not in record.getMessage()
