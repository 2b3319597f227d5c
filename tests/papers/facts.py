"""The expected values of a network: typed in from its paper, never printed from the code."""

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Facts:
    """What a paper says about a network, and what follows from it by arithmetic.

    Counts are pairs: all parameters, trainable ones. Shapes are without the batch.
    """

    input_shape: tuple
    classes: int
    parameters: tuple
    multiply_adds: int  # at the paper's size and number of classes
    stages: dict  # {layer: shape of its output} at the paper's size, in the paper's order
    features: str  # the last layer of the backbone
    grids: dict  # {(height, width) of the image: (height, width) of the features}, stem "auto"
    width: int  # channels of the features
    narrow: dict  # {width multiplier: all parameters} for images of `narrow_shape` and 10 classes
    narrow_shape: tuple = (32, 32, 3)
    # {image size: what "auto" is}
    stems: dict = field(default_factory=lambda: dict.fromkeys((28, 32, 64, 96, 224), "paper"))
    small: tuple = ()  # counts of the small stem, 32x32x3, 10 classes
    options: dict = field(default_factory=dict)  # {name: default}
    aux_loss_weights: dict = field(default_factory=dict)  # {auxiliary classifier: weight of its loss}
    variants: tuple = ()  # (keywords of zoo.build, counts)
