"""The catalogue: every network of the zoo on one screen, and the check of what is asked of one.

Standard library only: the command line lists, suggests and refuses from here before a backend loads.
"""

import dataclasses
import numbers
from dataclasses import dataclass, field

from zoo.errors import UserError, unknown
from zoo.utils.validation import checked

WIDEST = 100  # times the paper's widths: more fits no machine


@dataclass(frozen=True)
class Paper:
    authors: str
    year: int
    title: str
    link: str  # arXiv number or DOI

    @property
    def url(self):
        kind, _, number = self.link.rpartition(":")
        return f"https://arxiv.org/abs/{number}" if kind == "arXiv" else f"https://doi.org/{self.link}"

    @property
    def short(self):
        """The authors in few words."""
        first, *others = self.authors.split(", ")
        return f"{first} et al." if len(others) > 1 else " and ".join([first, *others])


@dataclass(frozen=True)
class Preset:
    """A model made small enough that two CPU cores train it in minutes, at 32x32x3 or, for MNIST, at 28x28x1.

    About 10 to 40 million multiply-adds an image, where the model is not smaller as it is, and at most about 1.2
    million parameters.
    """

    dataset: str  # which it is trained on, and which its bundled weights are for: "cifar10" or "mnist"
    width: float = 1.0  # times the paper's widths
    options: dict = field(default_factory=dict)  # model options that differ from the defaults


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
    paper_side: int = 0  # pixels; stem="paper" takes none smaller, where that is more than least_side
    small_below: int = 0  # stem="auto" is "small" for sides under this (pixels); 0: there is no small stem
    small_parameters: tuple = ()
    body_options: dict = field(default_factory=dict)  # name: default
    head_options: dict = field(default_factory=dict)
    side_options: dict = field(default_factory=dict)
    choices: dict = field(default_factory=dict)  # option: its legal values, where the type does not say them
    sides: dict = field(default_factory=dict)  # side classifier: the weight of its loss; the main one's is 1
    most_side: int = 0  # pixels; 0: no limit
    most_classes: int = 0  # 0: no limit
    only_width: bool = False  # its tables and codes are of the paper's widths
    small: Preset | None = None  # the preset "small"

    @property
    def options(self):
        return {**self.body_options, **self.head_options, **self.side_options}


LECUN_1998 = Paper("LeCun, Bottou, Bengio, Haffner", 1998, "Gradient-Based Learning Applied to Document Recognition",
                   "10.1109/5.726791")
KRIZHEVSKY_2012 = Paper("Krizhevsky, Sutskever, Hinton", 2012, "ImageNet Classification with Deep Convolutional Neural "
                        "Networks", "10.1145/3065386")
KRIZHEVSKY_2014 = Paper("Krizhevsky", 2014, "One weird trick for parallelizing convolutional neural networks",
                        "arXiv:1404.5997")
GOODFELLOW_2013 = Paper("Goodfellow, Warde-Farley, Mirza, Courville, Bengio", 2013, "Maxout Networks",
                        "arXiv:1302.4389")
LIN_2013 = Paper("Lin, Chen, Yan", 2013, "Network In Network", "arXiv:1312.4400")
SIMONYAN_2014 = Paper("Simonyan, Zisserman", 2014, "Very Deep Convolutional Networks for Large-Scale Image Recognition",
                      "arXiv:1409.1556")
SZEGEDY_2014 = Paper("Szegedy, Liu, Jia, Sermanet, Reed, Anguelov, Erhan, Vanhoucke, Rabinovich", 2014,
                     "Going Deeper with Convolutions", "arXiv:1409.4842")
HE_2015 = Paper("He, Zhang, Ren, Sun", 2015, "Delving Deep into Rectifiers: Surpassing Human-Level Performance on "
                "ImageNet Classification", "arXiv:1502.01852")
IOFFE_2015 = Paper("Ioffe, Szegedy", 2015, "Batch Normalization: Accelerating Deep Network Training by Reducing "
                   "Internal Covariate Shift", "arXiv:1502.03167")
SRIVASTAVA_2015 = Paper("Srivastava, Greff, Schmidhuber", 2015, "Training Very Deep Networks", "arXiv:1507.06228")
SZEGEDY_2015 = Paper("Szegedy, Vanhoucke, Ioffe, Shlens, Wojna", 2015, "Rethinking the Inception Architecture for "
                     "Computer Vision", "arXiv:1512.00567")
SZEGEDY_2016 = Paper("Szegedy, Ioffe, Vanhoucke, Alemi", 2016, "Inception-v4, Inception-ResNet and the Impact of "
                     "Residual Connections on Learning", "arXiv:1602.07261")
HE_2016 = Paper("He, Zhang, Ren, Sun", 2016, "Identity Mappings in Deep Residual Networks", "arXiv:1603.05027")
CHOLLET_2016 = Paper("Chollet", 2016, "Xception: Deep Learning with Depthwise Separable Convolutions",
                     "arXiv:1610.02357")

SPECS = {spec.name: spec for spec in (
    Spec("lenet5", "lenet", LECUN_1998, (28, 28, 1), 10, (61_706, 61_706), features="S4", least_side=12,
         small=Preset("mnist")),
    Spec("lenet5_1998", "lenet_1998", LECUN_1998, (32, 32, 1), 10, (60_840, 60_000), features="S4", least_side=28,
         most_side=32, most_classes=10, only_width=True, small=Preset("mnist")),
    Spec("lenet5_bn", "lenet_bn", IOFFE_2015, (32, 32, 3), 10, (353_834, 353_814), features="conv2", least_side=2,
         body_options={"bn_after_conv1": False, "bn_after_pool1": False},
         head_options={"bn_after_conv2": False, "dense_at_the_end": False}, small=Preset("cifar10", 0.5)),
    Spec("alexnet", "alexnet", KRIZHEVSKY_2012, (227, 227, 3), 1000, (60_965_224, 60_965_224), features="pool5",
         least_side=16, small_below=135, small_parameters=(35_910_026, 35_910_026), choices={"groups": (1, 2)},
         body_options={"groups": 2}, head_options={"dropout": 0.5}, small=Preset("cifar10", 0.1875)),
    Spec("alexnet_2014", "alexnet_2014", KRIZHEVSKY_2014, (224, 224, 3), 1000, (61_100_840, 61_100_840),
         features="pool5", least_side=16, paper_side=63, small_below=159, small_parameters=(28_714_826, 28_714_826),
         head_options={"dropout": 0.5}, small=Preset("cifar10", 0.1875)),
    Spec("maxout", "maxout", GOODFELLOW_2013, (32, 32, 3), 10, (16_247_830, 16_247_830), features="pool3",
         least_side=16, body_options={"dropout": True}, head_options={"dropout": True},
         small=Preset("cifar10", 0.125)),
    Spec("maxout_mnist", "maxout", GOODFELLOW_2013, (28, 28, 1), 10, (418_714, 418_714), features="pool3",
         least_side=16, body_options={"dropout": True}, head_options={"dropout": True}, small=Preset("mnist", 0.5)),
    Spec("nin", "nin", LIN_2013, (32, 32, 3), 10, (966_986, 966_986), features="mlpconv3_1x1_1", least_side=8,
         body_options={"dropout": 0.5}, small=Preset("cifar10", 0.25)),
    Spec("vgg16", "vgg", SIMONYAN_2014, (224, 224, 3), 1000, (138_357_544, 138_357_544), features="pool5",
         least_side=16, body_options={"batch_norm": False}, head_options={"dropout": 0.5},
         small=Preset("cifar10", 0.1875)),
    Spec("vgg19", "vgg", SIMONYAN_2014, (224, 224, 3), 1000, (143_667_240, 143_667_240), features="pool5",
         least_side=16, body_options={"batch_norm": False}, head_options={"dropout": 0.5},
         small=Preset("cifar10", 0.1875)),
    Spec("googlenet", "googlenet", SZEGEDY_2014, (224, 224, 3), 1000, (6_998_552, 6_998_552), features="5b",
         least_side=16, small_below=127, small_parameters=(5_983_802, 5_983_802), sides={"aux1": 0.3, "aux2": 0.3},
         head_options={"dropout": 0.4}, side_options={"side_dropout": 0.7}, small=Preset("cifar10", 0.125)),
    Spec("msra_a", "msra", HE_2015, (224, 224, 3), 1000, (178_032_072, 178_032_072), features="conv4_5_prelu",
         least_side=16, small_below=63, small_parameters=(173_964_522, 173_964_522), head_options={"dropout": 0.5},
         small=Preset("cifar10", 0.0625)),
    Spec("msra_b", "msra", HE_2015, (224, 224, 3), 1000, (183_343_048, 183_343_048), features="conv4_6_prelu",
         least_side=16, small_below=63, small_parameters=(179_275_498, 179_275_498), head_options={"dropout": 0.5},
         small=Preset("cifar10", 0.0625)),
    Spec("inception_v2", "inception_v2", IOFFE_2015, (224, 224, 3), 1000, (11_204_936, 11_185_032), features="5b",
         least_side=16, small_below=97, small_parameters=(10_190_186, 10_170_282), body_options={"scale": False},
         small=Preset("cifar10", 0.09375)),
    Spec("highway", "highway", SRIVASTAVA_2015, (32, 32, 3), 10, (2_256_838, 2_256_838), features="conv4",
         least_side=8, body_options={"dropout": True}, head_options={"dropout": True},
         # without dropout, with which so narrow a network underfits
         small=Preset("cifar10", 0.25, {"dropout": False})),
    Spec("highway_mnist", "highway", SRIVASTAVA_2015, (28, 28, 1), 10, (151_690, 151_690), features="pool3",
         least_side=16, body_options={"dropout": True}, head_options={"dropout": True}, small=Preset("mnist", 0.5)),
    Spec("inception_v3", "inception_v3", SZEGEDY_2015, (299, 299, 3), 1000, (23_851_784, 23_817_352),
         features="mixed10", least_side=16, paper_side=75, small_below=171, small_parameters=(21_823_274, 21_788_842),
         sides={"aux1": 0.4}, body_options={"scale": False},
         head_options={"dropout": 0.2}, side_options={"scale": False}, small=Preset("cifar10", 0.0625)),
    Spec("resnet18", "resnet", HE_2016, (224, 224, 3), 1000, (11_695_528, 11_687_720), features="conv5_relu",
         least_side=16, small_below=97, small_parameters=(11_179_978, 11_172_170), small=Preset("cifar10", 0.1875)),
    Spec("resnet34", "resnet", HE_2016, (224, 224, 3), 1000, (21_811_112, 21_795_880), features="conv5_relu",
         least_side=16, small_below=97, small_parameters=(21_295_562, 21_280_330), small=Preset("cifar10", 0.125)),
    Spec("inception_v4", "inception_v4", SZEGEDY_2016, (299, 299, 3), 1000, (42_742_984, 42_679_816),
         features="C_3", least_side=16, paper_side=75, small_below=171, small_parameters=(41_221_354, 41_158_186),
         body_options={"scale": True}, head_options={"dropout": 0.2}, small=Preset("cifar10", 0.0625)),
    Spec("inception_resnet_v1", "inception_resnet", SZEGEDY_2016, (299, 299, 3), 1000, (22_769_848, 22_742_808),
         features="C_5", least_side=16, paper_side=75, small_below=171, small_parameters=(20_994_778, 20_967_738),
         body_options={"scale": False}, head_options={"dropout": 0.2}, small=Preset("cifar10", 0.0625)),
    Spec("inception_resnet_v2", "inception_resnet", SZEGEDY_2016, (299, 299, 3), 1000, (55_873_736, 55_813_192),
         features="conv7b_relu", least_side=16, paper_side=75, small_below=171,
         small_parameters=(54_352_106, 54_291_562), body_options={"scale": False},
         head_options={"dropout": 0.2}, small=Preset("cifar10", 0.0625)),
    Spec("inception_resnet_v2_paper", "inception_resnet", SZEGEDY_2016, (299, 299, 3), 1000, (32_450_360, 32_417_496),
         features="C_5", least_side=16, paper_side=75, small_below=171, small_parameters=(30_326_810, 30_293_946),
         body_options={"scale": False}, head_options={"dropout": 0.2}, small=Preset("cifar10", 0.0625)),
    Spec("xception", "xception", CHOLLET_2016, (299, 299, 3), 1000, (22_910_480, 22_855_952),
         features="block14_sepconv2_act", least_side=16, small_below=103, small_parameters=(20_881_970, 20_827_442),
         head_options={"dropout": 0.5}, small=Preset("cifar10", 0.125)),
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
    aux: bool  # with the side classifiers


def find(name):
    """Return the Spec called `name`; UserError with the nearest name if there is none."""
    if not isinstance(name, str) or name not in SPECS:
        raise unknown("network", name, SPECS)
    return SPECS[name]


def blueprint(name, input_shape=None, classes=None, width=None, stem="auto", options=None, aux=False):
    """Check what is asked of the network `name` and return it as a Blueprint; UserError says what cannot be.

    None for `input_shape`, `classes` or `width` is the paper's. The arguments are those of `zoo.build`.
    """
    spec = find(name)
    shape = _shape(spec, spec.input_shape if input_shape is None else input_shape)
    classes = spec.classes if classes is None else classes
    width = 1.0 if width is None else width
    if not _whole(classes) or classes < 2:
        raise UserError(f"classes is a whole number of 2 or more; given {classes!r}")
    if spec.most_classes and classes > spec.most_classes:
        raise UserError(f"{name} has codes for {spec.most_classes} classes; given {classes}; lenet5 takes "
                        "any number")
    if isinstance(width, bool) or not isinstance(width, numbers.Real) or not 0 < width <= WIDEST:
        raise UserError(f"width is a number above 0, such as 0.5, and at most {WIDEST}; given {width!r}")
    if spec.only_width and width != 1:
        raise UserError(f"{name} has the paper's widths only; given width {width!r}; lenet5 takes any")
    if not isinstance(aux, bool) or (aux and not spec.sides):
        have = ", ".join(each.name for each in SPECS.values() if each.sides)
        raise UserError(f"aux is False or True, and True only for networks with side classifiers, {have}; given "
                        f"{aux!r}")
    return Blueprint(spec, shape, int(classes), float(width), _stem(spec, stem, shape),
                     _options(spec, options or {}), aux)


def default_image_shape(spec):
    """Return (height, width, channels) to which a folder's images are brought for training from scratch.

    32x32 where the model has a small stem, which two CPU cores can train; else the paper's size.
    """
    height, width, channels = spec.input_shape
    return (32, 32, channels) if spec.small_below else (height, width, channels)


def preset(spec, name):
    """Return the Preset of a network called `name`; UserError with the nearest name if there is none.

    >>> preset(find("resnet34"), "small").width
    0.125
    """
    presets = {"small": spec.small} if spec.small else {}
    if name not in presets:
        raise unknown("preset", name, presets)
    return presets[name]


def facts(spec):
    """Return what the catalogue knows of a network, ready for JSON."""
    return {"name": spec.name, "paper": {**vars(spec.paper), "url": spec.paper.url}, "input_shape": spec.input_shape,
            "classes": spec.classes, "parameters": spec.parameters[0], "trainable_parameters": spec.parameters[1],
            "least_side": spec.least_side, "most_side": spec.most_side or None,
            "most_classes": spec.most_classes or None, "only_width": spec.only_width,
            "stems": ["paper", "small"] if spec.small_below else ["paper"], "small_stem_below": spec.small_below,
            "features": spec.features, "options": spec.options, "choices": spec.choices,
            "side_classifiers": spec.sides}


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
    if spec.most_side and max(shape[:2]) > spec.most_side:
        raise UserError(f"{spec.name} takes pictures with sides of {spec.least_side} to {spec.most_side} pixels; "
                        f"given {shape[0]}x{shape[1]}; make them smaller, or use lenet5")
    return tuple(map(int, shape))


def _stem(spec, stem, shape):
    if stem not in ("auto", "paper", "small"):
        raise UserError(f"stem is auto, paper or small; given {stem!r}")
    if stem == "auto":
        return "small" if min(shape[:2]) < spec.small_below else "paper"
    if stem == "small" and not spec.small_below:
        raise UserError(f"{spec.name} has no small stem, its own takes small pictures; use stem 'auto' or 'paper'")
    if stem == "paper" and min(shape[:2]) < spec.paper_side:
        raise UserError(f"{spec.name} with the paper's stem takes pictures with sides of {spec.paper_side} pixels and "
                        f"more; given {shape[0]}x{shape[1]}; use stem 'auto' or 'small'")
    return stem


def _options(spec, given):
    for name in given:
        if name not in spec.options:
            raise unknown(f"{spec.name} option", name, spec.options)
    options = {**spec.options, **given}
    options = {name: checked(f"{spec.name}'s {name}", value, spec.options[name]) for name, value in options.items()}
    for name, legal in spec.choices.items():
        if options[name] not in legal:
            raise UserError(f"{spec.name}'s {name} is one of {', '.join(map(str, legal))}; given {options[name]!r}")
    for name, value in options.items():
        if isinstance(value, float) and not 0 <= value < 1:  # they are shares all
            raise UserError(f"{name} is a share of 0 or more and less than 1; given {value}")
    return options
