"""The lecture notes' text classifier: the sums of its layers, written out for a vocabulary V and a length T."""

from papers.facts import Facts


def count(vocabulary, length, embedding=256, filters=64, units=256, classes=2):
    positions = (length - 4) // 2
    return (vocabulary * embedding + 5 * embedding * filters + filters + (positions * filters + 1) * units
            + (units + 1) * classes)


def multiply_adds(length):
    """The look-up in the table of embeddings multiplies nothing."""
    return (length - 4) * 5 * 256 * 64 + (length - 4) // 2 * 64 * 256 + 512


assert (count(20_000, 100), multiply_adds(100)) == (5_989_186, 8_651_264)
assert (count(10_000, 50), multiply_adds(50)) == (3_019_586, 4_145_664)
assert count(5_000, 400) == 4_606_786

FACTS = {"text_cnn": Facts(
    (100,), 2, (5_989_186, 5_989_186), 8_651_264,
    {"embedding": (100, 256), "conv": (96, 64), "pool": (48, 64), "fc1": (256,), "fc2": (2,)}, "pool", {}, 64,
    {0.5: count(20_000, 100, 128, 32, 128, 10), 1e-9: count(20_000, 100, 1, 1, 1, 10)}, narrow_shape=(100,), stems={},
    options={"vocabulary": 20_000, "dropout": True},
    variants=(({"input_shape": (50,), "vocabulary": 10_000}, (3_019_586, 3_019_586)),
              ({"input_shape": (400,), "vocabulary": 5_000}, (4_606_786, 4_606_786))))}
