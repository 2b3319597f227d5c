"""A recipe's optimizer, and what it does to the kernels of a model."""

import difflib

import keras

from zoo.errors import UserError
from zoo.training import schedules
from zoo.training.recipe import parse_named_values


def make_optimizer(recipe, steps_per_epoch):
    """Return the recipe's optimizer; `steps` is the number of steps in an epoch.

    Its name is fixed, because checkpoints name its variables by it and Keras counts: sgd, sgd_1, ...
    """
    kind, own = OPTIMIZER_FACTORIES[recipe.optimizer]
    if recipe.ema_momentum:
        kind = add_ema_warmup(kind)
    return kind(schedules.make_schedule(recipe, steps_per_epoch), name=recipe.optimizer, **own(recipe),
                global_clipnorm=recipe.global_clipnorm or None, use_ema=recipe.ema_momentum > 0,
                ema_momentum=recipe.ema_momentum)


OPTIMIZER_FACTORIES = {
    "sgd": (keras.optimizers.SGD, lambda recipe: {"momentum": recipe.momentum}),
    "nesterov": (keras.optimizers.SGD, lambda recipe: {"momentum": recipe.momentum, "nesterov": True}),
    "rmsprop": (keras.optimizers.RMSprop, lambda recipe: {"momentum": recipe.momentum, "rho": recipe.rho,
                                                          "epsilon": recipe.epsilon}),
    "adam": (keras.optimizers.Adam, lambda recipe: {"epsilon": recipe.epsilon}),
    "adamw": (keras.optimizers.AdamW, lambda recipe: {"epsilon": recipe.epsilon, "weight_decay": recipe.weight_decay}),
    "adadelta": (keras.optimizers.Adadelta, lambda recipe: {"rho": recipe.rho, "epsilon": recipe.epsilon}),
}


def add_ema_warmup(optimizer_class):
    """Return an optimizer class like `kind`, whose average of the weights begins with less memory.

    In step t, from 0, the decay is min(ema_momentum, (1 + t) / (10 + t)), as timm and TensorFlow's
    ExponentialMovingAverage have it: with 0.999 alone, the average is still the first weights after hundreds of steps.
    """

    class WithEmaWarmup(optimizer_class):
        @property
        def ema_momentum(self):
            step = keras.ops.cast(self.iterations, "float32")
            return keras.ops.minimum(self.max_ema_momentum, (1 + step) / (10 + step))

        @ema_momentum.setter
        def ema_momentum(self, momentum):
            self.max_ema_momentum = momentum

        def get_config(self):
            return {**super().get_config(), "ema_momentum": self.max_ema_momentum}

    return WithEmaWarmup


def get_kernels(model):
    """Return [(layer, variable)] of all that is multiplied with a layer's inputs: no biases, no gammas, no slopes."""
    return [(layer, variable) for layer in model.layers for variable in layer.trainable_variables
            if variable.name.endswith("kernel")]  # depthwise_kernel and pointwise_kernel too


class CoupledWeightDecay(keras.regularizers.Regularizer):
    """Add rate * weights to the gradient, and nothing to the loss, which would take time to work out."""

    def __init__(self, weight_decay):
        self.weight_decay = weight_decay

    def __call__(self, weights):
        @keras.ops.custom_gradient
        def nothing(weights):
            def gradient(*given, upstream=None):  # backends call it in two ways
                scale = given[0] if upstream is None else upstream
                return self.weight_decay * scale * weights

            return keras.ops.zeros(()), gradient

        return nothing(keras.ops.convert_to_tensor(weights))

    def get_config(self):
        return {"weight_decay": self.weight_decay}


def add_weight_decay(model, weight_decay):
    """Add weight_decay * kernel to the gradient of each kernel.

    As a regulariser, so that it passes through momentum as the papers' does; Keras's own `weight_decay` does not.
    """
    for _, variable in get_kernels(model):
        if weight_decay:
            variable.regularizer = CoupledWeightDecay(weight_decay)


def restrict_decay_to_kernels(optimizer, model):
    """Keep AdamW's own decay to the kernels of `model`."""
    kept = {id(variable) for _, variable in get_kernels(model)}
    optimizer.exclude_from_weight_decay([variable for variable in model.trainable_variables
                                         if id(variable) not in kept])


def add_max_norm(model, max_norm):
    """Keep each unit's incoming weights no longer than a recipe's `max_norm` says, from the first step on.

    UserError when it names a layer that has no kernel in `model`.
    """
    norms, found = parse_named_values("max_norm", max_norm), get_kernels(model)
    layers = list(dict.fromkeys(layer.name for layer, _ in found))
    for name in norms:
        if name and name not in layers:
            close = difflib.get_close_matches(name, layers, n=1)
            raise UserError(f"max_norm: {model.name} has no layer {name!r} with a kernel; "
                            + (f"did you mean {close[0]!r}?" if close else f"there are: {', '.join(layers)}"))
    for layer, variable in found:
        longest = norms.get(layer.name, norms.get(""))
        if longest is not None:
            # a unit is an index of the last axis; depthwise, of the last two
            axes = len(variable.shape) - (2 if variable.name == "depthwise_kernel" else 1)
            variable.constraint = keras.constraints.MaxNorm(longest, axis=[*range(axes)])
