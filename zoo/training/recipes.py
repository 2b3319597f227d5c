"""How each network is trained on each data set.

`make_modern_recipe`: as is usual today; `make_paper_recipe`: as its authors did; `make_notes_recipe`: as in 2017.
Standard library only. Variants are differences, with their reason beside them.
"""

from dataclasses import replace

from zoo.errors import unknown_name_error
from zoo.training import finetuning
from zoo.training.recipe import Recipe

RECIPE_NAMES = ("modern", "paper", "notes", "finetune")

# MODERN
# Goyal et al. 2017 (arXiv:1706.02677) for the warm-up, He et al. 2016 for the rest; 30 epochs rather than 200.
BASE = Recipe()
# No batch normalisation: half of the rate. Small and quick: half of the batch, so that 12 epochs are enough.
LENET = replace(BASE, learning_rate=0.05, batch_size=64, epochs=12)
# The distances are sums over 84 units, and so are their gradients: at 0.02 it gets worse after the first epoch, at
# 0.001 it is slower. The paper has no weight decay.
LENET_1998 = replace(LENET, learning_rate=0.005, weight_decay=0.0, loss="map_distance")
# A tenth of the rate: deep or with wide dense layers, and no batch normalisation.
NO_BATCH_NORM = replace(BASE, learning_rate=0.01)
# The authors' N(0, 0.01) does not follow the width: narrow, the layers give all images the same outputs, and their
# biases of 1 under larger kernels make first losses of 15. VGG's Glorot weights halve the signal's variance behind each
# ReLU, sixteen times over: He's keep it (arXiv:1502.01852, section 2.2).
NO_BATCH_NORM_HE = replace(NO_BATCH_NORM, initializer="he_normal")
# The auxiliary classifiers are what lets twenty-two layers without batch normalization train. BVLC's first weights
# halve the signal's variance behind each ReLU: narrow, the network stays at chance for hundreds of steps.
GOOGLENET = replace(NO_BATCH_NORM_HE, aux_loss_weights="aux1=0.3 aux2=0.3")
# First weights as small as the authors' do not move at rates of SGD that are safe later: Adam. No decay, but the norms
# in the authors' cifar10.yaml and mnist.yaml (pylearn2, scripts/papers/maxout).
MAXOUT = replace(BASE, optimizer="adam", learning_rate=1e-3, weight_decay=0.0, max_norm="1.9365 conv1=0.9 fc4=1.9")
MAXOUT_MNIST = replace(MAXOUT, max_norm="1.9365 conv1=0.9")
# N(0, 0.05) lets little through nine layers: Adam, for the same reason.
NIN = replace(BASE, optimizer="adam", learning_rate=1e-3, weight_decay=1e-4, initializer="he_normal")
# The rate and the decay of the authors' CIFAR solver (github.com/flukeskywalker/highway-networks).
HIGHWAY = replace(BASE, learning_rate=0.025, weight_decay=1e-3)
# Szegedy et al. 2015 (arXiv:1512.00567), section 7.
INCEPTION_V3 = replace(BASE, label_smoothing=0.1)

MODERN_RECIPES = {"lenet5": LENET, "lenet5_1998": LENET_1998, "alexnet": NO_BATCH_NORM_HE,
                  "alexnet_2014": NO_BATCH_NORM_HE, "maxout": MAXOUT, "maxout_mnist": MAXOUT_MNIST, "nin": NIN,
                  "vgg16": NO_BATCH_NORM_HE, "vgg19": NO_BATCH_NORM_HE, "googlenet": GOOGLENET, "msra_a": NO_BATCH_NORM,
                  "msra_b": NO_BATCH_NORM, "highway": HIGHWAY, "highway_mnist": NO_BATCH_NORM,
                  "inception_v3": INCEPTION_V3,}
# A mirrored digit is no digit, a mirrored horse is a horse.
AUGMENTATION = {"digits": "rotation=10 shift=0.07", "mnist": "rotation=10 shift=0.07", "cifar10": "flip crop=4",
                "cifar100": "flip crop=4"}
# 4,000 pictures: smaller batches, so that an epoch has enough steps.
DIGITS_OVERRIDES = {"lenet5": {"batch_size": 32, "epochs": 15}, "lenet5_1998": {"batch_size": 32, "epochs": 15}}

# NOTES: lecture notes of 2016 to 2018, for Keras 1: Adadelta with that release's rate of 1 (Keras 3 has 0.001), shifts
# and rotations, the rate times sqrt(0.5) on a plateau, an early end. They name no batch for it: ours.
NOTES_RECIPE = Recipe(optimizer="adadelta", learning_rate=1.0, rho=0.95, epsilon=1e-8, lr_schedule="plateau",
                      warmup_epochs=0.0, gamma=0.5 ** 0.5, lr_patience=3, min_lr=1e-6, early_stopping_patience=15,
                      early_stopping_min_delta=0.0005, weight_decay=0.0, epochs=200)

# PAPER. The rates are the authors' for ImageNet, on which most of these were trained; departures that all of them have:
# the pictures are small, so of the authors' crops, scales and colours only what AUGMENT_PAPER says is left, and the
# epochs are those of the paper where it has them, else as many as bring its schedule to an end.
# LeCun et al. 1998, section III-B: 20 passes, the rate falls after 2, 5, 8 and 12 of them. Departures: its rates are
# scaled by second derivatives, unit by unit, where this is the rate of LENET, and the rate falls evenly.
PAPER_LENET = replace(LENET, optimizer="sgd", momentum=0.0, lr_schedule="step", milestones="2 5 8 12", gamma=0.5,
                      epochs=20, warmup_epochs=0.0, weight_decay=0.0, batch_size=16)
PAPER_LENET_1998 = replace(PAPER_LENET, learning_rate=0.002, loss="map_distance")
# Krizhevsky et al. 2012, section 5: about 90 cycles; the rate falls when the validation error does not.
PAPER_ALEXNET = replace(BASE, optimizer="sgd", learning_rate=0.01, lr_schedule="plateau", warmup_epochs=0.0, gamma=0.1,
                        lr_patience=5, min_lr=1e-5, epochs=90)
# Simonyan and Zisserman 2014, section 3.1: 74 epochs, batches of 256. 0.01 with the authors' N(0, 0.01) needs their
# trained first layers (they started from configuration A); --option batch_norm=true does here.
PAPER_VGG = replace(PAPER_ALEXNET, batch_size=256, epochs=74)
# Goodfellow et al. 2013, with the authors' cifar10.yaml: a rate of 0.17 that decays, momentum that grows to 0.65.
# Departure: both stay, the rate until a plateau.
PAPER_MAXOUT = replace(MAXOUT, optimizer="sgd", learning_rate=0.17, momentum=0.65, lr_schedule="plateau",
                       warmup_epochs=0.0, lr_patience=10, min_lr=1e-4, epochs=200)
PAPER_MAXOUT_MNIST = replace(PAPER_MAXOUT, max_norm=MAXOUT_MNIST.max_norm, learning_rate=0.05, momentum=0.7)
# Lin et al. 2013, section 4: as Krizhevsky, batches of 128, the rate falls by ten twice. The rate is the solver's.
PAPER_NIN = replace(PAPER_ALEXNET, learning_rate=0.1, weight_decay=1e-4, min_lr=1e-3, lr_patience=10, epochs=160)
# Szegedy et al. 2014, section 6: momentum 0.9, 4 % less every 8 epochs, Polyak averaging at the end (here a running
# one).
PAPER_GOOGLENET = replace(BASE, optimizer="sgd", learning_rate=0.01, lr_schedule="step", milestones="every 8",
                          gamma=0.96, warmup_epochs=0.0, aux_loss_weights="aux1=0.3 aux2=0.3", ema_momentum=0.999,
                          epochs=100)
# He et al. 2015 (arXiv:1502.01852), section 4: 0.01, 0.001 and 0.0001 when the error plateaus; about 80 epochs.
PAPER_MSRA = replace(PAPER_ALEXNET, min_lr=1e-4, epochs=80)
# Ioffe and Szegedy 2015, section 4.2.1: a rate of 0.045 that falls six times as fast as Inception's; batches of 32.
PAPER_INCEPTION_V2 = replace(PAPER_GOOGLENET, learning_rate=0.045, aux_loss_weights="", milestones="every 1.33",
                             weight_decay=1e-4, batch_size=32, epochs=60)
# Szegedy et al. 2015 (arXiv:1512.00567), section 8: RMSProp with decay 0.9 and epsilon 1, 0.045, 6 % less every two
# epochs, gradients clipped at 2, a running average; section 7: smoothing; batches of 32 on each of 50 replicas.
PAPER_INCEPTION_V3 = replace(BASE, optimizer="rmsprop", learning_rate=0.045, momentum=0.0, rho=0.9, epsilon=1.0,
                             lr_schedule="step", milestones="every 2", gamma=0.94, warmup_epochs=0.0,
                             global_clipnorm=2.0, label_smoothing=0.1, aux_loss_weights="aux1=0.4", ema_momentum=0.999,
                             batch_size=32, epochs=100)
# Szegedy et al. 2016 (arXiv:1602.07261), section 4: the same without clipping, smoothing or side classifiers.
PAPER_INCEPTION_V4 = replace(PAPER_INCEPTION_V3, global_clipnorm=0.0, label_smoothing=0.0, aux_loss_weights="")
# Chollet 2016 (arXiv:1610.02357), section 4.3: SGD, 0.045, 6 % less every two epochs, decay 1e-5, Polyak averaging.
PAPER_XCEPTION = replace(PAPER_INCEPTION_V4, optimizer="sgd", momentum=0.9, weight_decay=1e-5)
# He et al. 2016 (arXiv:1603.05027), appendix: CIFAR: a tenth after 32,000 and 48,000 of 64,000 steps of 128 pictures,
# that is of 50,000 pictures after 82 and 123 of 164 epochs; 0.01 for the first 400 steps, here a linear rise.
PAPER_RESNET = replace(BASE, optimizer="sgd", lr_schedule="step", milestones="82 123", gamma=0.1, weight_decay=1e-4,
                       epochs=164)
# Srivastava et al. 2015: SGD with momentum, the rate decays exponentially. The rates at the start, 0.025 and MNIST's
# 0.01, and CIFAR's weight decay are the authors' solvers'. Ours: 2 % less an epoch, where those drop to a tenth, three
# times and twice; the epochs; and no weight decay for MNIST, where theirs has 0.001.
PAPER_HIGHWAY = replace(HIGHWAY, optimizer="sgd", lr_schedule="step", milestones="every 1", gamma=0.98,
                        warmup_epochs=0.0, epochs=200)
PAPER_HIGHWAY_MNIST = replace(PAPER_HIGHWAY, learning_rate=0.01, weight_decay=0.0, epochs=100)

PAPER_RECIPES = {
    "lenet5": PAPER_LENET, "lenet5_1998": PAPER_LENET_1998, "lenet5_bn": NOTES_RECIPE,  # which are where it comes from
    "alexnet": PAPER_ALEXNET, "alexnet_2014": PAPER_ALEXNET, "maxout": PAPER_MAXOUT,
    "maxout_mnist": PAPER_MAXOUT_MNIST, "nin": PAPER_NIN, "vgg16": PAPER_VGG, "vgg19": PAPER_VGG,
    "googlenet": PAPER_GOOGLENET, "msra_a": PAPER_MSRA, "msra_b": PAPER_MSRA, "inception_v2": PAPER_INCEPTION_V2,
    "highway": PAPER_HIGHWAY, "highway_mnist": PAPER_HIGHWAY_MNIST, "inception_v3": PAPER_INCEPTION_V3,
    "inception_v4": PAPER_INCEPTION_V4, "inception_resnet_v1": PAPER_INCEPTION_V4,
    "inception_resnet_v2": PAPER_INCEPTION_V4, "inception_resnet_v2_paper": PAPER_INCEPTION_V4,
    "xception": PAPER_XCEPTION, "resnet18": PAPER_RESNET, "resnet34": PAPER_RESNET,
}
# Authors who trained on pictures as they are: digits, and CIFAR without mirrors.
NO_AUGMENTATION_MODELS = ("lenet5", "lenet5_1998", "maxout_mnist", "highway_mnist")
PAPER_AUGMENTATION = {"cifar10": "flip crop=4", "cifar100": "flip crop=4"}

# Departure of the notes' recipe: the notes mirror digits too.
NOTES_AUGMENTATION = {"digits": "rotation=25 shift=0.1", "mnist": "rotation=25 shift=0.1",
                      "cifar10": "flip rotation=25 shift=0.1", "cifar100": "flip rotation=25 shift=0.1"}


def get_recipe(model_name, dataset_name, recipe_name="modern"):
    """Return the Recipe of a network for a data set, both names; UserError for an unknown kind."""
    if recipe_name not in RECIPE_NAMES:
        raise unknown_name_error("recipe", recipe_name, RECIPE_NAMES)
    return {"modern": make_modern_recipe, "paper": make_paper_recipe, "notes": make_notes_recipe,
            "finetune": make_finetune_recipe}[recipe_name](model_name, dataset_name)


def make_modern_recipe(model_name, dataset_name):
    """As is usual today, in few epochs."""
    recipe = replace(MODERN_RECIPES.get(model_name, BASE), augmentation=AUGMENTATION.get(dataset_name, ""))
    return replace(recipe, **DIGITS_OVERRIDES.get(model_name, {})) if dataset_name == "digits" else recipe


def make_finetune_recipe(model_name, dataset_name):
    """For a new head on a pretrained backbone."""
    return replace(finetuning.FINETUNE_RECIPE, augmentation=AUGMENTATION.get(dataset_name, ""))


def make_custom_model_recipe(dataset_name):
    """For a user's own model: Adam at 0.001, which trains most models, with batch normalization and without."""
    return replace(BASE, optimizer="adam", learning_rate=1e-3, weight_decay=0.0,
                   augmentation=AUGMENTATION.get(dataset_name, ""))


def make_paper_recipe(model_name, dataset_name):
    """As the authors trained, scaled to the data set."""
    recipe = PAPER_RECIPES.get(model_name, BASE)
    return recipe if model_name in NO_AUGMENTATION_MODELS else replace(recipe, augmentation=PAPER_AUGMENTATION.get(dataset_name, ""))


def make_notes_recipe(model_name, dataset_name):
    """The lecture notes' one recipe for all; equation 9 stays where the network has no other loss."""
    return replace(NOTES_RECIPE, augmentation=NOTES_AUGMENTATION.get(dataset_name, ""),
                   loss=MODERN_RECIPES.get(model_name, BASE).loss)
