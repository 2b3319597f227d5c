"""What is known of a model without a backend: its paper, its sizes, its options. Standard library only."""

from dataclasses import dataclass, field

from zoo.modality import get_modality


@dataclass(frozen=True)
class Paper:
    authors: str
    year: int
    title: str
    identifier: str  # arXiv number or DOI

    @property
    def url(self):
        kind, _, number = self.identifier.rpartition(":")
        return f"https://arxiv.org/abs/{number}" if kind == "arXiv" else f"https://doi.org/{self.identifier}"

    @property
    def short_authors(self):
        """The authors as in a citation: "He et al." or "Simonyan and Zisserman"."""
        first, *others = self.authors.split(", ")
        return f"{first} et al." if len(others) > 1 else " and ".join([first, *others])


@dataclass(frozen=True)
class Preset:
    """A reduced model that suits two CPU cores, at 32x32x3 or, for MNIST, at 28x28x1.

    About 8 to 41 million multiply-adds per image, unless the full model has fewer, and at most about 1.4 million
    parameters.
    """

    dataset: str  # the dataset that it is trained on and that its bundled weights are for: "cifar10" or "mnist"
    width: float = 1.0  # width multiplier
    options: dict = field(default_factory=dict)  # model options that differ from the defaults


@dataclass(frozen=True)
class ModelInfo:
    """The metadata of a model, available without a backend.

    Expected parameter counts are pairs (all, trainable): `parameters` for the model of the paper,
    `small_stem_parameters` for the small stem at 32x32x3 with 10 classes.
    """

    name: str
    module: str  # zoo/models/MODULE.py, which has TABLES[name], backbone() and head()
    paper: Paper
    input_shape: tuple  # height, width, channels in the paper; for texts the length in tokens
    classes: int  # in the paper
    parameters: tuple
    feature_layer: str  # the last layer of the backbone
    min_size: int  # minimum height and width in pixels, or length in tokens
    paper_stem_min_size: int = 0  # the same for stem="paper", if larger than min_size
    small_stem_below: int = 0  # stem="auto" is "small" for heights or widths below this (pixels); 0: no small stem
    small_stem_parameters: tuple = ()
    backbone_options: dict = field(default_factory=dict)  # name: default
    head_options: dict = field(default_factory=dict)
    aux_options: dict = field(default_factory=dict)
    choices: dict = field(default_factory=dict)  # option: its valid values, if the type alone does not define them
    limits: dict = field(default_factory=dict)  # option that is a count: its minimum and maximum
    aux_loss_weights: dict = field(default_factory=dict)  # auxiliary classifier: its loss weight; the main one's is 1
    max_size: int = 0  # maximum height and width in pixels; 0: no limit
    max_classes: int = 0  # 0: no limit
    fixed_width: bool = False  # its tables and codes exist for the paper's widths only
    small_preset: Preset | None = None  # the preset "small"
    variant: str = ""  # what it is where it is not the network of the paper, such as "pre-activation"

    @property
    def options(self):
        return {**self.backbone_options, **self.head_options, **self.aux_options}

    @property
    def modality(self):
        """The Modality of the samples that it classifies."""
        return get_modality(self.input_shape)

    def format_attribution(self, year=False):
        """Return where the network is from: "Szegedy et al.", "after He et al. 2016, pre-activation"."""
        authors = self.paper.short_authors + (f" {self.paper.year}" if year else "")
        return f"after {authors}, {self.variant}" if self.variant else authors
