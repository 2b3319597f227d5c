"""python augment_backend.py IN.npz OUT.npz: the outputs of zoo.training.augmentation_layer on the current backend.

IN.npz: `images` uint8, and `numbers/TEXT` for each augmentation. OUT.npz: `predict/TEXT` from the compiled model,
`eager/TEXT` from a plain call, `bfloat16/TEXT` under that policy,
and `fit`, the weights of a small model after training.
"""

import sys

import keras
import numpy as np

from zoo.training.augmentation_layer import AugmentationLayer, count_augmentation_parameters
from zoo.training.augmentation import parse_augmentation


class Batches(keras.utils.PyDataset):
    """Four images, then the remaining ones, as (inputs, labels)."""

    def __init__(self, images, parameters):
        super().__init__()
        self.images, self.numbers = images, parameters

    def __len__(self):
        return 2

    def __getitem__(self, index):
        part = slice(0, 4) if index == 0 else slice(4, None)
        labels = np.arange(len(self.images)) % 2
        return (self.images[part], self.numbers[part]), labels[part]


def make_inputs(augmentation, shape):
    images = [keras.Input(shape, dtype="uint8") for _ in range(1 + augmentation.has_mixing)]
    return [images[0], keras.Input((count_augmentation_parameters(augmentation),)), *images[1:]]


def make_model(augmentation, shape):
    model_inputs = make_inputs(augmentation, shape)
    return keras.Model(model_inputs, AugmentationLayer(augmentation)(model_inputs))


def fit_weights(images, parameters, text):
    """Train two steps of softmax regression from zero; return its weights."""
    model_inputs = make_inputs(parse_augmentation(text), images.shape[1:])
    x = keras.layers.Rescaling(1 / 255)(AugmentationLayer(parse_augmentation(text))(model_inputs))
    x = keras.layers.Dense(2, kernel_initializer="zeros")(keras.layers.Flatten()(x))
    classifier = keras.Model(model_inputs, x)
    classifier.compile("sgd", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    classifier.fit(Batches(images, parameters), epochs=1, shuffle=False, verbose=0)
    return classifier.get_weights()[0]


def main(input_path, output_path):
    with np.load(input_path) as file:
        arrays = dict(file)
    images, outputs = arrays.pop("images"), {}
    for key, parameters in arrays.items():
        text = key.removeprefix("numbers/")
        data = [images, parameters] + ([np.roll(images, -1, axis=0)] if parse_augmentation(text).has_mixing else [])
        augmentation_model = make_model(parse_augmentation(text), images.shape[1:])
        outputs[f"predict/{text}"] = augmentation_model.predict(data, batch_size=len(images), verbose=0)
        outputs[f"eager/{text}"] = keras.ops.convert_to_numpy(augmentation_model(data))
        keras.config.set_dtype_policy("mixed_bfloat16")
        outputs[f"bfloat16/{text}"] = keras.ops.convert_to_numpy(make_model(parse_augmentation(text),
                                                                            images.shape[1:])(data))
        keras.config.set_dtype_policy("float32")
    outputs["fit"] = fit_weights(images, arrays["numbers/flip crop=2"], "flip crop=2")
    np.savez(output_path, **outputs)


if __name__ == "__main__":
    main(*sys.argv[1:])
