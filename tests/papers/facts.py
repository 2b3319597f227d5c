"""The form in which the tests know a network: typed in from its paper, never printed from the code."""

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Facts:
    """What a paper says of a network, and what follows from it by arithmetic.

    Counts are pairs: all parameters, trainable ones. Shapes are without the batch.
    """

    input_shape: tuple
    classes: int
    parameters: tuple
    multiply_adds: int  # at the paper's size and number of classes
    stages: dict  # {layer: shape of its output} at the paper's size, in the paper's order
    features: str  # the layer where the body ends
    grids: dict  # {(rows, columns) of the picture: (rows, columns) of the features}, stem "auto"
    width: int  # channels of the features
    narrow: dict  # {width multiplier: all parameters} for pictures of `narrow_shape` and 10 classes
    narrow_shape: tuple = (32, 32, 3)
    stems: dict = field(default_factory=lambda: dict.fromkeys((28, 32, 64, 96, 224), "paper"))  # {side: "auto" is}
    small: tuple = ()  # counts of the small stem, 32x32x3, 10 classes
    options: dict = field(default_factory=dict)  # {name: default}
    sides: dict = field(default_factory=dict)  # {side classifier: weight of its loss}
    variants: tuple = ()  # (keywords of zoo.build, counts)
