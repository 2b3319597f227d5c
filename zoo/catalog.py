"""The catalogue: every network of the zoo on one screen, and the check of what is asked of one.

Standard library only: the command line lists, suggests and refuses from here before a backend loads.
"""

import dataclasses
import numbers
from dataclasses import dataclass, field

from zoo.errors import UserError, unknown
from zoo.values import checked


WIDEST = 100  # times the paper's widths: more fits no machine


@dataclass(frozen=True)
class Paper:
    authors: str
    year: int
    title: str
    link: str  # arXiv number or DOI


@dataclass(frozen=True)
class Spec:
    """A network: facts that need no backend.

    Pinned counts are pairs (all parameters, trainable ones): `parameters` of the network as in its paper,
    `small_parameters` of its small stem at 32x32x3 with 10 classes.
    """

    name: str
    file: str  # zoo/models/FILE.py, which has TABLES[name], body() and head()
    paper: Paper
    input_shape: tuple  # height, width, channels in the paper
    classes: int  # in the paper
    parameters: tuple
    features: str  # the layer where the body ends
    least_side: int  # pixels; a smaller picture is refused
    small_below: int = 0  # stem="auto" is "small" for sides under this (pixels); 0: there is no small stem
    small_parameters: tuple = ()
    body_options: dict = field(default_factory=dict)  # name: default
    head_options: dict = field(default_factory=dict)

    @property
    def options(self):
        return {**self.body_options, **self.head_options}


LECUN_1998 = Paper("LeCun, Bottou, Bengio, Haffner", 1998, "Gradient-Based Learning Applied to Document Recognition",
                   "10.1109/5.726791")
SIMONYAN_2014 = Paper("Simonyan, Zisserman", 2014, "Very Deep Convolutional Networks for Large-Scale Image Recognition",
                      "arXiv:1409.1556")
HE_2016 = Paper("He, Zhang, Ren, Sun", 2016, "Identity Mappings in Deep Residual Networks", "arXiv:1603.05027")

SPECS = {spec.name: spec for spec in (
    Spec("lenet5", "lenet", LECUN_1998, (28, 28, 1), 10, (61_706, 61_706), features="S4", least_side=12),
    Spec("vgg16", "vgg", SIMONYAN_2014, (224, 224, 3), 1000, (138_357_544, 138_357_544), features="pool5",
         least_side=16, body_options={"batch_norm": False}, head_options={"dropout": 0.5}),
    Spec("vgg19", "vgg", SIMONYAN_2014, (224, 224, 3), 1000, (143_667_240, 143_667_240), features="pool5",
         least_side=16, body_options={"batch_norm": False}, head_options={"dropout": 0.5}),
    Spec("resnet34", "resnet", HE_2016, (224, 224, 3), 1000, (21_811_112, 21_795_880), features="conv5_relu",
         least_side=16, small_below=97, small_parameters=(21_295_562, 21_280_330)),
)}


@dataclass(frozen=True)
class Blueprint:
    """A network with everything decided: what models.assembly builds and what a run records."""

    spec: Spec
    input_shape: tuple
    classes: int
    width: float
    stem: str  # "paper" or "small", resolved
    options: dict


def find(name):
    """Return the Spec called `name`; UserError with the nearest name if there is none."""
    if not isinstance(name, str) or name not in SPECS:
        raise unknown("network", name, SPECS)
    return SPECS[name]


def blueprint(name, input_shape=None, classes=None, width=1.0, stem="auto", options=None):
    """Check what is asked of the network `name` and return it as a Blueprint; UserError says what cannot be.

    None for `input_shape` or `classes` is the paper's. The arguments are those of `zoo.build`.
    """
    spec = find(name)
    shape = _shape(spec, spec.input_shape if input_shape is None else input_shape)
    classes = spec.classes if classes is None else classes
    if not _whole(classes) or classes < 2:
        raise UserError(f"classes is a whole number of 2 or more; given {classes!r}")
    if isinstance(width, bool) or not isinstance(width, numbers.Real) or not 0 < width <= WIDEST:
        raise UserError(f"width is a number above 0, such as 0.5, and at most {WIDEST}; given {width!r}")
    return Blueprint(spec, shape, int(classes), float(width), _stem(spec, stem, shape), _options(spec, options or {}))


def as_json(plan):
    """Return a Blueprint as the arguments of `blueprint`, ready for JSON."""
    given = {each.name: getattr(plan, each.name) for each in dataclasses.fields(plan) if each.name != "spec"}
    return {"name": plan.spec.name, **given}


def _whole(value):
    return isinstance(value, numbers.Integral) and not isinstance(value, bool)  # NumPy's whole numbers too


def _shape(spec, shape):
    if not isinstance(shape, (tuple, list)) or len(shape) != 3 or not all(_whole(side) and side > 0 for side in shape):
        raise UserError(f"input_shape is three whole numbers, height, width and channels, such as {spec.input_shape}; "
                        f"given {shape!r}")
    if min(shape[:2]) < spec.least_side:
        raise UserError(f"{spec.name} takes pictures with sides of {spec.least_side} pixels and more; "
                        f"given {shape[0]}x{shape[1]}; enlarge the pictures")
    return tuple(map(int, shape))


def _stem(spec, stem, shape):
    if stem not in ("auto", "paper", "small"):
        raise UserError(f"stem is auto, paper or small; given {stem!r}")
    if stem == "auto":
        return "small" if min(shape[:2]) < spec.small_below else "paper"
    if stem == "small" and not spec.small_below:
        raise UserError(f"{spec.name} has no small stem, its own takes small pictures; use stem 'auto' or 'paper'")
    return stem


def _options(spec, given):
    for name in given:
        if name not in spec.options:
            raise unknown(f"{spec.name} option", name, spec.options)
    options = {**spec.options, **given}
    options = {name: checked(f"{spec.name}'s {name}", value, spec.options[name]) for name, value in options.items()}
    if not 0 <= options.get("dropout", 0) < 1:
        raise UserError(f"dropout is a share of 0 or more and less than 1; given {options['dropout']}")
    return options
