"""What all commands share: a parser that answers in one line, and the way out."""

import argparse
import difflib
import os
import re
import sys

from zoo import devices, env, registry
from zoo.cli import unknown_flags
from zoo.data import info
from zoo.errors import UserError, unknown
from zoo.training.plan import CHECKPOINTS
from zoo.utils.io import expanded
from zoo.utils.validation import assignments, parsed
from zoo.weights import pretrained

FLAG = re.compile(r"--?[A-Za-z][\w.-]*")  # a word that argparse takes for a flag; -1 is a number


class Parser(argparse.ArgumentParser):
    """argparse, but a mistake is a UserError, and a flag from elsewhere is answered with what to type here."""

    def __init__(self, *arguments, **keywords):
        super().__init__(*arguments, allow_abbrev=False, **keywords)
        self._words = []

    def parse_args(self, args=None, namespace=None):
        return self._all_known(self.parse_known_args, args, namespace)

    def parse_intermixed_args(self, args=None, namespace=None):
        return self._all_known(self.parse_known_intermixed_args, args, namespace)

    def _all_known(self, parse, args, namespace):
        self._words = sys.argv[1:] if args is None else [*args]
        arguments, left = parse(args, namespace)
        if left:
            raise UserError(self._unrecognized(left[0]))
        return arguments

    def error(self, message):
        for flag, value in self._unknown_flags():  # --onnx in place of --format, which is required
            hint = self._hint(flag, value)
            if hint:
                raise UserError(hint)
        raise UserError(f"{message}; see {self.prog} --help")

    def _unrecognized(self, left):
        """Return the answer to the first flag that is unknown; where there is none, to a word that is left over."""
        flag, value = next(self._unknown_flags(), (left, None))
        if flag == left and "=" in left:  # epochs=5, without dashes
            flag, _, value = left.partition("=")
        return self._hint(flag, value) or self._nearest(flag)

    def _unknown_flags(self):
        """Yield (flag, value or None) of each flag on the command line that this parser does not have."""
        known = self._option_string_actions
        words = self._words[:self._words.index("--")] if "--" in self._words else self._words
        for word, following in zip(words, [*words[1:], None], strict=False):
            flag, equals, value = word.partition("=")
            glued = flag[:2] in known and not unknown_flags.has(flag)  # -b32
            if FLAG.fullmatch(flag) and flag not in known and (flag.startswith("--") or not glued):
                after = following if following and not FLAG.fullmatch(following.partition("=")[0]) else None
                yield flag, value if equals else after

    def _hint(self, flag, value):
        options = {flag: action.metavar for flag, action in self._option_string_actions.items()}
        first = next((action.metavar for action in self._actions if not action.option_strings), None)
        return unknown_flags.answer(self.prog.removeprefix("python -m "), flag, value, options, first)

    def _nearest(self, given):
        known = [flag for action in self._actions for flag in action.option_strings]
        close = difflib.get_close_matches(given, known, n=1)
        return f"no option or argument {given!r} is known; " + (
            f"did you mean {close[0]}?" if close else f"see {self.prog} --help")


def run(command, argv=None):
    """Call `command(argv)` and return its exit status: 2 after a user's mistake, 4 a file that failed, 130 Ctrl-C."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")  # a terminal without UTF-8 gets question marks, not a traceback
    try:
        return command(argv) or 0
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.status
    except KeyboardInterrupt:
        print("\ninterrupted", file=sys.stderr)
        return 130
    except BrokenPipeError:  # the reader, `head` perhaps, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141  # as the shell reports a program that the closed pipe has ended
    except OSError as error:  # a full disk, a folder that went away
        print(f"error: {error}", file=sys.stderr)
        return 4


def whole_number(flag, text, least, most=None):
    """Return `text` as a whole number from `least` to `most`; UserError otherwise."""
    if not re.fullmatch(r"[+-]?\d{1,20}", text) or int(text) < least or (most is not None and int(text) > most):
        limits = f"of {least} or more" if most is None else f"from {least} to {most}"
        raise UserError(f"{flag} is a whole number {limits}; given {text!r}")
    return int(text)


def add_gpu(made, several=""):
    """Add --gpu and --backend; `several` says what more than one GPU is for, where that is possible."""
    made.add_argument("--gpu", metavar="N|auto|none" if not several else "N|N,N|all|auto|none",
                      help=f"the GPU to use as nvidia-smi counts them{several}; auto: the one with the most free "
                           "memory; none: the CPU; default: the first one, or the CPU")
    made.add_argument("--backend", metavar="|".join(env.BACKENDS),
                      help="what Keras computes with; default: KERAS_BACKEND, or tensorflow")


def choose_device(gpu, backend=None):
    """Return (backend, Device) for what --gpu and --backend name, and let the backend see just that; see `load`.

    UserError for more than one GPU, which is for training alone.
    """
    backend = env.backend(backend)
    chosen = devices.choose(gpu, devices.list_gpus(), devices.visible_now())
    if len(chosen.gpus) > 1:
        raise UserError(f"only zoo.train works on several GPUs; given --gpu {gpu}; name one, or auto")
    devices.prepare(chosen)
    return backend, chosen


def load(backend, chosen):
    """Load Keras with its backend, which sees what devices.prepare left to see; return the words for the device."""
    from zoo.training.backend import load_backend

    return load_backend(backend, chosen)


def add_checkpoint(made):
    """Add --checkpoint; see `checkpoint_of`."""
    made.add_argument("--checkpoint", metavar="|".join(CHECKPOINTS), default="best",
                      help="of a run: the epoch that was best by validation, or the last; default: best")


def checkpoint_of(arguments):
    """Return the name of the checkpoint that --checkpoint asks for."""
    if arguments.checkpoint not in CHECKPOINTS:
        raise unknown("checkpoint", arguments.checkpoint, CHECKPOINTS)
    return arguments.checkpoint


def add_network(made):
    """Add the options that say how a network of the catalogue is built; see `blueprint_of`."""
    made.add_argument("--size", metavar="N|HxW", help="of the pictures, pixels; default: the paper's")
    made.add_argument("--channels", metavar="N", help="of the pictures, 1 or 3 as a rule; default: the paper's")
    made.add_argument("--classes", metavar="N", help="default: the paper's")
    add_preset(made)
    made.add_argument("--width", metavar="W", help="times every hidden width of the network; default: 1")
    made.add_argument("--stem", metavar="auto|paper|small", default="auto",
                      help="the network's first layers; auto: small for small pictures")
    made.add_argument("--aux", action="store_true", help="with the side classifiers")
    made.add_argument("--option", metavar="NAME=VALUE", action="append", default=[], help="an option of the network")


def add_preset(made):
    """Add --preset; see `parse_preset`."""
    made.add_argument("--preset", metavar="small", help="a model size that two CPU cores train in minutes: small")


def parse_preset(arguments, spec):
    """Return the Preset that --preset names, None without it; UserError where --width or --option contradicts it."""
    if arguments.preset is None:
        return None
    preset = registry.preset(spec, arguments.preset)
    given = [] if arguments.width is None else [("--width", f"width {preset.width:g}")]
    given += [(f"--option {name}", f"{name}={preset.options[name]}")
              for name in assignments("--option", arguments.option, spec.options) if name in preset.options]
    for flag, value in given:
        raise UserError(f"--preset {arguments.preset} of {spec.name} is {value}; leave out {flag}, or --preset")
    return preset


def blueprint_of(name, arguments, base=None):
    """Return the Blueprint of the network `name` with what the options of `add_network` ask for.

    base: the Blueprint that holds where they ask for nothing; default: that of --preset, or the paper's.
    """
    spec = registry.find(name)
    if parse_preset(arguments, spec):
        base = pretrained.resolve_preset(spec, arguments.preset)
    base = base or registry.blueprint(spec.name)
    height, width, channels = base.input_shape
    if arguments.size is not None:
        height, width = sides(arguments.size)
    if arguments.channels is not None:
        channels = whole_number("--channels", arguments.channels, 1)
    if arguments.aux and not spec.sides:
        have = " and ".join(each.name for each in registry.SPECS.values() if each.sides)
        raise UserError(f"{spec.name} has no side classifiers; --aux is for {have}")
    classes = base.classes if arguments.classes is None else whole_number("--classes", arguments.classes, 2)
    options = {**base.options, **assignments("--option", arguments.option, spec.options)}
    return registry.blueprint(spec.name, (height, width, channels), classes, parse_width(arguments, base.width),
                              arguments.stem, options, arguments.aux)


def parse_width(arguments, default=None):
    """Return the number that --width gives, `default` without it."""
    return default if arguments.width is None else parsed("--width", arguments.width, 1.0)


def add_form(made):
    """Add the options that say how a body of the catalogue is built, where its weights do not; see `form_of`."""
    made.add_argument("--width", metavar="W", help="times every hidden width of the network; default: as the weights "
                                                   "have it, or 1")
    made.add_argument("--stem", metavar="auto|paper|small", default="auto", help="the network's first layers")
    made.add_argument("--option", metavar="NAME=VALUE", action="append", default=[], help="an option of the network")


def form_of(arguments):
    """Return (width, stem, options) as the options of `add_form` say; a width of None is not given."""
    options = assignments("--option", arguments.option, registry.find(arguments.network).options)
    return parse_width(arguments), arguments.stem, options


def add_images(group, description, default=None):
    """Add the options that say which images; see `check_images` and `load_images`.

    description: of --dataset, whose default is `default`.
    """
    group.add_argument("--dataset", "--data", metavar="NAME|FOLDER|FILE.npz", default=default, help=description)
    group.add_argument("--data-dir", metavar="DIR", help="the folder with the files of a named data set; default: "
                                                         "ZOO_DATA, Keras's cache, or a download")
    group.add_argument("--image-size", metavar="N|HxW",
                       help="to which a folder's images are resized; default: as the weights had them, 32 where the "
                            "network has a small stem, else the paper's")
    group.add_argument("--labels-from", metavar="folder|filename", default="folder",
                       help="filename: of FOLDER/cat.123.jpg the class is cat; default: folder")
    group.add_argument("--invalid-images", metavar="error|skip", default="error",
                       help="files of a folder that cannot be read; skip: leave them out, by reading all files once "
                            "before anything else; default: error")


def is_named(dataset):
    """Return whether --dataset is the name of a data set rather than a folder or file; UserError for neither."""
    given = expanded(dataset)
    if dataset in info.DATASETS:
        return True
    if given.exists() and not (given.is_dir() or given.suffix.lower() == ".npz"):
        raise UserError(f"{dataset} is a file, but no .npz file; give --dataset NAME, FOLDER or FILE.npz")
    if given.exists():
        return False
    if dataset == given.name and not given.suffix:  # it may be meant as a name
        raise UserError(f"{unknown('dataset', dataset, info.DATASETS)}; there is no folder or .npz file {dataset!r} "
                        "either")
    raise UserError(f"there is no folder or .npz file {dataset!r}; give the one that the images are in")


def check_images(arguments):
    """Refuse what cannot be of the options of `add_images` and of --weights, before anything is read."""
    if arguments.weights != "none":
        pretrained.check(arguments.weights, registry.find(arguments.network).name)
    image_size_of(arguments)
    if not is_named(arguments.dataset):
        return
    for flag, default in (("--image-size", None), ("--labels-from", "folder"), ("--invalid-images", "error")):
        if getattr(arguments, flag.strip("-").replace("-", "_")) != default:
            raise UserError(f"{flag} is for a folder of images, and {arguments.dataset} is a data set; leave it out")


def image_size_of(arguments):
    """Return (height, width) of --image-size, or None."""
    return None if arguments.image_size is None else sides(arguments.image_size, "--image-size")


def load_images(arguments, limit, shape):
    """Return the Dataset that the options of `add_images` name; `shape` is that of a folder's images."""
    from zoo.data.loading import load_data

    named = arguments.dataset in info.DATASETS
    return load_data(arguments.dataset if named else expanded(arguments.dataset), data_dir=arguments.data_dir,
                     limit=limit, labels=getattr(arguments, "labels", "fine"), shape=shape,
                     image_size=image_size_of(arguments),
                     labels_from=arguments.labels_from, invalid_images=arguments.invalid_images)


def sides(text, flag="--size"):
    """Return (height, width) of a flag's value: a side, or HEIGHTxWIDTH."""
    if not re.fullmatch(r"[1-9]\d{0,5}(x[1-9]\d{0,5})?", text):
        raise UserError(f"{flag} is a side in pixels, or HEIGHTxWIDTH, such as 32 or 96x80; given {text!r}")
    return tuple(int(side) for side in (text.split("x") * 2)[:2])
