"""python augment_backend.py IN.npz OUT.npz: what zoo.training.augmentation_layer makes of pictures on the backend in
use.

IN.npz: `images` uint8, and `numbers/TEXT` for each augmentation. OUT.npz: `predict/TEXT` as compiled for the backend,
`eager/TEXT` by a plain call, `bfloat16/TEXT` under that policy, and `fit`, the weights of a small model after a fit.
"""

import sys

import keras
import numpy as np

from zoo.training.augmentation_layer import AugmentationLayer, count_augmentation_parameters
from zoo.training.augmentation import parse_augmentation


class Batches(keras.utils.PyDataset):
    """Four pictures, then what is left, as (inputs, labels)."""

    def __init__(self, images, numbers):
        super().__init__()
        self.images, self.numbers = images, numbers

    def __len__(self):
        return 2

    def __getitem__(self, index):
        part = slice(0, 4) if index == 0 else slice(4, None)
        labels = np.arange(len(self.images)) % 2
        return (self.images[part], self.numbers[part]), labels[part]


def inputs(augmentation, shape):
    images = [keras.Input(shape, dtype="uint8") for _ in range(1 + augmentation.has_mixing)]
    return [images[0], keras.Input((count_augmentation_parameters(augmentation),)), *images[1:]]


def model(augmentation, shape):
    given = inputs(augmentation, shape)
    return keras.Model(given, AugmentationLayer(augmentation)(given))


def fitted(images, numbers, text):
    """Train two steps of softmax regression from zero; return its weights."""
    given = inputs(parse_augmentation(text), images.shape[1:])
    x = keras.layers.Rescaling(1 / 255)(AugmentationLayer(parse_augmentation(text))(given))
    x = keras.layers.Dense(2, kernel_initializer="zeros")(keras.layers.Flatten()(x))
    small = keras.Model(given, x)
    small.compile("sgd", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    small.fit(Batches(images, numbers), epochs=1, shuffle=False, verbose=0)
    return small.get_weights()[0]


def main(given, made):
    with np.load(given) as file:
        arrays = dict(file)
    images, found = arrays.pop("images"), {}
    for key, numbers in arrays.items():
        text = key.removeprefix("numbers/")
        data = [images, numbers] + ([np.roll(images, -1, axis=0)] if parse_augmentation(text).has_mixing else [])
        whole = model(parse_augmentation(text), images.shape[1:])
        found[f"predict/{text}"] = whole.predict(data, batch_size=len(images), verbose=0)
        found[f"eager/{text}"] = keras.ops.convert_to_numpy(whole(data))
        keras.config.set_dtype_policy("mixed_bfloat16")
        found[f"bfloat16/{text}"] = keras.ops.convert_to_numpy(model(parse_augmentation(text), images.shape[1:])(data))
        keras.config.set_dtype_policy("float32")
    found["fit"] = fitted(images, arrays["numbers/flip crop=2"], "flip crop=2")
    np.savez(made, **found)


if __name__ == "__main__":
    main(*sys.argv[1:])
