"""What a model for images classifies: image files, arrays, Pillow images and labeled images. No backend is loaded."""

import os
import warnings

import numpy as np
from PIL import Image

from zoo.data import image_io, sample_files
from zoo.data.labeled_images import load_labeled_images
from zoo.data.loading import get_source_kind
from zoo.data.model_input import prepare_image_arrays, prepare_pil_images
from zoo.data.sources import check_source_arguments
from zoo.errors import UserError
from zoo.modality import IMAGE
from zoo.training.backend import import_keras
from zoo.utils.io import expand_user

PATH_TYPES = (str, os.PathLike)


class ImageReader:
    """Reads images for a model; `text_reader.TextReader` has the same methods.

    Args:
        shape: (height, width, channels) of the model's input.
        white_levels: how the run scaled images of more than eight bits, or None; see `zoo.data.bit_depth`.
        labels_from: "folder" or "filename", where the classes of a folder come from.
    """

    def __init__(self, shape, white_levels=None, labels_from="folder"):
        self.shape, self.white_levels, self.labels_from = tuple(shape), white_levels, labels_from

    def find_files(self, paths):
        """Return (files, notes) of `paths`, files or folders; UserError where there are none."""
        return sample_files.find_sample_files(paths, IMAGE)

    def prepare_files(self, files):
        """Yield lists of (path, PreparedImage or UserError), sized to fit memory."""
        return image_io.prepare_image_files(files, self.shape, self.white_levels)

    def stack(self, prepared):
        """Return a list of PreparedImages as a batch."""
        return np.stack([image.pixels for image in prepared])

    def prepare_batches(self, images):
        """Return an iterator of batches uint8 (n, *shape) of what `Run.predict` takes."""
        if isinstance(images, (*PATH_TYPES, Image.Image)):
            images = [images]
        if isinstance(images, (list, tuple)) and images and all(isinstance(image, PATH_TYPES) for image in images):
            return prepare_file_batches(self, images)
        if isinstance(images, (list, tuple)) and images and all(isinstance(image, Image.Image) for image in images):
            return iter([prepare_pil_images(images, self.shape, self.white_levels)])
        if isinstance(images, (list, tuple)) and any(isinstance(image, (*PATH_TYPES, Image.Image)) for image in images):
            raise UserError("images must be all paths, all Pillow images or all arrays, not a list of several kinds")
        return iter([prepare_image_arrays(images, self.shape)])

    def load_labeled(self, source, class_names, split_name, data_dir=None, labels_from=None, invalid_images="error"):
        """Return the LabeledImages of a source; see `load_labeled_images`. labels_from: None: as in training."""
        check_source_arguments(get_source_kind(source), {"labels_from": labels_from})
        return load_labeled_images(source, class_names, self.shape, split_name=split_name, data_dir=data_dir,
                                   labels_from=labels_from or self.labels_from, invalid_images=invalid_images,
                                   white_levels=self.white_levels)


def prepare_file_batches(reader, paths):
    """Yield batches of files; UserError for an invalid one. reader: an ImageReader or a TextReader."""
    files, notes = reader.find_files([os.fspath(path) for path in paths])
    for note in notes:
        warnings.warn(note, stacklevel=4)  # of the caller of Run.predict
    for chunk in reader.prepare_files(files):
        for _, prepared in chunk:
            if isinstance(prepared, UserError):
                raise prepared
        yield reader.stack([prepared for _, prepared in chunk])


def make_image_reader(run, config):
    """Return the ImageReader of a run; config: its run.json."""
    dataset, model_config = config["dataset"], config.get("model_config")
    if not isinstance(model_config, dict):
        shape = None
    elif config.get("finetuning"):  # a fine-tuned model upsamples the image itself
        shape = dataset.get("shape")
    else:
        shape = model_config.get("input_shape")
    return ImageReader(check_model_input_shape(run, shape), dataset.get("white_levels"),
                       dataset.get("labels_from", "folder"))


def inspect_image(run, image, checkpoint):
    """Return the Inspection of a `Run` for an image; see `Run.inspect`."""
    pil_image, name = to_pil_image(image)
    import_keras()

    from zoo.plots import inspected_model
    from zoo.runs.inspection import Inspection

    model = inspected_model.load_inspected_run(run.path, run.config, checkpoint)
    return Inspection(model, pil_image, name, run.config["dataset"].get("white_levels"))


def to_pil_image(image):
    """Return (Pillow image, its name) of a path, a Pillow image or an array; UserError for anything else."""
    if isinstance(image, PATH_TYPES):
        path = expand_user(image)
        if not path.is_file():
            raise UserError(f"image file {image} is not found")
        return image_io.load_image(path), path.name
    if isinstance(image, Image.Image):
        return image_io.prepare_pil_image(image, "the image"), "an image"
    array = np.asarray(image)
    if array.ndim == 3 and array.shape[2] == 1:
        array = array[..., 0]
    if array.dtype != np.uint8 or not array.size or array.ndim != 2 and (array.ndim != 3 or array.shape[2] != 3):
        raise UserError("image must be a path, or an array uint8 (height, width, channels) of 1 or 3 channels; got "
                        f"{array.dtype} {np.shape(image)}")
    return Image.fromarray(array), "an array"


def check_model_input_shape(path, shape):
    """Return (height, width, channels) as a tuple; UserError if images cannot be resized to it."""
    if (not isinstance(shape, (list, tuple)) or len(shape) != 3 or shape[2] not in (1, 3)
            or not all(isinstance(length, int) and length > 0 for length in shape)):
        raise UserError(f"{path} does not take grayscale or RGB images of a fixed size, height x width x 1 or 3; it "
                        f"takes {shape}")
    return tuple(shape)
