"""Errors of zoo.build: one line that says what was wrong, what was received and what to do."""

import math

import pytest
from helpers import check_message

import zoo
from zoo.errors import UserError

REFUSED = [  # (network, arguments, what the message names: a text of words, or a list)
    ("resnet43", {}, "'resnet43' 'resnet44'"),
    ("VGG16", {}, "'VGG16' 'vgg16'"),
    ("vgg-16", {}, "'vgg-16' 'vgg16'"),
    ("", {}, ["''", *zoo.list_models()]),
    (None, {}, ["None", *zoo.list_models()]),

    ("lenet5", {"input_shape": (28, 28)}, ["input_shape", "(28, 28, 1)", "(28, 28)"]),
    ("vgg16", {"input_shape": 224}, ["input_shape", "(224, 224, 3)", "224"]),
    ("vgg16", {"input_shape": "224x224x3"}, ["input_shape", "(224, 224, 3)", "'224x224x3'"]),
    ("vgg16", {"input_shape": (None, None, 3)}, ["input_shape", "(224, 224, 3)", "(None, None, 3)"]),
    ("vgg16", {"input_shape": (224, 224, 0)}, ["input_shape", "(224, 224, 3)", "(224, 224, 0)"]),
    ("vgg16", {"input_shape": (224, -1, 3)}, ["input_shape", "(224, 224, 3)", "(224, -1, 3)"]),
    ("vgg16", {"input_shape": (224.0, 224.0, 3)}, ["input_shape", "(224, 224, 3)", "(224.0, 224.0, 3)"]),
    ("vgg16", {"input_shape": (True, True, True)}, ["input_shape", "(224, 224, 3)", "(True, True, True)"]),
    ("lenet5", {"input_shape": (28, 11, 1)}, "lenet5 12 28x11"),
    ("vgg16", {"input_shape": (15, 32, 3)}, "vgg16 16 15x32"),
    ("resnet34", {"input_shape": (8, 8, 3)}, "resnet34 16 8x8"),
    ("vgg16", {"input_shape": (3, 224, 224)}, ["input_shape", "(3, 224, 224)", "(224, 224, 3)"]),
    ("lenet5", {"input_shape": (1, 28, 28)}, ["input_shape", "(1, 28, 28)", "(28, 28, 1)"]),

    ("lenet5", {"classes": 1}, "classes 2 1"),
    ("lenet5", {"classes": 0}, "classes 2 0"),
    ("lenet5", {"classes": -10}, "classes 2 -10"),
    ("lenet5", {"classes": 10.0}, "classes 2 10.0"),
    ("lenet5", {"classes": "10"}, "classes 2 '10'"),
    ("lenet5", {"classes": True}, "classes 2 True"),

    ("lenet5", {"width": 0}, "width 100 0"),
    ("lenet5", {"width": -0.5}, "width 100 -0.5"),
    ("lenet5", {"width": math.nan}, "width 100 nan"),
    ("lenet5", {"width": math.inf}, "width 100 inf"),
    ("lenet5", {"width": True}, "width 100 True"),
    ("lenet5", {"width": "0.5"}, "width 100 '0.5'"),

    ("vgg16", {"stem": "small"}, "vgg16 stem small auto paper"),
    ("lenet5", {"stem": "small"}, "lenet5 stem small auto paper"),
    ("inception_v4", {"stem": "paper", "input_shape": (299, 74, 3)}, "inception_v4 stem paper 75 299x74 auto small"),
    ("resnet34", {"stem": "cifar"}, "stem auto paper small 'cifar'"),
    ("resnet34", {"stem": None}, "stem auto paper small None"),

    ("vgg16", {"batchnorm": True}, "batchnorm=True batch_norm=True"),
    ("resnet34", {"batch_norm": True}, "resnet34 'batch_norm'"),
    ("vgg16", {"batch_norm": 1}, "vgg16 batch_norm bool 1"),
    ("vgg16", {"batch_norm": "true"}, "vgg16 batch_norm bool 'true'"),
    ("vgg16", {"dropout": "0.5"}, "vgg16 dropout float '0.5'"),
    ("vgg16", {"dropout": True}, "vgg16 dropout float True"),
    ("vgg16", {"dropout": None}, "vgg16 dropout float None"),
    ("vgg16", {"dropout": 1.0}, "dropout 0 1 1.0"),
    ("vgg16", {"dropout": 1}, "dropout 0 1 1.0"),
    ("vgg16", {"dropout": -0.1}, "dropout 0 1 -0.1"),
    ("vgg16", {"dropout": math.nan}, "dropout 0 1 nan"),

    ("vgg16", {"aux": True}, "aux True False googlenet inception_v3"),
    ("googlenet", {"aux": 1}, "aux True False 1"),
    ("inception_v3", {"aux": "yes"}, "aux True False 'yes'"),
    ("googlenet", {"aux": True, "include_top": False}, "aux=False include_top=False"),
    ("alexnet", {"groups": 3}, "alexnet groups 1 2 3"),
    ("alexnet", {"groups": 2.0}, "alexnet groups int 2.0"),
    ("highway", {"dropout": 0.5}, "highway dropout bool 0.5"),
    ("googlenet", {"aux_dropout": 1.5}, "aux_dropout 0 1 1.5"),
    ("lenet5_1998", {"input_shape": (27, 32, 1)}, "lenet5_1998 28 27x32"),
    ("lenet5_1998", {"input_shape": (96, 80, 3), "classes": 7, "width": 0.5}, "lenet5_1998 28 32 96x80 lenet5"),
    ("lenet5_1998", {"classes": 11}, "lenet5_1998 10 11 lenet5"),
    ("lenet5_1998", {"width": 0.5}, "lenet5_1998 width 0.5 lenet5"),
    ("vgg16", {"weights": "imagenett"}, "weights 'imagenett' imagenet cifar10 mnist"),
    ("vgg16", {"pooling": "sum", "include_top": False}, "pooling None 'avg' 'max' 'sum'"),
    ("vgg16", {"pooling": "sum"}, "pooling None 'avg' 'max' 'sum'"),
    ("resnet34", {"pooling": "avg"}, "pooling='avg' include_top=False"),
    ("vgg16", {"dropout": 0.3, "include_top": False}, "vgg16 dropout include_top=False"),
    ("lenet5_bn", {"dense_at_the_end": False, "include_top": False}, "lenet5_bn dense_at_the_end include_top=False"),
    ("googlenet", {"aux_dropout": 0.3, "include_top": False}, "googlenet aux_dropout include_top=False"),
    ("lenet5", {"pooling": ["avg"]}, "pooling None 'avg' 'max' ['avg']"),
    ("lenet5", {"classifier_activation": "sofmax"}, "classifier_activation None 'softmax' 'sofmax'"),
    ("lenet5", {"classifier_activation": 3}, "classifier_activation None 'softmax' 3"),
]


@pytest.mark.parametrize("name, keywords, parts", REFUSED, ids=[f"{name}-{keywords}" for name, keywords, _ in REFUSED])
def test_build_refuses(name, keywords, parts):
    with pytest.raises(UserError) as error:
        zoo.build(name, **keywords)
    check_message(error.value, *(parts.split() if isinstance(parts, str) else parts))
    assert isinstance(error.value, ValueError)


def test_none_as_a_word():
    """As for zoo.fit and on the command line."""
    assert zoo.build("lenet5", weights="none").count_params() == 61_706
