"""The modalities of data, images and texts: all that differs between them, chosen here alone. Standard library only.

The number of axes of a sample is its modality: (height, width, channels) is an image, (length,) a text. So whatever has
a shape, a model, a dataset or a run, has a modality, and everything that does not ask for it works for both.
"""

import importlib
from dataclasses import dataclass, field

from zoo.errors import UserError
from zoo.utils.validation import check_positive_integer


@dataclass(frozen=True)
class Modality:
    """What differs between two kinds of data.

    Attributes:
        name: of one sample in messages, and of the input layer of models.
        plural: of several samples in messages.
        axes: names of the axes of a sample.
        sized_axes: those of them whose size is limited by the model, in `unit`.
        unit: the unit of their sizes.
        enlarge, shrink: what the user does to samples of the wrong size, in messages.
        sample_dtype: of the samples of a dataset, which the model of a run takes.
        input_dtype: of the input of the models that `zoo.build` returns.
        shape_example: a shape of samples, in messages.
        input_description: what the model of a run takes, for those who export it.
        dataset: the dataset for a model without a preset, in the self-test.
        model_example: a model for these samples, in messages.
        file_type: the files that are samples, in messages.
        class_examples: names of two classes, in messages.
        classes_like_splits: names of splits that are names of classes as well.
        features: names of the functions that exist for this modality only; see `require`.
        plots: names of the plots of a run.
        functions: {job: "module:function"}, the implementations of the jobs that differ; see `get_function`.
    """

    name: str
    plural: str
    axes: tuple
    sized_axes: tuple
    unit: str
    enlarge: str
    shrink: str
    sample_dtype: str
    input_dtype: str
    shape_example: tuple
    input_description: str
    dataset: str
    model_example: str
    file_type: str
    class_examples: tuple
    classes_like_splits: frozenset = frozenset()
    features: frozenset = frozenset()
    plots: tuple = ()
    functions: dict = field(default_factory=dict)

    @property
    def is_scaled(self):
        """Whether the model of a run scales its input before the network."""
        return self.sample_dtype != self.input_dtype

    @property
    def name_with_article(self):
        """The name of one sample with its article: "an image" or "a text"."""
        return f"{'an' if self.name[0] in 'aeiou' else 'a'} {self.name}"

    def format_count(self, count):
        """Return a number of samples as text, such as 1 image or 1,000 texts."""
        return f"{count:,} {self.name if count == 1 else self.plural}"

    def format_shape(self, shape):
        """Return the shape of a sample as text, such as 32x32x3 for an image and 100 tokens for a text."""
        sizes = "x".join(map(str, shape))
        return f"{sizes} {self.unit}" if self.axes == self.sized_axes else sizes

    def get_function(self, job):
        """Return the function that does a job for this modality; it is imported now."""
        module, _, name = self.functions[job].partition(":")
        return getattr(importlib.import_module(module), name)

    def require(self, feature, subject, advice):
        """Raise UserError unless this modality has a feature, such as "augmentation".

        subject: the model or data for which it was requested. advice: what to type instead.
        """
        if feature not in self.features:
            others = join_names([other.plural for other in MODALITIES.values() if feature in other.features])
            raise UserError(f"{feature} applies to {others} only, and {subject} is for {self.plural}; {advice}")


IMAGE = Modality(
    "image", "images", axes=("height", "width", "channels"), sized_axes=("height", "width"), unit="pixels",
    enlarge="enlarge the images", shrink="make the images smaller, or use lenet5", sample_dtype="uint8",
    input_dtype="float32", shape_example=(32, 32, 3), dataset="cifar10",
    model_example="lenet5", file_type="images", class_examples=("cat", "dog"),
    classes_like_splits=frozenset({"train"}),  # beside bus and car
    input_description="raw pixels, 0 to 255; their scaling is part of the model",
    features=frozenset({"augmentation", "fine-tuning", "extracting features",
                        "image_size=...", "--channels", "labels_from=...", "invalid_images=...", "--plot", "--layers",
                        "--num-maps"}),
    plots=("curves", "samples", "misclassified", "confusion"),
    functions={"load_source": "zoo.data.loading:load_image_source",
               "list_extensions": "zoo.data.image_formats:list_image_extensions",
               "reload_dataset": "zoo.runs.data:reload_image_dataset",
               "make_reader": "zoo.runs.image_reader:make_image_reader",
               "make_report_examples": "zoo.reports.evaluation_section:make_image_examples",
               "make_random_samples": "zoo.training.selftest:make_random_images",
               "inspect": "zoo.runs.image_reader:inspect_image",
               "visualize": "zoo.cli.visualize:show_image_model"})
TEXT = Modality(
    "text", "texts", axes=("length",), sized_axes=("length",), unit="tokens",
    enlarge="give a larger sequence_length=...", shrink="give a smaller sequence_length=...",
    sample_dtype="int32", input_dtype="int32", shape_example=(100,), dataset="imdb",
    model_example="text_cnn", file_type=".txt files", class_examples=("positive", "negative"),
    input_description="token ids, padded and truncated at the front; the words are in words.txt of the run",
    features=frozenset({"sequence_length=..."}), plots=("curves", "confusion"),
    functions={"load_source": "zoo.data.text_loading:load_text_source",
               "list_extensions": "zoo.data.text_files:list_text_extensions",
               "reload_dataset": "zoo.runs.data:reload_text_dataset",
               "make_reader": "zoo.runs.text_reader:make_text_reader",
               "make_report_examples": "zoo.reports.text_examples:make_text_examples",
               "make_random_samples": "zoo.training.selftest:make_random_texts",
               "inspect": "zoo.runs.text_reader:inspect_text",
               "visualize": "zoo.cli.visualize:show_text_run"})
MODALITIES = {modality.name: modality for modality in (IMAGE, TEXT)}


def get_modality(shape):
    """Return the Modality of samples of a shape, without the batch axis; IMAGE for an unknown number of axes."""
    return next((modality for modality in MODALITIES.values() if len(modality.axes) == len(shape)), IMAGE)


def join_names(names):
    """Return names as in a sentence: "height and width"."""
    return " and ".join(names)


def override_size(shape, subject, image_size=None, sequence_length=None):
    """Return a shape with the (height, width) of images or the length of texts that the user requests.

    UserError for an invalid length, and for the one that does not apply to samples of this shape. subject: the model or
    data that they are for.
    """
    length = None if sequence_length is None else (check_positive_integer("sequence_length", sequence_length),)
    for feature, sizes in (("image_size=...", image_size), ("sequence_length=...", length)):
        if sizes is not None:
            get_modality(shape).require(feature, subject, "omit it")
            shape = (*sizes, *shape[len(sizes):])
    return tuple(shape)
