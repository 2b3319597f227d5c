"""The registry of all models, and the validation of requested model configurations.

Standard library only: the command line lists, suggests and rejects from here before a backend loads.
"""

import dataclasses
import numbers
from dataclasses import dataclass, field

from zoo.errors import UserError, unknown_name_error
from zoo.modality import MODALITIES, get_modality, join_names
from zoo.utils.validation import check_type

MAX_WIDTH_MULTIPLIER = 100  # no machine has the memory for wider models
VOCABULARY_LIMITS = 5, 1_000_000  # token ids: 0 to 3 are no words


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
    """A reduced model that two CPU cores can train in minutes, at 32x32x3 or, for MNIST, at 28x28x1.

    About 10 to 40 million multiply-adds per image, unless the full model has fewer, and at most about 1.2 million
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
KIM_2014 = Paper("Kim", 2014, "Convolutional Neural Networks for Sentence Classification", "arXiv:1408.5882")
HE_2015 = Paper("He, Zhang, Ren, Sun", 2015, "Delving Deep into Rectifiers: Surpassing Human-Level Performance on "
                "ImageNet Classification", "arXiv:1502.01852")
IOFFE_2015 = Paper("Ioffe, Szegedy", 2015, "Batch Normalization: Accelerating Deep Network Training by Reducing "
                   "Internal Covariate Shift", "arXiv:1502.03167")
SRIVASTAVA_2015 = Paper("Srivastava, Greff, Schmidhuber", 2015, "Training Very Deep Networks", "arXiv:1507.06228")
SZEGEDY_2015 = Paper("Szegedy, Vanhoucke, Ioffe, Shlens, Wojna", 2015, "Rethinking the Inception Architecture for "
                     "Computer Vision", "arXiv:1512.00567")
SZEGEDY_2016 = Paper("Szegedy, Ioffe, Vanhoucke, Alemi", 2016, "Inception-v4, Inception-ResNet and the Impact of "
                     "Residual Connections on Learning", "arXiv:1602.07261")
HE_2015_RESNET = Paper("He, Zhang, Ren, Sun", 2015, "Deep Residual Learning for Image Recognition", "arXiv:1512.03385")
HE_2016 = Paper("He, Zhang, Ren, Sun", 2016, "Identity Mappings in Deep Residual Networks", "arXiv:1603.05027")
CHOLLET_2016 = Paper("Chollet", 2016, "Xception: Deep Learning with Depthwise Separable Convolutions",
                     "arXiv:1610.02357")

MODELS = {info.name: info for info in (
    ModelInfo("lenet5", "lenet", LECUN_1998, (28, 28, 1), 10, (61_706, 61_706), feature_layer="S4", min_size=12,
              variant="with ReLU and max pooling", small_preset=Preset("mnist")),
    ModelInfo("lenet5_1998", "lenet_1998", LECUN_1998, (32, 32, 1), 10, (60_840, 60_000), feature_layer="S4",
              min_size=28, max_size=32, max_classes=10, fixed_width=True, small_preset=Preset("mnist")),
    ModelInfo("lenet5_bn", "lenet_bn", IOFFE_2015, (32, 32, 3), 10, (353_834, 353_814), feature_layer="conv2",
              min_size=2, backbone_options={"bn_after_conv1": False, "bn_after_pool1": False},
              head_options={"bn_after_conv2": False, "dense_at_the_end": False},
              variant="from lecture notes", small_preset=Preset("cifar10", 0.5)),
    ModelInfo("alexnet", "alexnet", KRIZHEVSKY_2012, (227, 227, 3), 1000, (60_965_224, 60_965_224),
              feature_layer="pool5", min_size=16, small_stem_below=135, small_stem_parameters=(35_910_026, 35_910_026),
              choices={"groups": (1, 2)}, backbone_options={"groups": 2}, head_options={"dropout": 0.5},
              small_preset=Preset("cifar10", 0.1875)),
    ModelInfo("alexnet_2014", "alexnet_2014", KRIZHEVSKY_2014, (224, 224, 3), 1000, (61_100_840, 61_100_840),
              feature_layer="pool5", min_size=16, paper_stem_min_size=63, small_stem_below=159,
              small_stem_parameters=(28_714_826, 28_714_826), head_options={"dropout": 0.5},
              small_preset=Preset("cifar10", 0.1875)),
    ModelInfo("maxout", "maxout", GOODFELLOW_2013, (32, 32, 3), 10, (16_247_830, 16_247_830), feature_layer="pool3",
              min_size=16, backbone_options={"dropout": True}, head_options={"dropout": True},
              small_preset=Preset("cifar10", 0.125)),
    ModelInfo("maxout_mnist", "maxout", GOODFELLOW_2013, (28, 28, 1), 10, (418_714, 418_714), feature_layer="pool3",
              min_size=16, backbone_options={"dropout": True}, head_options={"dropout": True},
              small_preset=Preset("mnist", 0.5)),
    ModelInfo("nin", "nin", LIN_2013, (32, 32, 3), 10, (966_986, 966_986), feature_layer="mlpconv3_1x1_1", min_size=8,
              backbone_options={"dropout": 0.5}, small_preset=Preset("cifar10", 0.25)),
    ModelInfo("vgg16", "vgg", SIMONYAN_2014, (224, 224, 3), 1000, (138_357_544, 138_357_544), feature_layer="pool5",
              min_size=16, backbone_options={"batch_norm": False}, head_options={"dropout": 0.5},
              small_preset=Preset("cifar10", 0.1875)),
    ModelInfo("vgg19", "vgg", SIMONYAN_2014, (224, 224, 3), 1000, (143_667_240, 143_667_240), feature_layer="pool5",
              min_size=16, backbone_options={"batch_norm": False}, head_options={"dropout": 0.5},
              small_preset=Preset("cifar10", 0.1875)),
    ModelInfo("googlenet", "googlenet", SZEGEDY_2014, (224, 224, 3), 1000, (6_998_552, 6_998_552), feature_layer="5b",
              min_size=16, small_stem_below=127, small_stem_parameters=(5_983_802, 5_983_802),
              aux_loss_weights={"aux1": 0.3, "aux2": 0.3}, head_options={"dropout": 0.4},
              aux_options={"aux_dropout": 0.7}, small_preset=Preset("cifar10", 0.125)),
    ModelInfo("msra_a", "msra", HE_2015, (224, 224, 3), 1000, (178_032_072, 178_032_072), feature_layer="conv4_5_prelu",
              min_size=16, small_stem_below=63, small_stem_parameters=(173_964_522, 173_964_522),
              head_options={"dropout": 0.5}, small_preset=Preset("cifar10", 0.0625)),
    ModelInfo("msra_b", "msra", HE_2015, (224, 224, 3), 1000, (183_343_048, 183_343_048), feature_layer="conv4_6_prelu",
              min_size=16, small_stem_below=63, small_stem_parameters=(179_275_498, 179_275_498),
              head_options={"dropout": 0.5}, small_preset=Preset("cifar10", 0.0625)),
    ModelInfo("inception_v2", "inception_v2", IOFFE_2015, (224, 224, 3), 1000, (11_204_936, 11_185_032),
              feature_layer="5b", min_size=16, small_stem_below=97, small_stem_parameters=(10_190_186, 10_170_282),
              backbone_options={"scale": False}, small_preset=Preset("cifar10", 0.09375)),
    ModelInfo("highway", "highway", SRIVASTAVA_2015, (32, 32, 3), 10, (2_256_838, 2_256_838), feature_layer="conv4",
              min_size=8, backbone_options={"dropout": True}, head_options={"dropout": True},
              # without dropout: such a narrow network underfits with it
              small_preset=Preset("cifar10", 0.25, {"dropout": False})),
    ModelInfo("highway_mnist", "highway", SRIVASTAVA_2015, (28, 28, 1), 10, (151_690, 151_690), feature_layer="pool3",
              min_size=16, backbone_options={"dropout": True}, head_options={"dropout": True},
              small_preset=Preset("mnist", 0.5)),
    ModelInfo("inception_v3", "inception_v3", SZEGEDY_2015, (299, 299, 3), 1000, (23_851_784, 23_817_352),
              feature_layer="mixed10", min_size=16, paper_stem_min_size=75, small_stem_below=171,
              small_stem_parameters=(21_823_274, 21_788_842), aux_loss_weights={"aux1": 0.4},
              backbone_options={"scale": False}, head_options={"dropout": 0.2}, aux_options={"scale": False},
              small_preset=Preset("cifar10", 0.0625)),
    ModelInfo("resnet18_v1", "resnet_v1", HE_2015_RESNET, (224, 224, 3), 1000, (11_699_112, 11_689_512),
              feature_layer="conv5_2_relu", min_size=16, small_stem_below=97,
              small_stem_parameters=(11_183_562, 11_173_962), small_preset=Preset("cifar10", 0.1875)),
    ModelInfo("resnet34_v1", "resnet_v1", HE_2015_RESNET, (224, 224, 3), 1000, (21_814_696, 21_797_672),
              feature_layer="conv5_3_relu", min_size=16, small_stem_below=97,
              small_stem_parameters=(21_299_146, 21_282_122), small_preset=Preset("cifar10", 0.125)),
    ModelInfo("resnet50", "resnet_v1", HE_2015_RESNET, (224, 224, 3), 1000, (25_636_712, 25_583_592),
              feature_layer="conv5_3_relu", min_size=16, small_stem_below=97,
              small_stem_parameters=(23_600_522, 23_547_402), backbone_options={"v1_5": False},
              small_preset=Preset("cifar10", 0.125)),
    ModelInfo("resnet101", "resnet_v1", HE_2015_RESNET, (224, 224, 3), 1000, (44_707_176, 44_601_832),
              feature_layer="conv5_3_relu", min_size=16, small_stem_below=97,
              small_stem_parameters=(42_670_986, 42_565_642), backbone_options={"v1_5": False},
              small_preset=Preset("cifar10", 0.125)),
    ModelInfo("resnet152", "resnet_v1", HE_2015_RESNET, (224, 224, 3), 1000, (60_419_944, 60_268_520),
              feature_layer="conv5_3_relu", min_size=16, small_stem_below=97,
              small_stem_parameters=(58_383_754, 58_232_330), backbone_options={"v1_5": False},
              small_preset=Preset("cifar10", 0.09375)),
    ModelInfo("resnet20", "resnet_v1", HE_2015_RESNET, (32, 32, 3), 10, (271_098, 269_722),
              feature_layer="conv4_3_relu", min_size=8, small_preset=Preset("cifar10")),
    ModelInfo("resnet32", "resnet_v1", HE_2015_RESNET, (32, 32, 3), 10, (466_426, 464_154),
              feature_layer="conv4_5_relu", min_size=8, small_preset=Preset("cifar10", 0.75)),
    ModelInfo("resnet44", "resnet_v1", HE_2015_RESNET, (32, 32, 3), 10, (661_754, 658_586),
              feature_layer="conv4_7_relu", min_size=8, small_preset=Preset("cifar10", 0.625)),
    ModelInfo("resnet56", "resnet_v1", HE_2015_RESNET, (32, 32, 3), 10, (857_082, 853_018),
              feature_layer="conv4_9_relu", min_size=8, small_preset=Preset("cifar10", 0.5)),
    ModelInfo("resnet110", "resnet_v1", HE_2015_RESNET, (32, 32, 3), 10, (1_736_058, 1_727_962),
              feature_layer="conv4_18_relu", min_size=8, small_preset=Preset("cifar10", 0.375)),
    ModelInfo("resnet18", "resnet", HE_2016, (224, 224, 3), 1000, (11_695_528, 11_687_720), feature_layer="conv5_relu",
              min_size=16, small_stem_below=97, small_stem_parameters=(11_179_978, 11_172_170),
              variant="pre-activation", small_preset=Preset("cifar10", 0.1875)),
    ModelInfo("resnet34", "resnet", HE_2016, (224, 224, 3), 1000, (21_811_112, 21_795_880), feature_layer="conv5_relu",
              min_size=16, small_stem_below=97, small_stem_parameters=(21_295_562, 21_280_330),
              variant="pre-activation", small_preset=Preset("cifar10", 0.125)),
    ModelInfo("resnet110_v2", "resnet", HE_2016, (32, 32, 3), 10, (1_736_058, 1_727_962), feature_layer="conv4_relu",
              min_size=8, small_preset=Preset("cifar10", 0.375)),
    ModelInfo("resnet164_v2", "resnet", HE_2016, (32, 32, 3), 10, (1_727_482, 1_703_258), feature_layer="conv4_relu",
              min_size=8, small_preset=Preset("cifar10", 0.375)),
    ModelInfo("resnet50_v2", "resnet_v2", HE_2016, (224, 224, 3), 1000, (25_613_800, 25_568_360),
              feature_layer="conv5_relu", min_size=16, small_stem_below=97,
              small_stem_parameters=(23_577_610, 23_532_170), small_preset=Preset("cifar10", 0.125)),
    ModelInfo("resnet101_v2", "resnet_v2", HE_2016, (224, 224, 3), 1000, (44_675_560, 44_577_896),
              feature_layer="conv5_relu", min_size=16, small_stem_below=97,
              small_stem_parameters=(42_639_370, 42_541_706), small_preset=Preset("cifar10", 0.125)),
    ModelInfo("resnet152_v2", "resnet_v2", HE_2016, (224, 224, 3), 1000, (60_380_648, 60_236_904),
              feature_layer="conv5_relu", min_size=16, small_stem_below=97,
              small_stem_parameters=(58_344_458, 58_200_714), small_preset=Preset("cifar10", 0.09375)),
    ModelInfo("inception_v4", "inception_v4", SZEGEDY_2016, (299, 299, 3), 1000, (42_742_984, 42_679_816),
              feature_layer="C_3", min_size=16, paper_stem_min_size=75, small_stem_below=171,
              small_stem_parameters=(41_221_354, 41_158_186), backbone_options={"scale": True},
              head_options={"dropout": 0.2}, small_preset=Preset("cifar10", 0.0625)),
    ModelInfo("inception_resnet_v1", "inception_resnet", SZEGEDY_2016, (299, 299, 3), 1000, (22_769_848, 22_742_808),
              feature_layer="C_5", min_size=16, paper_stem_min_size=75, small_stem_below=171,
              small_stem_parameters=(20_994_778, 20_967_738), backbone_options={"scale": False},
              head_options={"dropout": 0.2}, small_preset=Preset("cifar10", 0.0625)),
    ModelInfo("inception_resnet_v2", "inception_resnet", SZEGEDY_2016, (299, 299, 3), 1000, (55_873_736, 55_813_192),
              feature_layer="conv7b_relu", min_size=16, paper_stem_min_size=75, small_stem_below=171,
              small_stem_parameters=(54_352_106, 54_291_562), backbone_options={"scale": False},
              head_options={"dropout": 0.2}, small_preset=Preset("cifar10", 0.0625)),
    ModelInfo("inception_resnet_v2_paper", "inception_resnet", SZEGEDY_2016, (299, 299, 3), 1000,
              (32_450_360, 32_417_496), feature_layer="C_5", min_size=16, paper_stem_min_size=75, small_stem_below=171,
              small_stem_parameters=(30_326_810, 30_293_946), backbone_options={"scale": False},
              head_options={"dropout": 0.2}, small_preset=Preset("cifar10", 0.0625)),
    ModelInfo("xception", "xception", CHOLLET_2016, (299, 299, 3), 1000, (22_910_480, 22_855_952),
              feature_layer="block14_sepconv2_act", min_size=16, small_stem_below=103,
              small_stem_parameters=(20_881_970, 20_827_442), head_options={"dropout": 0.5},
              small_preset=Preset("cifar10", 0.125)),
    ModelInfo("text_cnn", "text_cnn", KIM_2014, (100,), 2, (5_989_186, 5_989_186), feature_layer="pool", min_size=6,
              variant="from lecture notes",
              backbone_options={"vocabulary": 20_000, "dropout": True}, head_options={"dropout": True},
              limits={"vocabulary": VOCABULARY_LIMITS}),
    ModelInfo("text_cnn_kim", "text_cnn_kim", KIM_2014, (100,), 2, (6_360_902, 6_360_902),
              feature_layer="windows_concat", min_size=5, backbone_options={"vocabulary": 20_000},
              head_options={"dropout": 0.5}, limits={"vocabulary": VOCABULARY_LIMITS}),
)}


def select_models(modality):
    """Return {name: ModelInfo} of the models for a modality, "image" or "text"."""
    return {name: info for name, info in MODELS.items() if info.modality is MODALITIES[modality]}


@dataclass(frozen=True)
class ModelConfig:
    """A fully resolved model configuration, which models.builder builds and a run records."""

    model_info: ModelInfo
    input_shape: tuple
    classes: int
    width: float
    stem: str  # "paper" or "small", resolved
    options: dict
    aux: bool  # with auxiliary classifiers


def get_model_info(name):
    """Return the ModelInfo of the model `name`; UserError with the closest name if there is none."""
    if not isinstance(name, str) or name not in MODELS:
        raise unknown_name_error("network", name, MODELS)
    return MODELS[name]


def resolve_model_config(name, input_shape=None, classes=None, width=None, stem="auto", options=None, aux=False):
    """Validate the arguments of `zoo.build` and return them as a ModelConfig; UserError if one is invalid.

    None for `input_shape`, `classes` or `width` selects the paper's value.
    """
    model_info = get_model_info(name)
    shape = _check_input_shape(model_info, model_info.input_shape if input_shape is None else input_shape)
    classes = model_info.classes if classes is None else classes
    width = 1.0 if width is None else width
    if not _is_integer(classes) or classes < 2:
        raise UserError(f"classes must be an integer of at least 2; got {classes!r}")
    if model_info.max_classes and classes > model_info.max_classes:
        raise UserError(f"{name} has codes for {model_info.max_classes} classes only; got {classes}; use lenet5, which "
                        "supports any number")
    if isinstance(width, bool) or not isinstance(width, numbers.Real) or not 0 < width <= MAX_WIDTH_MULTIPLIER:
        raise UserError("width must be a positive number of at most "
                        f"{MAX_WIDTH_MULTIPLIER}, such as 0.5; got {width!r}")
    if model_info.fixed_width and width != 1:
        raise UserError(f"{name} supports the paper's widths only; got width {width!r}; use lenet5, which supports any")
    if not isinstance(aux, bool) or (aux and not model_info.aux_loss_weights):
        names = ", ".join(info.name for info in MODELS.values() if info.aux_loss_weights)
        raise UserError("aux must be False or True, and True only for models with auxiliary classifiers "
                        f"({names}); got {aux!r}")
    return ModelConfig(model_info, shape, int(classes), float(width), _resolve_stem(model_info, stem, shape),
                       _resolve_options(model_info, options or {}), aux)


def get_default_shape(model_info):
    """Return the shape that the samples of a folder are brought to for training from scratch.

    Images of 32x32 if the model has a small stem, which two CPU cores can train; otherwise the paper's size.
    """
    return (32, 32, model_info.input_shape[2]) if model_info.small_stem_below else model_info.input_shape


def get_preset(model_info, name):
    """Return the Preset `name` of a model; UserError with the closest name if there is none.

    >>> get_preset(get_model_info("resnet34"), "small").width
    0.125
    """
    presets = {"small": model_info.small_preset} if model_info.small_preset else {}
    if name not in presets:
        raise unknown_name_error("preset", name, presets)
    return presets[name]


def get_model_metadata(model_info):
    """Return the metadata of a model as a dict that can be written as JSON."""
    return {"name": model_info.name, "paper": {**vars(model_info.paper), "url": model_info.paper.url},
            "input_shape": model_info.input_shape, "classes": model_info.classes,
            "variant": model_info.variant or None, "parameters": model_info.parameters[0],
            "trainable_parameters": model_info.parameters[1],
            "min_size": model_info.min_size, "max_size": model_info.max_size or None,
            "max_classes": model_info.max_classes or None, "fixed_width": model_info.fixed_width,
            "stems": ["paper", "small"] if model_info.small_stem_below else ["paper"],
            "small_stem_below": model_info.small_stem_below, "feature_layer": model_info.feature_layer,
            "options": model_info.options, "choices": model_info.choices, "limits": model_info.limits,
            "aux_loss_weights": model_info.aux_loss_weights}


def serialize_model_config(model_config):
    """Return a ModelConfig as the arguments of `resolve_model_config`, in a dict that can be written as JSON."""
    arguments = {field.name: getattr(model_config, field.name) for field in dataclasses.fields(model_config)
                 if field.name != "model_info"}
    return {"name": model_config.model_info.name, **arguments}


def _is_integer(value):
    return isinstance(value, numbers.Integral) and not isinstance(value, bool)  # NumPy integers too


def _check_input_shape(model_info, shape):
    modality, axes = model_info.modality, model_info.modality.axes
    if (not isinstance(shape, (tuple, list)) or len(shape) != len(axes)
            or not all(_is_integer(size) and size > 0 for size in shape)):
        count = "three positive integers" if len(axes) == 3 else "one positive integer in a tuple"
        raise UserError(f"input_shape must be {count}, ({', '.join(axes)}), such as {model_info.input_shape}; got "
                        f"{shape!r}")
    sizes, names = shape[:len(modality.sized_axes)], join_names(modality.sized_axes)
    given = "x".join(map(str, sizes))
    if min(sizes) < model_info.min_size:
        raise UserError(f"{model_info.name} requires {modality.plural} of at least {model_info.min_size} "
                        f"{modality.unit} in {names}; got {given}; {modality.enlarge}")
    if model_info.max_size and max(sizes) > model_info.max_size:
        raise UserError(f"{model_info.name} requires {modality.plural} of {model_info.min_size} to "
                        f"{model_info.max_size} {modality.unit} in {names}; got {given}; {modality.shrink}")
    return tuple(map(int, shape))


def _resolve_stem(model_info, stem, shape):
    if stem not in ("auto", "paper", "small"):
        raise UserError(f"stem must be auto, paper or small; got {stem!r}")
    if stem == "auto":
        return "small" if min(shape[:2]) < model_info.small_stem_below else "paper"
    if stem == "small" and not model_info.small_stem_below:
        raise UserError(f"{model_info.name} has no small stem: its stem already accepts small images; use stem 'auto' "
                        "or 'paper'")
    if stem == "paper" and min(shape[:2]) < model_info.paper_stem_min_size:
        raise UserError(f"{model_info.name} with the paper's stem requires images of at least "
                        f"{model_info.paper_stem_min_size} pixels in height and width; got {shape[0]}x{shape[1]}; "
                        "use stem 'auto' or 'small'")
    return stem


def _resolve_options(model_info, requested):
    for name in requested:
        if name not in model_info.options:
            raise unknown_name_error(f"{model_info.name} option", name, model_info.options)
    options = {**model_info.options, **requested}
    options = {name: check_type(f"{model_info.name}'s {name}", value, model_info.options[name])
               for name, value in options.items()}
    for name, choices in model_info.choices.items():
        if options[name] not in choices:
            raise UserError(f"{model_info.name}'s {name} must be one of {', '.join(map(str, choices))}; "
                            f"got {options[name]!r}")
    for name, (min_value, max_value) in model_info.limits.items():
        if not min_value <= options[name] <= max_value:
            raise UserError(f"{model_info.name}'s {name} must be from {min_value} to {max_value:,}; got "
                            f"{options[name]}")
    for name, value in options.items():
        if isinstance(value, float) and not 0 <= value < 1:  # all float options are dropout rates
            raise UserError(f"{name} must be a fraction of at least 0 and less than 1; got {value}")
    return options
