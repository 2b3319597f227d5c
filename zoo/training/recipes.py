"""The recipe of each network for each dataset.

`make_modern_recipe`: today's practice; `make_paper_recipe`: as the authors trained; `make_notes_recipe`: as in 2017.
Standard library only. Each recipe is defined by its differences from another, with the reason beside them.
"""

from dataclasses import replace

from zoo.errors import unknown_name_error
from zoo.training import finetuning
from zoo.training.recipe import Recipe

RECIPE_NAMES = ("modern", "paper", "notes", "finetune")

# MODERN
# Goyal et al. 2017 (arXiv:1706.02677) for the warm-up, He et al. 2016 for the rest; 30 epochs rather than 200.
BASE = Recipe()
# No batch normalization: half the learning rate. Small and fast: half the batch size, so that 12 epochs are enough.
LENET = replace(BASE, learning_rate=0.05, batch_size=64, epochs=12)
# The distances are sums over 84 units, and so are their gradients: at a learning rate of 0.02 the loss rises after the
# first epoch, at 0.001 training is slower. The paper has no weight decay.
LENET_1998 = replace(LENET, learning_rate=0.005, weight_decay=0.0, loss="map_distance")
# A tenth of the learning rate: deep or with wide dense layers, and no batch normalization.
NO_BATCH_NORM = replace(BASE, learning_rate=0.01)
# The authors' N(0, 0.01) does not scale with the width: narrow layers output the same for all images, and the biases of
# 1 with larger kernels give initial losses of 15. VGG's Glorot initialization halves the variance of the signal after
# each ReLU, sixteen times in a row; He initialization preserves it (arXiv:1502.01852, section 2.2).
NO_BATCH_NORM_HE = replace(NO_BATCH_NORM, initializer="he_normal")
# The auxiliary classifiers are what makes twenty-two layers without batch normalization trainable. BVLC's initial
# weights halve the variance of the signal after each ReLU: a narrow network stays at chance for hundreds of steps.
GOOGLENET = replace(NO_BATCH_NORM_HE, aux_loss_weights="aux1=0.3 aux2=0.3")
# Adam, because initial weights as small as the authors' do not move at learning rates of SGD that are stable later. No
# weight decay, but the max norms of the authors' cifar10.yaml and mnist.yaml (pylearn2, scripts/papers/maxout).
MAXOUT = replace(BASE, optimizer="adam", learning_rate=1e-3, weight_decay=0.0, max_norm="1.9365 conv1=0.9 fc4=1.9")
MAXOUT_MNIST = replace(MAXOUT, max_norm="1.9365 conv1=0.9")
# With N(0, 0.05) little of the signal passes nine layers: Adam, for the same reason.
NIN = replace(BASE, optimizer="adam", learning_rate=1e-3, weight_decay=1e-4, initializer="he_normal")
# Learning rate and weight decay of the authors' CIFAR solver (github.com/flukeskywalker/highway-networks).
HIGHWAY = replace(BASE, learning_rate=0.025, weight_decay=1e-3)
# Szegedy et al. 2015 (arXiv:1512.00567), section 7.
INCEPTION_V3 = replace(BASE, label_smoothing=0.1)
# Adam, whose steps do not depend on how often a word occurs; without weight decay, as in both sources. Embeddings are
# most of the parameters, and overfit within a few epochs.
TEXT_CNN = replace(BASE, optimizer="adam", learning_rate=1e-3, weight_decay=0.0, batch_size=64, epochs=10)

MODERN_RECIPES = {"lenet5": LENET, "lenet5_1998": LENET_1998, "alexnet": NO_BATCH_NORM_HE,
                  "alexnet_2014": NO_BATCH_NORM_HE, "maxout": MAXOUT, "maxout_mnist": MAXOUT_MNIST, "nin": NIN,
                  "vgg16": NO_BATCH_NORM_HE, "vgg19": NO_BATCH_NORM_HE, "googlenet": GOOGLENET, "msra_a": NO_BATCH_NORM,
                  "msra_b": NO_BATCH_NORM, "highway": HIGHWAY, "highway_mnist": NO_BATCH_NORM,
                  "inception_v3": INCEPTION_V3, "text_cnn": TEXT_CNN, "text_cnn_kim": TEXT_CNN}
# A flipped digit is not a digit, a flipped horse is a horse.
AUGMENTATION = {"digits": "rotation=10 shift=0.07", "mnist": "rotation=10 shift=0.07", "cifar10": "flip crop=4",
                "cifar100": "flip crop=4"}
# 4,000 images: a smaller batch size, so that an epoch has enough steps.
DIGITS_OVERRIDES = {"lenet5": {"batch_size": 32, "epochs": 15}, "lenet5_1998": {"batch_size": 32, "epochs": 15}}

# NOTES: lecture notes of 2016 to 2018, for Keras 1: Adadelta with that release's learning rate of 1 (0.001 in Keras 3),
# random shifts and rotations, learning rate times sqrt(0.5) on a plateau, early stopping. They specify no batch size:
# it is ours.
NOTES_RECIPE = Recipe(optimizer="adadelta", learning_rate=1.0, rho=0.95, epsilon=1e-8, lr_schedule="plateau",
                      warmup_epochs=0.0, gamma=0.5 ** 0.5, lr_patience=3, min_lr=1e-6, early_stopping_patience=15,
                      early_stopping_min_delta=0.0005, weight_decay=0.0, epochs=200)

# PAPER. The learning rates are the authors' for ImageNet, on which most of these were trained. Differences from the
# papers in all of them: the images are small, so only PAPER_AUGMENTATION is kept of the authors' crops, scales and
# colors, and the epochs are those of the paper where it states them, otherwise as many as its schedule needs.
# LeCun et al. 1998, section III-B: 20 epochs, the learning rate falls after 2, 5, 8 and 12 of them. Differences: theirs
# are scaled by second derivatives for each unit, this is the learning rate of LENET, and it falls by a constant factor.
PAPER_LENET = replace(LENET, optimizer="sgd", momentum=0.0, lr_schedule="step", milestones="2 5 8 12", gamma=0.5,
                      epochs=20, warmup_epochs=0.0, weight_decay=0.0, batch_size=16)
PAPER_LENET_1998 = replace(PAPER_LENET, learning_rate=0.002, loss="map_distance")
# Krizhevsky et al. 2012, section 5: about 90 epochs; the learning rate falls when the validation error does not.
PAPER_ALEXNET = replace(BASE, optimizer="sgd", learning_rate=0.01, lr_schedule="plateau", warmup_epochs=0.0, gamma=0.1,
                        lr_patience=5, min_lr=1e-5, epochs=90)
# Simonyan and Zisserman 2014, section 3.1: 74 epochs, batch size 256. A learning rate of 0.01 with the authors' N(0,
# 0.01) requires their pretrained first layers (from configuration A); here, --model-option batch_norm=true.
PAPER_VGG = replace(PAPER_ALEXNET, batch_size=256, epochs=74)
# Goodfellow et al. 2013, with the authors' cifar10.yaml: a learning rate of 0.17 that decays, momentum that grows to
# 0.65. Difference: both are constant, the learning rate until a plateau.
PAPER_MAXOUT = replace(MAXOUT, optimizer="sgd", learning_rate=0.17, momentum=0.65, lr_schedule="plateau",
                       warmup_epochs=0.0, lr_patience=10, min_lr=1e-4, epochs=200)
PAPER_MAXOUT_MNIST = replace(PAPER_MAXOUT, max_norm=MAXOUT_MNIST.max_norm, learning_rate=0.05, momentum=0.7)
# Lin et al. 2013, section 4: as Krizhevsky, batch size 128, the learning rate is divided by ten twice; it is the
# solver's.
PAPER_NIN = replace(PAPER_ALEXNET, learning_rate=0.1, weight_decay=1e-4, min_lr=1e-3, lr_patience=10, epochs=160)
# Szegedy et al. 2014, section 6: momentum 0.9, learning rate reduced by 4% every 8 epochs, Polyak averaging at
# the end (here an exponential moving average).
PAPER_GOOGLENET = replace(BASE, optimizer="sgd", learning_rate=0.01, lr_schedule="step", milestones="every 8",
                          gamma=0.96, warmup_epochs=0.0, aux_loss_weights="aux1=0.3 aux2=0.3", ema_momentum=0.999,
                          epochs=100)
# He et al. 2015 (arXiv:1502.01852), section 4: 0.01, 0.001 and 0.0001 when the error plateaus; about 80 epochs.
PAPER_MSRA = replace(PAPER_ALEXNET, min_lr=1e-4, epochs=80)
# Ioffe and Szegedy 2015, section 4.2.1: a learning rate of 0.045 that decays six times as fast as Inception's; batch
# size 32.
PAPER_INCEPTION_V2 = replace(PAPER_GOOGLENET, learning_rate=0.045, aux_loss_weights="", milestones="every 1.33",
                             weight_decay=1e-4, batch_size=32, epochs=60)
# Szegedy et al. 2015 (arXiv:1512.00567), section 8: RMSProp with decay 0.9 and epsilon 1, learning rate 0.045,
# reduced by 6% every two epochs, gradients clipped at 2, a running average of the weights, batch size 32 on each of 50
# replicas; section 7: label smoothing.
PAPER_INCEPTION_V3 = replace(BASE, optimizer="rmsprop", learning_rate=0.045, momentum=0.0, rho=0.9, epsilon=1.0,
                             lr_schedule="step", milestones="every 2", gamma=0.94, warmup_epochs=0.0,
                             global_clipnorm=2.0, label_smoothing=0.1, aux_loss_weights="aux1=0.4", ema_momentum=0.999,
                             batch_size=32, epochs=100)
# Szegedy et al. 2016 (arXiv:1602.07261), section 4: the same without clipping, label smoothing or auxiliary
# classifiers.
PAPER_INCEPTION_V4 = replace(PAPER_INCEPTION_V3, global_clipnorm=0.0, label_smoothing=0.0, aux_loss_weights="")
# Chollet 2016 (arXiv:1610.02357), section 4.3: SGD, learning rate 0.045, reduced by 6% every two epochs, weight
# decay 1e-5, Polyak averaging.
PAPER_XCEPTION = replace(PAPER_INCEPTION_V4, optimizer="sgd", momentum=0.9, weight_decay=1e-5)
# He et al. 2016 (arXiv:1603.05027), appendix: CIFAR: learning rate divided by 10 after 32,000 and 48,000 of 64,000
# steps of 128 images, that is after 82 and 123 of 164 epochs of 50,000 images; 0.01 for the first 400 steps, here a
# linear warm-up.
PAPER_RESNET = replace(BASE, optimizer="sgd", lr_schedule="step", milestones="82 123", gamma=0.1, weight_decay=1e-4,
                       epochs=164)
# The same on ImageNet: 0.1 without a warm-up, divided by 10 after 30 and 60 epochs, batch size 256. Ours: 90 epochs.
PAPER_RESNET_V2 = replace(PAPER_RESNET, milestones="30 60", warmup_epochs=0.0, batch_size=256, epochs=90)
# He et al. 2015 (arXiv:1512.03385), section 3.4: 0.1, divided by 10 when the error plateaus, batch size 256, 600,000
# steps, which are 120 epochs of ImageNet.
PAPER_RESNET_V1 = replace(PAPER_ALEXNET, learning_rate=0.1, weight_decay=1e-4, batch_size=256, min_lr=1e-4, epochs=120)
# Section 4.2: CIFAR: learning rate divided by 10 after 32,000 and 48,000 of 64,000 steps of 128 of 45,000 images. With
# 110 layers 0.01 until the training error is below 80%, about 400 steps: here a linear warm-up of as many.
PAPER_RESNET_CIFAR = replace(PAPER_RESNET, milestones="91 136", warmup_epochs=0.0, epochs=182)
PAPER_RESNET110 = replace(PAPER_RESNET_CIFAR, warmup_epochs=1.1)
# Srivastava et al. 2015: SGD with momentum, exponential decay of the learning rate. The initial learning rates, 0.025
# and 0.01 for MNIST, and the weight decay for CIFAR are those of the authors' solvers. Ours: 2% less per epoch, where
# the solvers divide by 10, three times and twice; the number of epochs; and no weight decay for MNIST, where theirs is
# 0.001.
PAPER_HIGHWAY = replace(HIGHWAY, optimizer="sgd", lr_schedule="step", milestones="every 1", gamma=0.98,
                        warmup_epochs=0.0, epochs=200)
PAPER_HIGHWAY_MNIST = replace(PAPER_HIGHWAY, learning_rate=0.01, weight_decay=0.0, epochs=100)
# Kim 2014 (arXiv:1408.5882), section 3.1: Adadelta, batch size 50, a maximum norm of 3 for the last layer, early
# stopping on a validation set. Ours: 25 epochs, of which the best is kept; rho and epsilon are the author's code's.
PAPER_TEXT_CNN_KIM = replace(BASE, optimizer="adadelta", learning_rate=1.0, rho=0.95, epsilon=1e-6,
                             lr_schedule="constant", warmup_epochs=0.0, weight_decay=0.0, max_norm="fc=3",
                             batch_size=50, epochs=25)

PAPER_RECIPES = {
    "lenet5": PAPER_LENET, "lenet5_1998": PAPER_LENET_1998, "lenet5_bn": NOTES_RECIPE,  # the source of this network
    "alexnet": PAPER_ALEXNET, "alexnet_2014": PAPER_ALEXNET, "maxout": PAPER_MAXOUT,
    "maxout_mnist": PAPER_MAXOUT_MNIST, "nin": PAPER_NIN, "vgg16": PAPER_VGG, "vgg19": PAPER_VGG,
    "googlenet": PAPER_GOOGLENET, "msra_a": PAPER_MSRA, "msra_b": PAPER_MSRA, "inception_v2": PAPER_INCEPTION_V2,
    "highway": PAPER_HIGHWAY, "highway_mnist": PAPER_HIGHWAY_MNIST, "inception_v3": PAPER_INCEPTION_V3,
    "inception_v4": PAPER_INCEPTION_V4, "inception_resnet_v1": PAPER_INCEPTION_V4,
    "inception_resnet_v2": PAPER_INCEPTION_V4, "inception_resnet_v2_paper": PAPER_INCEPTION_V4,
    "xception": PAPER_XCEPTION,
    **dict.fromkeys(("resnet18", "resnet34", "resnet110_v2", "resnet164_v2"), PAPER_RESNET),
    **dict.fromkeys(("resnet50_v2", "resnet101_v2", "resnet152_v2"), PAPER_RESNET_V2),
    **dict.fromkeys(("resnet18_v1", "resnet34_v1", "resnet50", "resnet101", "resnet152"), PAPER_RESNET_V1),
    **dict.fromkeys(("resnet20", "resnet32", "resnet44", "resnet56"), PAPER_RESNET_CIFAR), "resnet110": PAPER_RESNET110,
    "text_cnn": NOTES_RECIPE, "text_cnn_kim": PAPER_TEXT_CNN_KIM,
}
# Trained by their authors without augmentation: digits, and CIFAR without flips.
NO_AUGMENTATION_MODELS = ("lenet5", "lenet5_1998", "maxout_mnist", "highway_mnist")
PAPER_AUGMENTATION = {"cifar10": "flip crop=4", "cifar100": "flip crop=4"}

# Difference from the notes: they flip digits too.
NOTES_AUGMENTATION = {"digits": "rotation=25 shift=0.1", "mnist": "rotation=25 shift=0.1",
                      "cifar10": "flip rotation=25 shift=0.1", "cifar100": "flip rotation=25 shift=0.1"}


# What belongs to an optimizer rather than to the model, for a recipe whose optimizer the user replaces by one of
# another family. Keras's defaults, except for Adadelta: the learning rate of its paper (Zeiler 2012), and PyTorch's
# default; with Keras's 0.001 it hardly moves. SGD keeps the momentum of the recipe.
OPTIMIZER_DEFAULTS = {
    "sgd": {"learning_rate": 0.01}, "nesterov": {"learning_rate": 0.01},
    "rmsprop": {"learning_rate": 0.001, "momentum": 0.0, "epsilon": 1e-7},
    "adam": {"learning_rate": 0.001, "epsilon": 1e-7}, "adamw": {"learning_rate": 0.001, "epsilon": 1e-7},
    "adadelta": {"learning_rate": 1.0, "epsilon": 1e-7}}
OPTIMIZER_FAMILIES = ({"sgd", "nesterov"}, {"adam", "adamw"}, {"rmsprop"}, {"adadelta"})


def replace_optimizer(recipe, overrides):
    """Return (recipe with the OPTIMIZER_DEFAULTS of the optimizer in {field: value} overrides, list of notes).

    The recipe is unchanged if its optimizer is of the same family. Fields in `overrides` are left to the caller.
    """
    optimizer = overrides.get("optimizer", recipe.optimizer)
    if optimizer not in OPTIMIZER_DEFAULTS or any({optimizer, recipe.optimizer} <= family
                                                  for family in OPTIMIZER_FAMILIES):
        return recipe, []
    changes = {field: value for field, value in OPTIMIZER_DEFAULTS[optimizer].items()
               if field not in overrides and value != getattr(recipe, field)}
    notes = [f"{field} {value:g} is the default for {optimizer}; the recipe's {getattr(recipe, field):g} is for "
             f"{recipe.optimizer}" for field, value in changes.items()]
    return replace(recipe, **changes), notes


def get_recipe(model_name, dataset_name, recipe_name="modern"):
    """Return the Recipe of a model for a dataset, both by name; UserError for an unknown recipe_name."""
    if recipe_name not in RECIPE_NAMES:
        raise unknown_name_error("recipe", recipe_name, RECIPE_NAMES)
    return {"modern": make_modern_recipe, "paper": make_paper_recipe, "notes": make_notes_recipe,
            "finetune": make_finetune_recipe}[recipe_name](model_name, dataset_name)


def make_modern_recipe(model_name, dataset_name):
    """Return a recipe of today's practice, with few epochs."""
    recipe = replace(MODERN_RECIPES.get(model_name, BASE), augmentation=AUGMENTATION.get(dataset_name, ""))
    return replace(recipe, **DIGITS_OVERRIDES.get(model_name, {})) if dataset_name == "digits" else recipe


def make_finetune_recipe(model_name, dataset_name):
    """Return the recipe for a new head on a pretrained backbone."""
    return replace(finetuning.FINETUNE_RECIPE, augmentation=AUGMENTATION.get(dataset_name, ""))


def make_custom_model_recipe(dataset_name):
    """Return the recipe for a user's own model: Adam at 0.001, which trains most models with and without BatchNorm."""
    return replace(BASE, optimizer="adam", learning_rate=1e-3, weight_decay=0.0,
                   augmentation=AUGMENTATION.get(dataset_name, ""))


def make_paper_recipe(model_name, dataset_name):
    """Return the recipe of the authors, adapted to the dataset."""
    recipe = PAPER_RECIPES.get(model_name, BASE)
    if model_name in NO_AUGMENTATION_MODELS:
        return recipe
    return replace(recipe, augmentation=PAPER_AUGMENTATION.get(dataset_name, ""))


def make_notes_recipe(model_name, dataset_name):
    """Return the one recipe of the lecture notes; lenet5_1998 keeps equation 9, since it has no other loss."""
    return replace(NOTES_RECIPE, augmentation=NOTES_AUGMENTATION.get(dataset_name, ""),
                   loss=MODERN_RECIPES.get(model_name, BASE).loss)
