"""Models that take raw pixels, and loading their weights from checkpoints."""

import os

import keras
from keras import layers

import zoo.layers  # registers zoo's layers, which .keras files may contain
from zoo.errors import UserError
from zoo.models import builder
from zoo.training import (checkpoints, custom_model, finetuned_model, keras_file, precision, run_config,
                          run_files)
from zoo.training.npz_file import read_arrays
from zoo.utils.io import expand_user


def build_with_preprocessing(model_config, mean, std, classifier_activation):
    """Build the model of a ModelConfig for raw pixels (n, height, width, channels) uint8, or for token ids (n, length).

    `mean` and `std` are per channel, on the scale 0..1; () for texts, which are not scaled. The model is flat, not
    nested, so that get_layer("conv1") returns the model's own layer.
    """
    modality = model_config.model_info.modality
    samples = keras.Input(model_config.input_shape, dtype=modality.sample_dtype, name=modality.name)
    inputs = samples
    if modality.is_scaled:
        inputs = layers.Rescaling([1 / (255 * s) for s in std], [-m / s for m, s in zip(mean, std, strict=True)],
                                  dtype="float32", name="preprocessing")(samples)
    outputs = builder.build_classifier(model_config, inputs, classifier_activation)
    return keras.Model(samples, outputs, name=model_config.model_info.name)


def check_name_scope():
    """Raise UserError within a name scope of Keras, which would become part of the names in checkpoints."""
    path = keras.Variable(0.0, name="name_scope_check").path
    if "/" in path:
        raise UserError(f"the Keras name scope {path.rpartition('/')[0]!r} is open: call zoo outside of "
                        "keras.name_scope(...); if a call of Keras that failed has left it open, start a new process")


def load_checkpoint_weights(model, path):
    """Load the weights of the checkpoint file at `path` into `model`; UserError when they do not match."""
    variables = {f"weights/{variable.path}": variable for variable in model.weights}
    arrays = checkpoints.match_automatic_names(read_arrays(path), variables)
    for name, variable in variables.items():
        checkpoints.assign_checked(path, model, name, variable, arrays.get(name))


def load_run_or_keras_file(path, checkpoint="best"):
    """Return the model of a run directory or a .keras file; see `zoo.load`."""
    if not isinstance(path, (str, os.PathLike)):
        raise UserError(f"zoo.load takes the path of a run or of a .keras file; got {path!r}")
    path = expand_user(path)
    if checkpoint not in run_config.CHECKPOINTS:
        raise UserError(f"checkpoint must be 'best' or 'last'; got {checkpoint!r}")
    if path.is_dir():
        return load_run_model(path, checkpoint)
    if path.suffix == ".keras" and path.is_file():
        keras_file.check_keras_file(path)
        try:
            return keras.saving.load_model(path)
        except Exception as error:  # Keras raises exceptions of many types
            cause = keras_file.explain_keras_error(error)
            raise UserError(f"{path} cannot be read as a Keras model: {cause}") from error
    raise UserError(f"{path} is neither a run directory nor an existing .keras file")


def load_run_model(path, checkpoint):
    """Return the model of a run with the weights of one of its checkpoints."""
    config = run_files.read_config(path)
    weights = run_config.find_checkpoint(path, checkpoint)
    model = rebuild_run_model(path, config, "softmax")
    load_checkpoint_weights(model, weights)
    return model


def rebuild_run_model(path, config, classifier_activation):
    """Build the model of a run for raw pixels, without loading its weights; `config`: its run.json.

    Auxiliary classifiers are for training alone. UserError for a damaged run.json.
    """
    check_name_scope()
    try:
        model_config, dataset = run_config.get_model_config(config), config["dataset"]
        with precision.precision_scope(run_config.get_precision(config)):
            if isinstance(model_config, run_config.CustomModelConfig):
                return custom_model.build_custom_model(model_config, path / run_config.MODEL_FILE, dataset["mean"],
                                                       dataset["std"], classifier_activation)
            finetune_config = run_config.get_finetune_config(config)
            if finetune_config is not None:
                return finetuned_model.build_finetuning_model(model_config, finetune_config, dataset["shape"],
                                                              dataset["classes"], classifier_activation)[0]
            return build_with_preprocessing(model_config, dataset["mean"], dataset["std"], classifier_activation)
    except (AttributeError, KeyError, TypeError, ValueError, ZeroDivisionError) as error:
        raise UserError(f"{path / 'run.json'} is damaged: {error}") from None
