"""Classic image-classification networks, written from scratch in Keras 3.

    zoo.build("resnet34", input_shape=(32, 32, 3), classes=10)
    zoo.describe("resnet34")["multiply_adds"]
    run = zoo.fit("lenet5", "digits", epochs=5)
    zoo.load("runs/resnet34-cifar10-20261122-011000")
    zoo.list_models()

Importing zoo loads no backend: each function imports what it needs when it is called.
"""

from zoo import env

__version__ = "0.1.0"

env.enable_onednn()  # TensorFlow reads the environment once, when it is imported: here nothing precedes it


def build(name, input_shape=None, classes=None, *, include_top=True, pooling=None, weights=None,
          classifier_activation="softmax", width=None, stem="auto", aux=False, **options):
    """Return the network `name` as a functional keras.Model; no arguments: as in its paper.

    Arguments, those of keras.applications first, with the same meaning:
        name: one of `zoo.list_models()`.
        input_shape: (height, width, channels), pixels; default: the paper's.
        classes: how many; default: the paper's.
        include_top: False leaves out the head; the output is then the features, (n, height, width, channels).
        pooling: without a top, None, "avg" or "max" over the features: (n, channels).
        weights: None, random ones; "imagenet", what Keras's authors publish for vgg16, vgg19, inception_v3,
            inception_resnet_v2 and xception; "cifar10" or "mnist", the bundled weights of the network's small preset
            (`python -m zoo list` says which network has which); or the path of a run or of a file (docs/weights.md),
            all of which must fit. Pixels must be scaled as the weights expect. With bundled weights, whichever of
            input_shape, classes, width and options is not given is that of the preset: 32x32x3 or, for MNIST, 28x28x1,
            10 classes. Another width, other options, channels, or auxiliary classifiers are refused; another image
            size or number of classes needs include_top=False.
        classifier_activation: "softmax" gives probabilities (n, classes) float32; None gives logits.
        width: every hidden width w becomes max(1, int(w * width)); the classes stay. Default: 1, or as bundled
            weights have it.
        stem: "paper", "small" (for pictures of about 32x32), or "auto": small where the paper's stem would leave
            the last grid under 4 pixels; weights of others are always of the paper's, bundled ones of the stem that
            they were trained with.
        aux: True gives a dict of outputs, main, aux1, ..., where a network has side classifiers.
        **options: the network's own, see `python -m zoo list --json`.

    The model takes pixels that are already scaled, as keras.applications' models do.
    Raises zoo.errors.UserError, a ValueError, in one line, for what cannot be built.
    """
    from zoo import registry
    from zoo.errors import UserError

    blueprint = registry.blueprint(name, input_shape, classes, width, stem, options, aux)
    if aux and not include_top:
        raise UserError("side classifiers belong to the top; use aux=False with include_top=False")
    if weights is not None:
        from zoo.weights import sources

        source = sources.find(weights, name)
        blueprint = source.resolve_blueprint(input_shape, classes, width, stem, options, aux)
        source.check(blueprint, include_top)
        source = source.here(include_top)

    from zoo.training.backend import import_keras

    import_keras()

    from zoo.models.builder import build as assembled

    model = assembled(blueprint, include_top=include_top, pooling=pooling, classifier_activation=classifier_activation)
    if weights is not None:
        source.fill(model, blueprint, include_top)
    return model


def describe(name, input_shape=None, classes=None, *, width=1.0, stem="auto", aux=False, batch=128, memory=8,
             **options):
    """Return what there is to say of the network `name` as a dict, ready for JSON; the arguments are those of `build`,
    and for estimates of memory a batch, pictures, and a limit, GiB.

    parameters, trainable_parameters, multiply_adds: whole numbers, of the network that is asked for. A multiply-add is
        one multiplication with its addition, for one picture; biases, activations, normalisation and pools count none.
    stages: a list of dicts in the order of the flow: name, shape of the output without the number of pictures, the
        same three numbers, and the layers with theirs. receptive_field: how many pixels of the picture an output sees,
        [rows, columns], or "all"; output_stride: how many lie between neighbouring outputs, or None without a grid.
    memory: bytes, estimates: picture, what the activations of one picture take, of which kept is what the forward pass
        keeps for the backward one; training, by optimizer, and inference, with `batch` pictures, each with the largest
        batch for `memory` GiB, 0 if there is none. zoo/analysis/memory.py says what is assumed.
    uncounted: names of layers whose multiply-adds are not known, and not in the sums.
    input_shape, classes, width, stem, aux, options: as they were decided.
    paper, summary, departures, elsewhere: texts; the last two say where ours differs from the paper's, and where other
        people's differ from ours. Paragraphs are lines, with an empty one between two.
    The rest is what `python -m zoo list --json` has, such as side_classifiers with the weights of their losses.

    Loads the backend, but needs no memory for the network's weights.
    Raises zoo.errors.UserError, a ValueError, in one line, for what cannot be built.
    """
    from zoo import registry
    from zoo.utils.validation import workload

    blueprint = registry.blueprint(name, input_shape, classes, width, stem, options, aux)
    batch, memory = workload(batch, memory)

    from zoo.training.backend import import_keras

    import_keras()

    from zoo.analysis.description import describe as described

    return described(blueprint, batch, memory)


def diagram(source, to_file=None, detail="blocks", *, theme="light", direction=None, style="boxes", input_shape=None,
            classes=None, width=1.0, stem="auto", aux=False, **options):
    """Return the architecture diagram of a network, which a notebook shows; write it to `to_file` if that is given.

    source: a name of `zoo.list_models()`, built with the arguments after `style`, those of `build`; or any functional
        keras.Model, which takes none of them. Modules are found by the names of the layers; where these tell nothing,
        what lies between two layers that all must pass is a module.
    to_file: its ending says the format, .svg, .png or .pdf among others.
    detail: "stages", one row that fits a slide; "blocks", a box for each module, with what is in it beside; "layers".
    theme: "light" or "dark".
    direction: of the flow, "down" or "right"; default: right for stages, else down.
    style: "boxes", or "volumes", a block for each grid of features, for chains such as lenet5, alexnet and vgg16.

    Raises zoo.errors.UserError, a ValueError, in one line, for what cannot be drawn or written.
    """
    from zoo.diagrams import diagram as drawn

    drawn.check(detail=detail, theme=theme, direction=direction, style=style)
    if to_file is not None:
        drawn.file_for(to_file, style, direction)
    if not isinstance(source, str):
        subject = drawn.of_model(source)
    else:
        from zoo import registry

        blueprint = registry.blueprint(source, input_shape, classes, width, stem, options, aux)

        from zoo.training.backend import import_keras

        import_keras()
        subject = drawn.of_blueprint(blueprint)
    return drawn.diagram(subject, to_file, detail, theme, direction, style)


def load_data(source, *, data_dir=None, limit=None, labels="fine", image_size=None, shape=(32, 32, 3),
              validation_data=None, test_data=None, class_names=None, labels_from="folder", invalid_images="error"):
    """Return the `zoo.Dataset` of images and labels from any source.

    Args:
        source: one of
            - str, the name of a data set: "digits", "mnist", "fashion_mnist", "cifar10" or "cifar100". It is that even
              where a folder has this name; write "./mnist" for the folder.
            - str or path of a folder of class folders, `FOLDER/cat/1.png`, or with the splits above them,
              `FOLDER/train/cat/1.png`, `FOLDER/val/...` and `FOLDER/test/...`, or other names that data sets have for
              them, such as `Training`, `valid` and `Testing`.
            - str or path of an .npz file with Keras's arrays, x_train, y_train, x_test, y_test and perhaps x_val and
              y_val, or MedMNIST's, train_images, train_labels, val_images, val_labels, test_images and test_labels.
            - a pair of arrays (images, labels). Images are (n, height, width), (n, height, width, 1) or
              (n, height, width, 3): integers or floats of 0 to 255, or floats of 0 to 1, which are multiplied by 255.
              Labels are whole numbers from 0, (n,) or (n, 1), or one-hot, (n, classes).
            - a `zoo.Dataset`, which is returned as it is.
        data_dir: str or path, the folder with the files of a named data set; default: the environment variable
            ZOO_DATA, then Keras's cache, then a download.
        limit: int, the most images in each split, with the classes in proportion; default: all of them.
        labels: "fine", or for "cifar100" also "coarse": 100 classes or 20 superclasses.
        image_size: int or (height, width), pixels, to which the images of a folder are resized; default: that of
            `shape`.
        shape: (height, width, channels) of the images of a folder, 1 or 3 channels; what a model takes. Other sources
            keep the shape that they have.
        validation_data, test_data: pairs of arrays like `source`. A split that is not given, or that a folder or file
            lacks, is carved from the training images: a tenth, stratified, by a fixed seed.
        class_names: list of str, a name for each label of arrays or of an .npz file; default: "0", "1", ...
        labels_from: "folder", or "filename" for a folder of files such as cat.123.jpg, of which the class is cat.
        invalid_images: "error", or "skip" to leave out files of a folder that cannot be read; a note says which.

    Returns:
        A `zoo.Dataset`: `dataset.train.images[i]`, uint8 (height, width, channels); `dataset.train.labels`, int64 (n,);
        `len(dataset.train)`; `validation` and `test` likewise; `dataset.info.class_names`; and `dataset.notes`, lines
        that say what was carved or assumed.

    Raises:
        zoo.errors.UserError: a ValueError, in one line, for data that cannot be read or used, and for an argument that
            does not apply to this kind of source.

    Examples:

    A data set by its name:

    >>> dataset = zoo.load_data("digits", limit=100)
    >>> dataset.train.images[0].shape, len(dataset.train), dataset.info.class_names[7]
    ((28, 28, 1), 100, '7')

    Arrays:

    >>> import numpy as np
    >>> x, y = np.zeros((40, 8, 8, 3), "uint8"), np.arange(40) % 2
    >>> dataset = zoo.load_data((x, y), test_data=(x[:10], y[:10]), class_names=["cat", "dog"])
    >>> len(dataset.train), len(dataset.validation), len(dataset.test)
    (36, 4, 10)

    An .npz file:

    >>> np.savez("pets.npz", x_train=x, y_train=y, x_test=x[:10], y_test=y[:10])
    >>> zoo.load_data("pets.npz").info.name
    'pets'

    A folder of class folders:

    >>> from pathlib import Path
    >>> from PIL import Image
    >>> for name in ("cat", "dog"):
    ...     Path("pets", name).mkdir(parents=True)
    ...     for i in range(10):
    ...         Image.new("RGB", (20, 20)).save(f"pets/{name}/{i}.png")
    >>> dataset = zoo.load_data("pets/", image_size=16)
    >>> dataset.info.class_names, dataset.train.images[:5].shape
    (('cat', 'dog'), (5, 16, 16, 3))

    A Dataset:

    >>> zoo.load_data(dataset) is dataset
    True
    """
    from zoo.data.loading import load_data as load_any

    return load_any(source, data_dir=data_dir, limit=limit, labels=labels, image_size=image_size, shape=shape,
                    validation_data=validation_data, test_data=test_data, class_names=class_names,
                    labels_from=labels_from, invalid_images=invalid_images)


def load(path, checkpoint="best"):
    """Return the trained keras.Model of a run directory, or of a `.keras` file.

    A run's model takes raw pixels, (n, height, width, channels) uint8 of 0 to 255, and gives probabilities
    (n, classes) float32. `checkpoint` is "best", by validation accuracy, or "last".
    Raises zoo.errors.UserError, a ValueError, when `path` is neither.
    """
    from zoo.training.backend import import_keras

    import_keras()

    from zoo.training.saved import load as loaded

    return loaded(path, checkpoint)


def features(model, images, layers="stages"):
    """Return what layers make of images, as {layer's name: array float32 (n, ...)}, in inference.

    model: any functional keras.Model that takes pictures, such as those of `build` and `load`.
    images: (n, height, width, channels), as the model takes them: raw pixels where it has the scaling inside.
    layers: a list of names; one name; "stages", the last layer with a grid of each stage of its diagram; or "every".
        Of a layer that is used several times it is the last output; of several outputs the first. Layers that only a
        side output needs are not looked at.

    Raises zoo.errors.UserError, a ValueError, in one line, with the nearest name for one that is not there.
    """
    from zoo.analysis.features import features as found

    return found(model, images, layers)


def fit(model, dataset="digits", *, recipe=None, weights=None, freeze=None, head_layers=(), pooling=None,
        feature_layer=None, two_stage=False, head_epochs=None, backbone_learning_rate=None, strategy=None,
        preprocessing=None, class_weight=None, seed=0, name=None, output_dir="runs", limit=None, labels="fine",
        data_dir=None, image_size=None, validation_data=None, test_data=None, class_names=None, labels_from="folder",
        invalid_images="error", preset=None, width=None, stem="auto", gpu=None, backend=None, precision="float32",
        deterministic=False, max_seconds=None, callbacks=None, log=None, verbose=True, **keywords):
    """Train a model from scratch, or fine-tune a pretrained one, into a run directory, and return the `Run`.

    The best epoch is chosen on the validation split; the test split is evaluated once, at the end. A run that was
    interrupted, by Ctrl-C, `max_seconds` or a callback, resumes with `Run.resume()`, or when the same call with the
    same `name` comes again: bit for bit on the CPU.

    Args:
        model: one of `zoo.list_models()`; or a functional or Sequential Keras model of your own, from images to logits
            or probabilities, which is trained from the weights that it has. Its pixels are standardized in front of it
            unless it has a Rescaling or Normalization layer. It is saved into the run directory, and is not changed
            itself: `Run.load_model` has the trained one.
        dataset: what to train on, as for `zoo.load_data`: the name of a data set; a folder with a folder of images for
            each class; an `.npz` file in Keras's or MedMNIST's layout; a pair of arrays (images, labels); or a
            `zoo.Dataset`. Images are raw pixels, 0 to 255: the model scales them.
        recipe: how it is trained: "modern", "paper", "notes" or "finetune"; default: "finetune" with `weights`, else
            "modern"; `zoo recipes MODEL DATASET` lists the fields.
        weights: None, from scratch; or what the backbone starts with, under a new head: "imagenet", "cifar10", "mnist",
            a run directory, or a weights file (see docs/weights.md).
        freeze: what of a pretrained backbone is not trained: "all", "none", the name of a layer, up to which it is
            frozen, or how many of its layers, an int; default: "all".
        head_layers: hidden layers of a new head before its classifier: numbers of units, and shares to drop, such as
            (1024, 0.5). With this, `pooling` or `feature_layer` the model gets a new head even without weights.
        pooling: of the backbone's features before a new head: "avg", "max" or "flatten"; default: "avg".
        feature_layer: the layer of the backbone that a new head reads; default: the last.
        two_stage: train the head alone first, for `head_epochs`, then what `freeze` leaves free.
        head_epochs: epochs of the first of two stages; default: half as many as `epochs`.
        backbone_learning_rate: the learning rate while layers of a pretrained backbone are trained; default: a tenth of
            `learning_rate`, which is the head's.
        strategy: None, or one of "small-similar", "large-similar", "small-different" and "large-different", which
            decides freeze, feature_layer and two_stage by how many images there are, and how like those of the weights.
        preprocessing: how pixels are scaled for `weights`: "imagenet-caffe", "imagenet-torch", "symmetric" (-1 to 1),
            "none" (0 to 255), or "run": to mean 0 and standard deviation 1 of the data set, or as the run that the
            weights are of; default: as the weights expect, which for a file is assumed, and printed.
        class_weight: None; "balanced", for classes of different sizes; or a dict from class names or labels to weights
            of the loss, 1 for those that it does not name.
        seed: of the first weights, the order of the images and their augmentation; an int from 0.
        name: of the run directory; default: model, data set, date and time.
        output_dir: where the run directory goes.
        limit: None, or the most images in each of train, validation and test.
        labels: of cifar100, "fine" (100 classes) or "coarse" (20).
        data_dir: where a named data set's files are; default: ZOO_DATA, Keras's cache, or a download.
        image_size: of a folder's images, an int or (height, width) in pixels; default: 32x32 where the model has a
            small stem, else the paper's size.
        validation_data, test_data: pairs of arrays, where `dataset` is one; default: split off from it.
        class_names: of arrays, a list; default: the labels.
        labels_from, invalid_images: of a folder, as for `zoo.load_data`.
        preset: None, or "small": a width that two CPU cores train in minutes.
        width: multiplier of every hidden width; default: 1, or the preset's.
        stem: "auto", "paper" or "small", as for `zoo.build`.
        gpu: the index of a GPU as nvidia-smi counts them, several in a list, "all", "auto" or "none"; default: the
            first one, or the CPU. It is chosen before Keras is imported: after that another choice is refused.
        backend: "tensorflow", "jax" or "torch"; default: KERAS_BACKEND, or tensorflow.
        precision: "float32", "bfloat16" or "float16".
        deterministic: use deterministic GPU ops; CPU runs always are.
        max_seconds: None, or after how many seconds to save and stop.
        callbacks: a list of Keras callbacks. `logs` at the end of an epoch has the columns of history.csv, val_loss and
            val_accuracy among them. Their own state is not part of a checkpoint.
        log: None, or which programs log the run too: "tensorboard" (events in RUN/tensorboard), "wandb", "mlflow", or a
            list of them.
        verbose: False prints and draws nothing. Otherwise a terminal gets a progress bar, and in a notebook the
            learning curves are drawn as they grow.
        **keywords: fields of the recipe, such as `epochs=30`, `learning_rate=0.05`, `batch_size=64`, and options of
            the model, such as `dropout=0.3`.

    Returns:
        A `zoo.Run`, with `reason` where training stopped early.

    Raises:
        zoo.errors.UserError: what cannot be, in one line, before a backend is loaded where that is possible.
        FloatingPointError: the loss is not finite. MemoryError: out of memory. OSError: the run cannot be written.

    Examples:

    >>> run = zoo.fit("lenet5", "digits", epochs=5, learning_rate=0.02)
    >>> run.result["test_accuracy_best"], run.load_model()
    >>> zoo.fit("resnet18", "pathmnist.npz", preset="small", epochs=10)
    >>> zoo.fit("vgg16", "pets/", weights="imagenet", freeze="all", head_layers=(1024, 0.5), epochs=10)
    >>> zoo.fit(my_keras_model, "mnist", epochs=5)
    >>> zoo.fit("lenet5", (x_train, y_train), test_data=(x_test, y_test), callbacks=[keras.callbacks.CSVLogger("log")])
    """
    from zoo import registry
    from zoo.runs import fitting
    from zoo.training import finetuning

    asked = finetuning.request(
        weights=None if weights == "none" else weights, freeze=freeze, head_layers=tuple(head_layers), pooling=pooling,
        feature_layer=feature_layer, two_stage=two_stage, head_epochs=head_epochs,
        backbone_learning_rate=backbone_learning_rate, strategy=strategy, preprocessing=preprocessing)
    known = registry.find(model).options if isinstance(model, str) else {}
    options = {key: value for key, value in keywords.items() if key in known}
    fields = {key: value for key, value in keywords.items() if key not in options}
    return fitting.fit(
        model, dataset, recipe=recipe, seed=seed, name=name, output_dir=output_dir, limit=limit, labels=labels,
        data_dir=data_dir, image_size=image_size, validation_data=validation_data, test_data=test_data,
        class_names=class_names, labels_from=labels_from, invalid_images=invalid_images, preset=preset, width=width,
        stem=stem, options=options, asked=asked, class_weight=class_weight, gpu=gpu, backend=backend,
        precision=precision, deterministic=deterministic, max_seconds=max_seconds, callbacks=callbacks, log=log,
        verbose=verbose, fields=fields)


def find_learning_rate(model, dataset="digits", *, min_lr=1e-5, max_lr=10.0, steps=100, recipe=None, seed=0,
                       limit=None, labels="fine", data_dir=None, image_size=None, validation_data=None, test_data=None,
                       class_names=None, preset=None, width=None, stem="auto", gpu=None, backend=None,
                       precision="float32", **keywords):
    """Run the learning rate range test of Smith 2017 (arXiv:1506.01186) and return what it measured.

    A new model is trained for `steps` steps while the learning rate rises exponentially; everything else is as
    `zoo.fit` would have it: initial weights, batches, augmentation, optimizer and weight decay. The test ends early
    where the smoothed loss is four times its minimum. The suggestion is the rate at which the smoothed loss falls
    fastest over the logarithm of the rate. No run directory is made.

    Args:
        min_lr, max_lr: float, the learning rates of the first and the last step.
        steps: int, from 10.
        model: one of `zoo.list_models()`.
        dataset and the others: as for `zoo.fit`.

    Returns:
        A `LearningRateTest` with `suggestion`, a float, or None where the loss does not fall; `rates`, `losses` and
        `smoothed`, tuples of float; `diverged`; `plot()`, a matplotlib Figure; and `save("lr.png")`.

    Raises:
        zoo.errors.UserError: what cannot be, in one line, before a backend is loaded where that is possible.

    Example:

    >>> test = zoo.find_learning_rate("lenet5", "digits", optimizer="adam")
    >>> run = zoo.fit("lenet5", "digits", optimizer="adam", learning_rate=test.suggestion)
    """
    from zoo import registry
    from zoo.runs import learning_rate

    known = registry.find(model).options if isinstance(model, str) else {}
    options = {key: value for key, value in keywords.items() if key in known}
    fields = {key: value for key, value in keywords.items() if key not in options}
    return learning_rate.find_learning_rate(
        model, dataset, min_lr=min_lr, max_lr=max_lr, steps=steps, recipe=recipe, seed=seed, limit=limit, labels=labels,
        data_dir=data_dir, image_size=image_size, validation_data=validation_data, test_data=test_data,
        class_names=class_names, preset=preset, width=width, stem=stem, options=options, gpu=gpu, backend=backend,
        precision=precision, fields=fields)


def compare_runs(runs, to_file=None):
    """Compare runs: what they differ in, what came out, and mean and standard deviation where only the seed differs.

    Args:
        runs: a list of `zoo.Run`s or paths of run directories, two or more, finished or not.
        to_file: None, or a path: .png for the validation curves of all runs, .html for a page with the table, too.

    Returns:
        A `Comparison`, which a notebook shows: `columns` and `rows` of the table, `plot()`, a matplotlib Figure, and
        `save(path)`; `print` gives the text of `zoo compare`.

    Raises:
        zoo.errors.UserError: there are fewer than two runs, one is not a run directory, or the file cannot be written.

    Example:

    >>> runs = [zoo.fit("lenet5", "digits", epochs=3, seed=seed) for seed in range(3)]
    >>> print(zoo.compare_runs(runs, "comparison.html"))
    """
    from zoo.runs.comparison import Comparison, check_suffix

    if to_file is not None:
        check_suffix(to_file)
    comparison = Comparison(runs)
    if to_file is not None:
        comparison.save(to_file)
    return comparison


def set_device(gpu=None, backend=None):
    """Choose the GPUs and the backend of this process, before Keras is imported.

    Args:
        gpu: as for `zoo.fit`: an index, several in a list, "all", "auto" or "none" (the CPU).
        backend: "tensorflow", "jax" or "torch".

    Raises:
        zoo.errors.UserError: Keras is imported already with another choice, or there is no such GPU or backend.

    Example:

    >>> zoo.set_device(gpu=1, backend="jax")
    """
    from zoo.runs.fitting import set_device as choose

    choose(gpu, backend)


def list_models():
    """Return the names of all networks, in the order of the catalogue."""
    from zoo.registry import SPECS

    return [*SPECS]


def __getattr__(name):
    """zoo.Run and zoo.Dataset, imported when they are first used, so that `import zoo` need not load NumPy."""
    if name == "Run":
        from zoo.runs.run import Run

        return Run
    if name == "Dataset":
        from zoo.data.load import Dataset

        return Dataset
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
