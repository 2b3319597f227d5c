"""The optimizer of a recipe, and weight decay and maximum norms of kernels."""

import difflib

import keras

from zoo.errors import UserError
from zoo.training import schedules
from zoo.training.recipe import parse_named_values


def make_optimizer(recipe, steps_per_epoch):
    """Return the recipe's optimizer; `steps_per_epoch` is the number of steps in an epoch.

    Its name is fixed, because it is part of the variable paths in checkpoints, and Keras would number it: sgd, sgd_1,
    ...
    """
    optimizer_class, make_arguments = OPTIMIZER_FACTORIES[recipe.optimizer]
    if recipe.ema_momentum:
        optimizer_class = add_ema_warmup(optimizer_class)
    return optimizer_class(schedules.make_schedule(recipe, steps_per_epoch), name=recipe.optimizer,
                           **make_arguments(recipe), global_clipnorm=recipe.global_clipnorm or None,
                           use_ema=recipe.ema_momentum > 0, ema_momentum=recipe.ema_momentum)


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
    """Return a subclass of `optimizer_class` with a warm-up of the EMA decay.

    In step t, from 0, the decay is min(ema_momentum, (1 + t) / (10 + t)), as in timm and TensorFlow's
    ExponentialMovingAverage: with a constant 0.999, the average is dominated by the initial weights for hundreds of
    steps.
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
    """Return [(layer, variable)] of all kernels: no biases, no gammas, no slopes of PReLU."""
    return [(layer, variable) for layer in model.layers for variable in layer.trainable_variables
            if variable.name.endswith("kernel")]  # depthwise_kernel and pointwise_kernel too


class CoupledWeightDecay(keras.regularizers.Regularizer):
    """Add weight_decay * weights to the gradient, but nothing to the loss, which would take time to compute."""

    def __init__(self, weight_decay):
        self.weight_decay = weight_decay

    def __call__(self, weights):
        @keras.ops.custom_gradient
        def zero_loss(weights):
            def gradient(*gradients, upstream=None):  # backends call it in two different ways
                scale = gradients[0] if upstream is None else upstream
                return self.weight_decay * scale * weights

            return keras.ops.zeros(()), gradient

        return zero_loss(keras.ops.convert_to_tensor(weights))

    def get_config(self):
        return {"weight_decay": self.weight_decay}


def add_weight_decay(model, weight_decay):
    """Add weight_decay * kernel to the gradient of each kernel.

    It is a regularizer, so that it passes through momentum as in the papers; Keras's own `weight_decay` does not.
    """
    for _, variable in get_kernels(model):
        if weight_decay:
            variable.regularizer = CoupledWeightDecay(weight_decay)


def restrict_decay_to_kernels(optimizer, model):
    """Restrict AdamW's own weight decay to the kernels of `model`."""
    kernel_ids = {id(variable) for _, variable in get_kernels(model)}
    optimizer.exclude_from_weight_decay([variable for variable in model.trainable_variables
                                         if id(variable) not in kernel_ids])


def add_max_norm(model, max_norm):
    """Constrain the norm of each unit's incoming weights by a recipe's `max_norm`, from the first step on.

    UserError when it names a layer that has no kernel in `model`.
    """
    norms, kernels = parse_named_values("max_norm", max_norm), get_kernels(model)
    layer_names = list(dict.fromkeys(layer.name for layer, _ in kernels))
    for name in norms:
        if name and name not in layer_names:
            close_matches = difflib.get_close_matches(name, layer_names, n=1)
            raise UserError(f"max_norm: {model.name} has no layer {name!r} with a kernel; "
                            + (f"did you mean {close_matches[0]!r}?" if close_matches
                               else f"choose from: {', '.join(layer_names)}"))
    for layer, variable in kernels:
        max_value = norms.get(layer.name, norms.get(""))
        if max_value is not None:
            # a unit is an index of the last axis; depthwise, of the last two
            axes = len(variable.shape) - (2 if variable.name == "depthwise_kernel" else 1)
            variable.constraint = keras.constraints.MaxNorm(max_value, axis=[*range(axes)])
