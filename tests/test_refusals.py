"""What zoo.build refuses: one line that says what was wrong, what was given and what to do."""

import math

import pytest

import zoo
from zoo.errors import UserError

THERE_ARE = ("(there are: alexnet, alexnet_2014, googlenet, highway, highway_mnist, inception_resnet_v1, "
             "inception_resnet_v2, inception_resnet_v2_paper, inception_v2, inception_v3, inception_v4, lenet5, "
             "lenet5_1998, lenet5_bn, maxout, maxout_mnist, msra_a, msra_b, nin, resnet18, resnet34, vgg16, vgg19, "
             "xception)")
AUX = "aux is False or True, and True only for networks with side classifiers, googlenet, inception_v3; given"
SHAPE = "input_shape is three whole numbers, height, width and channels, such as"
CLASSES = "classes is a whole number of 2 or more; given"
WIDTH = "width is a number above 0, such as 0.5, and at most 100; given"

REFUSED = [
    ("resnet43", {}, f"no network is called 'resnet43'; did you mean 'resnet34'? {THERE_ARE}"),
    ("VGG16", {}, f"no network is called 'VGG16'; did you mean 'vgg16'? {THERE_ARE}"),
    ("vgg-16", {}, f"no network is called 'vgg-16'; did you mean 'vgg16'? {THERE_ARE}"),
    ("", {}, f"no network is called ''; {THERE_ARE[1:-1]}"),
    (None, {}, f"no network is called None; {THERE_ARE[1:-1]}"),

    ("lenet5", {"input_shape": (28, 28)}, f"{SHAPE} (28, 28, 1); given (28, 28)"),
    ("vgg16", {"input_shape": 224}, f"{SHAPE} (224, 224, 3); given 224"),
    ("vgg16", {"input_shape": "224x224x3"}, f"{SHAPE} (224, 224, 3); given '224x224x3'"),
    ("vgg16", {"input_shape": (None, None, 3)}, f"{SHAPE} (224, 224, 3); given (None, None, 3)"),
    ("vgg16", {"input_shape": (224, 224, 0)}, f"{SHAPE} (224, 224, 3); given (224, 224, 0)"),
    ("vgg16", {"input_shape": (224, -1, 3)}, f"{SHAPE} (224, 224, 3); given (224, -1, 3)"),
    ("vgg16", {"input_shape": (224.0, 224.0, 3)}, f"{SHAPE} (224, 224, 3); given (224.0, 224.0, 3)"),
    ("vgg16", {"input_shape": (True, True, True)}, f"{SHAPE} (224, 224, 3); given (True, True, True)"),
    ("lenet5", {"input_shape": (28, 11, 1)},
     "lenet5 takes pictures with sides of 12 pixels and more; given 28x11; enlarge the pictures"),
    ("vgg16", {"input_shape": (15, 32, 3)},
     "vgg16 takes pictures with sides of 16 pixels and more; given 15x32; enlarge the pictures"),
    ("resnet34", {"input_shape": (8, 8, 3)},
     "resnet34 takes pictures with sides of 16 pixels and more; given 8x8; enlarge the pictures"),
    ("vgg16", {"input_shape": (3, 224, 224)},
     "vgg16 takes pictures with sides of 16 pixels and more; given 3x224; enlarge the pictures"),

    ("lenet5", {"classes": 1}, f"{CLASSES} 1"),
    ("lenet5", {"classes": 0}, f"{CLASSES} 0"),
    ("lenet5", {"classes": -10}, f"{CLASSES} -10"),
    ("lenet5", {"classes": 10.0}, f"{CLASSES} 10.0"),
    ("lenet5", {"classes": "10"}, f"{CLASSES} '10'"),
    ("lenet5", {"classes": True}, f"{CLASSES} True"),

    ("lenet5", {"width": 0}, f"{WIDTH} 0"),
    ("lenet5", {"width": -0.5}, f"{WIDTH} -0.5"),
    ("lenet5", {"width": math.nan}, f"{WIDTH} nan"),
    ("lenet5", {"width": math.inf}, f"{WIDTH} inf"),
    ("lenet5", {"width": True}, f"{WIDTH} True"),
    ("lenet5", {"width": "0.5"}, f"{WIDTH} '0.5'"),

    ("vgg16", {"stem": "small"}, "vgg16 has no small stem, its own takes small pictures; use stem 'auto' or 'paper'"),
    ("lenet5", {"stem": "small"}, "lenet5 has no small stem, its own takes small pictures; use stem 'auto' or 'paper'"),
    ("inception_v4", {"stem": "paper", "input_shape": (299, 74, 3)},
     "inception_v4 with the paper's stem takes pictures with sides of 75 pixels and more; given 299x74; use stem "
     "'auto' or 'small'"),
    ("resnet34", {"stem": "cifar"}, "stem is auto, paper or small; given 'cifar'"),
    ("resnet34", {"stem": None}, "stem is auto, paper or small; given None"),

    ("vgg16", {"batchnorm": True},
     "no vgg16 option is called 'batchnorm'; did you mean 'batch_norm'? (there are: batch_norm, dropout)"),
    ("resnet34", {"batch_norm": True}, "no resnet34 option is called 'batch_norm'; there are: none"),
    ("vgg16", {"batch_norm": 1}, "vgg16's batch_norm is of type bool; given 1"),
    ("vgg16", {"batch_norm": "true"}, "vgg16's batch_norm is of type bool; given 'true'"),
    ("vgg16", {"dropout": "0.5"}, "vgg16's dropout is of type float; given '0.5'"),
    ("vgg16", {"dropout": True}, "vgg16's dropout is of type float; given True"),
    ("vgg16", {"dropout": None}, "vgg16's dropout is of type float; given None"),
    ("vgg16", {"dropout": 1.0}, "dropout is a share of 0 or more and less than 1; given 1.0"),
    ("vgg16", {"dropout": 1}, "dropout is a share of 0 or more and less than 1; given 1.0"),
    ("vgg16", {"dropout": -0.1}, "dropout is a share of 0 or more and less than 1; given -0.1"),
    ("vgg16", {"dropout": math.nan}, "dropout is a share of 0 or more and less than 1; given nan"),

    ("vgg16", {"aux": True}, f"{AUX} True"),
    ("googlenet", {"aux": 1}, f"{AUX} 1"),
    ("inception_v3", {"aux": "yes"}, f"{AUX} 'yes'"),
    ("googlenet", {"aux": True, "include_top": False},
     "side classifiers belong to the top; use aux=False with include_top=False"),
    ("alexnet", {"groups": 3}, "alexnet's groups is one of 1, 2; given 3"),
    ("alexnet", {"groups": 2.0}, "alexnet's groups is of type int; given 2.0"),
    ("highway", {"dropout": 0.5}, "highway's dropout is of type bool; given 0.5"),
    ("googlenet", {"side_dropout": 1.5}, "side_dropout is a share of 0 or more and less than 1; given 1.5"),
    ("lenet5_1998", {"input_shape": (27, 32, 1)},
     "lenet5_1998 takes pictures with sides of 28 pixels and more; given 27x32; enlarge the pictures"),
    ("lenet5_1998", {"input_shape": (96, 80, 3), "classes": 7, "width": 0.5},
     "lenet5_1998 takes pictures with sides of 28 to 32 pixels; given 96x80; make them smaller, or use lenet5"),
    ("lenet5_1998", {"classes": 11}, "lenet5_1998 has codes for 10 classes; given 11; lenet5 takes any number"),
    ("lenet5_1998", {"width": 0.5}, "lenet5_1998 has the paper's widths only; given width 0.5; lenet5 takes any"),
    ("vgg16", {"weights": "imagenett"},
     "there are no weights 'imagenett': no file, no run, and none of imagenet, cifar10, mnist; did you mean 'imagenet'?"),
    ("vgg16", {"pooling": "sum", "include_top": False}, "pooling is None, 'avg' or 'max'; given 'sum'"),
    ("vgg16", {"pooling": "sum"}, "pooling is None, 'avg' or 'max'; given 'sum'"),
    ("lenet5", {"pooling": ["avg"]}, "pooling is None, 'avg' or 'max'; given ['avg']"),
    ("lenet5", {"classifier_activation": "sofmax"},
     "classifier_activation is None or one of Keras's, such as 'softmax'; given 'sofmax'"),
    ("lenet5", {"classifier_activation": 3},
     "classifier_activation is None or one of Keras's, such as 'softmax'; given 3"),
]


@pytest.mark.parametrize("name, keywords, words", REFUSED, ids=[f"{name}-{each}" for name, each, _ in REFUSED])
def test_build_refuses(name, keywords, words):
    with pytest.raises(UserError) as caught:
        zoo.build(name, **keywords)
    assert str(caught.value) == words
    assert isinstance(caught.value, ValueError)
