"""From what a person says, "imagenet", "mnist", a file or a run, to weights in a model and the pixels they expect."""

import json
import os
from dataclasses import dataclass, replace
from pathlib import Path

from zoo import catalog, settings
from zoo.errors import UserError
from zoo.files import expanded
from zoo.weights import files, load, names, published


@dataclass(frozen=True)
class Source:
    """Weights of a network that are on the disk, or can be fetched.

    said: as the person said it. path: None where it is to be fetched. foreign: they are of the paper's stem, and have
    the authors' preprocessing, `scaling`; None: what pixels they expect is not known.
    """

    network: str
    said: str
    path: Path | None
    foreign: bool
    scaling: published.Scaling | None

    def stem(self, asked):
        """Return which stem to build: "auto" is the paper's for weights of others."""
        if not self.foreign or asked == "paper" or not catalog.find(self.network).small_below:
            return asked
        if asked == "small":
            raise UserError(f"{self.said} holds weights of {self.network} with the paper's stem; leave stem as it is")
        return "paper"

    def here(self, include_top):
        """Return it with its file on the disk, fetched if need be; UserError where that cannot be."""
        if self.path is not None:
            return self
        return replace(self, path=fetched(published.find(self.said, self.network), include_top))

    def fill(self, model, blueprint, include_top):
        """Give `model`, built of `blueprint` with or without its top, the weights; return the load.Report."""
        self.check(blueprint, include_top)
        return load.load(model, self.network, self.here(include_top).path, spare_of(blueprint))

    def head_of_its_own(self):
        """Return whether the weights are of a run whose top is not the network's; UserError for a damaged run."""
        facts = expanded(self.said) / "run.json"
        try:
            return facts.is_file() and "transfer" in json.loads(facts.read_text(encoding="utf-8"))
        except (ValueError, TypeError) as error:
            raise UserError(f"{facts} is damaged: it is no JSON that zoo wrote") from error

    def check(self, blueprint, include_top):
        """Raise UserError for a network that published weights are not for, before anything is fetched."""
        if include_top and self.head_of_its_own():
            raise UserError(f"{self.said} was made by zoo.finetune, with a head of its own: zoo.load has it whole, "
                            "include_top=False its body")
        if self.said not in published.NAMES:
            return
        spec = blueprint.spec
        known = published.find(self.said, self.network)
        shape, classes = (known.input_shape, known.classes) if isinstance(known, published.Shipped) else (
            (None, None, 3), spec.classes)
        if include_top and classes != blueprint.classes:
            raise UserError(f"the weights {self.said!r} are for {classes} classes; given {blueprint.classes}; "
                            "use include_top=False")
        if not include_top:
            shape = (None, None, shape[2])  # a body takes any side
        if any(want not in (None, given) for want, given in zip(shape, blueprint.input_shape, strict=True)):
            said = "x".join("any" if side is None else str(side) for side in shape)
            raise UserError(f"the weights {self.said!r} of {self.network} are for pictures of {said}; given "
                            f"{'x'.join(map(str, blueprint.input_shape))}")
        odd = [name for name, value in blueprint.options.items()
               if name in ("batch_norm", "scale", "groups") and value != spec.options[name]]
        if blueprint.width != 1 or odd:
            raise UserError(f"the weights {self.said!r} are for {self.network} as it is; leave "
                            f"{odd[0] if odd else 'width'} at {spec.options[odd[0]] if odd else 1}")


def find(weights, network):
    """Return the Source of `weights`: "imagenet", "mnist", or the path of a file or of a run directory.

    UserError where there is no such one. Nothing is fetched yet, and no array is read.
    """
    spec = catalog.find(network)
    if not isinstance(weights, (str, os.PathLike)):
        raise UserError(f"weights is None, a name such as 'imagenet', or the path of a file or run; given {weights!r}")
    published.check(weights, network)
    if weights in published.NAMES:
        known = published.find(weights, spec.name)
        if isinstance(known, published.Shipped):
            return Source(spec.name, weights, Path(__file__).with_name(known.file), False, known.scaling)
        return Source(spec.name, weights, None, True, published.OF_KERAS[spec.name])
    path = files.found(weights)
    with files.opened(path) as contents:
        if contents.naming == "torch":
            foreign, scaling = True, published.OF_TORCH.get(spec.name)
        else:
            foreign = contents.naming == "counted" or (
                contents.naming == "keras" and names.is_foreign([*contents.layers], spec.name))
            scaling = published.OF_KERAS.get(spec.name) if foreign else None
    return Source(spec.name, str(weights), path, foreign and spec.name in published.LEAST_SIDE, scaling)


def fetched(known, include_top):
    """Return the path of published weights, in Keras's cache or beside this file.

    UserError that names the file, its address and where to put it, when it cannot be fetched.
    """
    import keras

    file, md5 = known.with_top if include_top else known.without
    url = f"{published.KERAS}{known.folder}/{file}"
    place = settings.keras_home() / "models" / file
    try:
        return Path(keras.utils.get_file(file, url, cache_dir=settings.keras_home(), cache_subdir="models",
                                         file_hash=md5))
    except Exception as error:  # what urllib, the disk or the hash raises
        words = " ".join(str(error).split()) or type(error).__name__
        raise UserError(f"{file} cannot be fetched ({words}); fetch {url} elsewhere and put it at {place}") from None


def spare_of(blueprint):
    """Return the names of the layers of the whole network, with its side classifiers: what a file may have more."""
    from zoo.models import anatomy

    whole = anatomy.of_network(replace(blueprint, aux=bool(blueprint.spec.sides)))
    return frozenset(layer.name for layer in whole.layers)
