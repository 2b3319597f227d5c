"""How each network is trained on each data set.

`modern`: as is usual today; `paper`: as its authors did; `notes`: as in 2017.
Standard library only. Variants are differences, with their reason beside them.
"""

from dataclasses import replace

from zoo.errors import unknown
from zoo.training import finetuning
from zoo.training.recipe import Recipe

KINDS = ("modern", "paper", "notes", "finetune")

# MODERN
# Goyal et al. 2017 (arXiv:1706.02677) for the warm-up, He et al. 2016 for the rest; 30 epochs rather than 200.
BASE = Recipe()
# No batch normalisation: half of the rate. Small and quick: half of the batch, so that 12 epochs are enough.
LENET = replace(BASE, learning_rate=0.05, batch_size=64, epochs=12)
# The distances are sums over 84 units, and so are their gradients: at 0.02 it gets worse after the first epoch, at
# 0.001 it is slower. The paper has no weight decay.
LENET_1998 = replace(LENET, learning_rate=0.005, weight_decay=0.0, loss="map_distance")
# A tenth of the rate: deep or with wide dense layers, and no batch normalisation.
PLAIN = replace(BASE, learning_rate=0.01)
# The authors' N(0, 0.01) does not follow the width: narrow, the layers give all images the same outputs, and their
# biases of 1 under larger kernels make first losses of 15. VGG's Glorot weights halve the signal's variance behind each
# ReLU, sixteen times over: He's keep it (arXiv:1502.01852, section 2.2).
RELU = replace(PLAIN, initializer="he_normal")
# The auxiliary classifiers are what lets twenty-two layers without batch normalization train. BVLC's first weights
# halve the signal's variance behind each ReLU: narrow, the network stays at chance for hundreds of steps.
GOOGLENET = replace(RELU, sides="aux1=0.3 aux2=0.3")
# First weights as small as the authors' do not move at rates of SGD that are safe later: Adam. No decay, but the norms
# in the authors' cifar10.yaml and mnist.yaml (pylearn2, scripts/papers/maxout).
MAXOUT = replace(BASE, optimizer="adam", learning_rate=1e-3, weight_decay=0.0, max_norm="1.9365 conv1=0.9 fc4=1.9")
MAXOUT_MNIST = replace(MAXOUT, max_norm="1.9365 conv1=0.9")
# N(0, 0.05) lets little through nine layers: Adam, for the same reason.
NIN = replace(BASE, optimizer="adam", learning_rate=1e-3, weight_decay=1e-4, initializer="he_normal")
# The rate and the decay of the authors' CIFAR solver (github.com/flukeskywalker/highway-networks).
HIGHWAY = replace(BASE, learning_rate=0.025, weight_decay=1e-3)
# Szegedy et al. 2015 (arXiv:1512.00567), section 7.
INCEPTION_V3 = replace(BASE, smoothing=0.1)

MODERN = {
    "lenet5": LENET, "lenet5_1998": LENET_1998, "alexnet": RELU, "alexnet_2014": RELU,
    "maxout": MAXOUT, "maxout_mnist": MAXOUT_MNIST,
    "nin": NIN, "vgg16": RELU, "vgg19": RELU, "googlenet": GOOGLENET, "msra_a": PLAIN, "msra_b": PLAIN,
    "highway": HIGHWAY, "highway_mnist": PLAIN, "inception_v3": INCEPTION_V3,
}
# A mirrored digit is no digit, a mirrored horse is a horse.
AUGMENT = {"digits": "rotation=10 shift=0.07", "mnist": "rotation=10 shift=0.07", "cifar10": "flip crop=4",
           "cifar100": "flip crop=4"}
# 4,000 pictures: smaller batches, so that an epoch has enough steps.
DIGITS = {"lenet5": {"batch_size": 32, "epochs": 15}, "lenet5_1998": {"batch_size": 32, "epochs": 15}}

# NOTES: lecture notes of 2016 to 2018, for Keras 1: Adadelta with that release's rate of 1 (Keras 3 has 0.001), shifts
# and rotations, the rate times sqrt(0.5) on a plateau, an early end. They name no batch for it: ours.
NOTES = Recipe(optimizer="adadelta", learning_rate=1.0, rho=0.95, epsilon=1e-8, schedule="plateau", warmup=0.0,
               factor=0.5 ** 0.5, patience=3, floor=1e-6, stop_patience=15, stop_delta=0.0005, weight_decay=0.0,
               epochs=200)

# PAPER. The rates are the authors' for ImageNet, on which most of these were trained; departures that all of them have:
# the pictures are small, so of the authors' crops, scales and colours only what AUGMENT_PAPER says is left, and the
# epochs are those of the paper where it has them, else as many as bring its schedule to an end.
# LeCun et al. 1998, section III-B: 20 passes, the rate falls after 2, 5, 8 and 12 of them. Departures: its rates are
# scaled by second derivatives, unit by unit, where this is the rate of LENET, and the rate falls evenly.
PAPER_LENET = replace(LENET, optimizer="sgd", momentum=0.0, schedule="step", drops="2 5 8 12", factor=0.5, epochs=20,
                      warmup=0.0, weight_decay=0.0, batch_size=16)
PAPER_LENET_1998 = replace(PAPER_LENET, learning_rate=0.002, loss="map_distance")
# Krizhevsky et al. 2012, section 5: about 90 cycles; the rate falls when the validation error does not.
PAPER_ALEXNET = replace(BASE, optimizer="sgd", learning_rate=0.01, schedule="plateau", warmup=0.0, factor=0.1,
                        patience=5, floor=1e-5, epochs=90)
# Simonyan and Zisserman 2014, section 3.1: 74 epochs, batches of 256. 0.01 with the authors' N(0, 0.01) needs their
# trained first layers (they started from configuration A); --option batch_norm=true does here.
PAPER_VGG = replace(PAPER_ALEXNET, batch_size=256, epochs=74)
# Goodfellow et al. 2013, with the authors' cifar10.yaml: a rate of 0.17 that decays, momentum that grows to 0.65.
# Departure: both stay, the rate until a plateau.
PAPER_MAXOUT = replace(MAXOUT, optimizer="sgd", learning_rate=0.17, momentum=0.65, schedule="plateau", warmup=0.0,
                       patience=10, floor=1e-4, epochs=200)
PAPER_MAXOUT_MNIST = replace(PAPER_MAXOUT, max_norm=MAXOUT_MNIST.max_norm, learning_rate=0.05, momentum=0.7)
# Lin et al. 2013, section 4: as Krizhevsky, batches of 128, the rate falls by ten twice. The rate is the solver's.
PAPER_NIN = replace(PAPER_ALEXNET, learning_rate=0.1, weight_decay=1e-4, floor=1e-3, patience=10, epochs=160)
# Szegedy et al. 2014, section 6: momentum 0.9, 4 % less every 8 epochs, Polyak averaging at the end (here a running
# one).
PAPER_GOOGLENET = replace(BASE, optimizer="sgd", learning_rate=0.01, schedule="step", drops="every 8", factor=0.96,
                          warmup=0.0, sides="aux1=0.3 aux2=0.3", ema=0.999, epochs=100)
# He et al. 2015 (arXiv:1502.01852), section 4: 0.01, 0.001 and 0.0001 when the error plateaus; about 80 epochs.
PAPER_MSRA = replace(PAPER_ALEXNET, floor=1e-4, epochs=80)
# Ioffe and Szegedy 2015, section 4.2.1: a rate of 0.045 that falls six times as fast as Inception's; batches of 32.
PAPER_INCEPTION_V2 = replace(PAPER_GOOGLENET, learning_rate=0.045, sides="", drops="every 1.33", weight_decay=1e-4,
                             batch_size=32, epochs=60)
# Szegedy et al. 2015 (arXiv:1512.00567), section 8: RMSProp with decay 0.9 and epsilon 1, 0.045, 6 % less every two
# epochs, gradients clipped at 2, a running average; section 7: smoothing; batches of 32 on each of 50 replicas.
PAPER_INCEPTION_V3 = replace(BASE, optimizer="rmsprop", learning_rate=0.045, momentum=0.0, rho=0.9, epsilon=1.0,
                             schedule="step", drops="every 2", factor=0.94, warmup=0.0, clip_norm=2.0, smoothing=0.1,
                             sides="aux1=0.4", ema=0.999, batch_size=32, epochs=100)
# Szegedy et al. 2016 (arXiv:1602.07261), section 4: the same without clipping, smoothing or side classifiers.
PAPER_INCEPTION_V4 = replace(PAPER_INCEPTION_V3, clip_norm=0.0, smoothing=0.0, sides="")
# Chollet 2016 (arXiv:1610.02357), section 4.3: SGD, 0.045, 6 % less every two epochs, decay 1e-5, Polyak averaging.
PAPER_XCEPTION = replace(PAPER_INCEPTION_V4, optimizer="sgd", momentum=0.9, weight_decay=1e-5)
# He et al. 2016 (arXiv:1603.05027), appendix: CIFAR: a tenth after 32,000 and 48,000 of 64,000 steps of 128 pictures,
# that is of 50,000 pictures after 82 and 123 of 164 epochs; 0.01 for the first 400 steps, here a linear rise.
PAPER_RESNET = replace(BASE, optimizer="sgd", schedule="step", drops="82 123", factor=0.1, weight_decay=1e-4,
                       epochs=164)
# Srivastava et al. 2015: SGD with momentum, the rate decays exponentially. The rates at the start, 0.025 and MNIST's
# 0.01, and CIFAR's weight decay are the authors' solvers'. Ours: 2 % less an epoch, where those drop to a tenth, three
# times and twice; the epochs; and no weight decay for MNIST, where theirs has 0.001.
PAPER_HIGHWAY = replace(HIGHWAY, optimizer="sgd", schedule="step", drops="every 1", factor=0.98, warmup=0.0, epochs=200)
PAPER_HIGHWAY_MNIST = replace(PAPER_HIGHWAY, learning_rate=0.01, weight_decay=0.0, epochs=100)

PAPER = {
    "lenet5": PAPER_LENET, "lenet5_1998": PAPER_LENET_1998, "lenet5_bn": NOTES,  # which are where it comes from
    "alexnet": PAPER_ALEXNET, "alexnet_2014": PAPER_ALEXNET, "maxout": PAPER_MAXOUT,
    "maxout_mnist": PAPER_MAXOUT_MNIST, "nin": PAPER_NIN, "vgg16": PAPER_VGG, "vgg19": PAPER_VGG,
    "googlenet": PAPER_GOOGLENET, "msra_a": PAPER_MSRA, "msra_b": PAPER_MSRA, "inception_v2": PAPER_INCEPTION_V2,
    "highway": PAPER_HIGHWAY, "highway_mnist": PAPER_HIGHWAY_MNIST, "inception_v3": PAPER_INCEPTION_V3,
    "inception_v4": PAPER_INCEPTION_V4, "inception_resnet_v1": PAPER_INCEPTION_V4,
    "inception_resnet_v2": PAPER_INCEPTION_V4, "inception_resnet_v2_paper": PAPER_INCEPTION_V4,
    "xception": PAPER_XCEPTION, "resnet18": PAPER_RESNET, "resnet34": PAPER_RESNET,
}
# Authors who trained on pictures as they are: digits, and CIFAR without mirrors.
PLAIN_PICTURES = ("lenet5", "lenet5_1998", "maxout_mnist", "highway_mnist")
AUGMENT_PAPER = {"cifar10": "flip crop=4", "cifar100": "flip crop=4"}

# Departure of the notes' recipe: the notes mirror digits too.
AUGMENT_NOTES = {"digits": "rotation=25 shift=0.1", "mnist": "rotation=25 shift=0.1",
                 "cifar10": "flip rotation=25 shift=0.1", "cifar100": "flip rotation=25 shift=0.1"}


def find(network, dataset, kind="modern"):
    """Return the Recipe of a network for a data set, both names; UserError for an unknown kind."""
    if kind not in KINDS:
        raise unknown("recipe", kind, KINDS)
    return {"modern": modern, "paper": paper, "notes": notes, "finetune": finetune}[kind](network, dataset)


def modern(network, dataset):
    """As is usual today, in few epochs."""
    recipe = replace(MODERN.get(network, BASE), augment=AUGMENT.get(dataset, ""))
    return replace(recipe, **DIGITS.get(network, {})) if dataset == "digits" else recipe


def finetune(network, dataset):
    """For a new head on a pretrained backbone."""
    return replace(finetuning.RECIPE, augment=AUGMENT.get(dataset, ""))


def custom(dataset):
    """For a user's own model: Adam at 0.001, which trains most models, with batch normalization and without."""
    return replace(BASE, optimizer="adam", learning_rate=1e-3, weight_decay=0.0, augment=AUGMENT.get(dataset, ""))


def paper(network, dataset):
    """As the authors trained, scaled to the data set."""
    recipe = PAPER.get(network, BASE)
    return recipe if network in PLAIN_PICTURES else replace(recipe, augment=AUGMENT_PAPER.get(dataset, ""))


def notes(network, dataset):
    """The lecture notes' one recipe for all; equation 9 stays where the network has no other loss."""
    return replace(NOTES, augment=AUGMENT_NOTES.get(dataset, ""), loss=MODERN.get(network, BASE).loss)
