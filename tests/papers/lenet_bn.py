"""The network of the course notes, section 5.13.4: in no paper, counted by hand."""

from papers.facts import Facts


def count(conv1, conv2, height=32, width=32, channels=3, classes=10):
    """All parameters with no option: two convolutions, a dense layer, its normalization."""
    dense = ((height // 2) * (width // 2) * conv2 + 1) * classes
    return (11 * 11 * channels + 1) * conv1 + (conv1 + 1) * conv2 + dense + 4 * classes


assert count(96, 120) == 34_944 + 11_640 + 307_210 + 40 == 353_834
BACKBONE = 34_944 + 11_640

FACTS = {
    "lenet5_bn": Facts(
        input_shape=(32, 32, 3),
        classes=10,
        parameters=(353_834, 353_834 - 20),  # mean and variance of ten
        multiply_adds=32 * 32 * 363 * 96 + 16 * 16 * 96 * 120 + 30_720 * 10,
        stages={"conv1": (32, 32, 96), "pool1": (16, 16, 96), "pool1_tanh": (16, 16, 96), "conv2": (16, 16, 120),
                "flatten": (30_720,), "fc3": (10,), "fc3_bn": (10,), "fc3_relu": (10,)},
        features="conv2",
        grids={(2, 2): (1, 1), (28, 28): (14, 14), (32, 32): (16, 16), (64, 64): (32, 32), (96, 80): (48, 40),
               (33, 47): (16, 23)},
        width=120,
        narrow={0.5: count(48, 60), 0.1: count(9, 12)},
        options={"bn_after_conv1": False, "bn_after_pool1": False, "bn_after_conv2": False, "dense_at_the_end": False},
        variants=(
            ({"bn_after_conv1": True}, (354_218, 354_006)),
            ({"bn_after_pool1": True}, (354_218, 354_006)),
            ({"bn_after_conv2": True}, (354_314, 354_054)),
            ({"dense_at_the_end": True}, (353_944, 353_924)),
            ({"bn_after_conv1": True, "bn_after_pool1": True, "bn_after_conv2": True, "dense_at_the_end": True},
             (355_192, 354_548)),
            ({"include_top": False}, (BACKBONE, BACKBONE)),
            ({"input_shape": (28, 28, 1)}, (count(96, 120, 28, 28, 1), count(96, 120, 28, 28, 1) - 20)),
            ({"classes": 100}, (count(96, 120, classes=100), count(96, 120, classes=100) - 200)),
        ),
    ),
}
assert FACTS["lenet5_bn"].multiply_adds == 38_940_672
