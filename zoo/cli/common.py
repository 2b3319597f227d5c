"""Shared parts of all commands: options that several have, device selection, and errors with their exit statuses."""

import argparse
import contextlib
import os
import re
import sys

from zoo import devices, env, registry
from zoo.cli.parser import Parser  # noqa: F401  every command imports it from here
from zoo.errors import OutOfMemory, UserError, unknown_name_error
from zoo.modality import get_modality, override_size
from zoo.training import failures
from zoo.training.run_config import CHECKPOINTS
from zoo.utils import crashes
from zoo.utils.flag_names import translate_keywords
from zoo.utils.text import escape_unprintable
from zoo.utils.validation import parse_assignments, parse_value
from zoo.weights import pretrained


def run_command(command, argv=None):
    """Call `command(argv)` and return its exit status: 2 for a user error, 4 for a failed file, 5 for a lack
    of memory, 130 for Ctrl-C.
    """
    open_missing_streams()
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")  # terminals without UTF-8 get question marks, not a traceback
    try:
        with crashes.explain_crashes(failures.explain_crash):
            return command(argv) or 0
    except UserError as error:
        print_error(error)
        return error.exit_status
    except KeyboardInterrupt:
        print("\ninterrupted", file=sys.stderr)
        return 130
    except BrokenPipeError:  # the reader, such as `head`, has closed the pipe
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141  # the shell's status of a program that SIGPIPE has terminated
    except Exception as error:
        if failures.is_out_of_memory(error):
            print_error(failures.describe_out_of_memory(error))
            return OutOfMemory.exit_status
        if not isinstance(error, OSError):  # a full disk, or a folder that was removed
            raise
        print_error(error)
        return 4


def open_missing_streams():
    """Open os.devnull for stdout and stderr where the shell has closed them, as in `2>&-`."""
    for descriptor, name in ((1, "stdout"), (2, "stderr")):
        if getattr(sys, name) is None:
            devnull = os.open(os.devnull, os.O_RDWR)
            if devnull != descriptor:
                os.dup2(devnull, descriptor)
            setattr(sys, name, open(descriptor, "w", encoding="utf-8", closefd=False))


@contextlib.contextmanager
def convert_out_of_memory(advice):
    """Convert out-of-memory errors, of which each backend has its own, to OutOfMemory with advice."""
    try:
        yield
    except UserError:
        raise
    except Exception as error:
        if not failures.is_out_of_memory(error):
            raise
        raise OutOfMemory(f"out of memory; {advice}") from error


def print_lines(*lines, file=None):
    """Print lines in which names from the user and from files may stand: unprintable characters become visible."""
    print("\n".join(map(escape_unprintable, lines)), file=file, flush=True)


def print_error(message):
    """Print a message of the library on stderr, in one line after "error: ", with the flags of the command line."""
    print_lines(f"error: {translate_keywords(str(message))}", file=sys.stderr)


def parse_int(flag, text, min_value, max_value=None):
    """Return `text` as an integer from `min_value` to `max_value`; UserError otherwise."""
    if (not re.fullmatch(r"[+-]?\d{1,20}", text) or int(text) < min_value
            or (max_value is not None and int(text) > max_value)):
        limits = f"of {min_value} or more" if max_value is None else f"from {min_value} to {max_value}"
        raise UserError(f"{flag} must be an integer {limits}; got {text!r}")
    return int(text)


def add_gpu(parser, multi_gpu_help="", default="the first GPU"):
    """Add --gpu and --backend; `multi_gpu_help` describes the use of several GPUs, empty if only one is supported."""
    parser.add_argument("--gpu", metavar="N|auto|none" if not multi_gpu_help else "N|N,N|all|auto|none",
                        help="GPU to use; N: its index in nvidia-smi, from 0, or its UUID; "
                           + (f"N,N or all: {multi_gpu_help}; " if multi_gpu_help else "")
                           + f"auto: the GPU with the most free memory; none: the CPU; default: {default}, or the CPU "
                             "if there is no GPU")
    parser.add_argument("--backend", metavar="|".join(env.BACKENDS),
                        help="Keras backend; default: the environment variable KERAS_BACKEND, or else the backend in "
                           "~/.keras/keras.json, or else tensorflow")


def select_device(gpu, backend=None):
    """Return (backend, Device) for --gpu and --backend, and make only that device visible; see `load_keras`.

    UserError for more than one GPU, which only training supports.
    """
    backend = env.select_backend(backend)
    chosen = devices.select_installed_gpus(gpu)
    if len(chosen.gpus) > 1:
        raise UserError(f"only zoo.train supports several GPUs; got --gpu {gpu}; give one, or auto")
    devices.set_device_environment(chosen)
    return backend, chosen


def load_keras(backend, device):
    """Load Keras with the backend on the device of `select_device`; return a description of the device."""
    from zoo.training.backend import announce_loading, load_backend

    announce_loading(backend)
    return load_backend(backend, device)


def load_keras_on_cpu():
    """Load Keras with the CPU as the only device; return the name of the backend."""
    backend = env.select_backend()
    device = devices.select_gpus("none", [])
    devices.set_device_environment(device)
    load_keras(backend, device)
    return backend


def add_checkpoint(parser):
    """Add --checkpoint; see `parse_checkpoint`."""
    parser.add_argument("--checkpoint", metavar="|".join(CHECKPOINTS), default="best",
                        help="weights of a run to use; best: those of the epoch with the highest validation accuracy; "
                           "last: those of the last epoch; default: best")


def parse_checkpoint(arguments):
    """Return the name of the checkpoint requested by --checkpoint; UserError if there is no such checkpoint."""
    if arguments.checkpoint not in CHECKPOINTS:
        raise unknown_name_error("checkpoint", arguments.checkpoint, CHECKPOINTS)
    return arguments.checkpoint


def add_model_options(parser, aux=True):
    """Add the options of the model that is built; see `parse_model_config`.

    aux: whether --help shows --aux, which some commands refuse.
    """
    parser.add_argument("--image-size", metavar="N|HxW",
                        help="size of the input images in pixels, such as 32, or 96x80 (height x width); default: the "
                           "paper's, or that of --preset")
    add_sequence_length(parser, "the model's")
    parser.add_argument("--channels", metavar="N",
                        help="number of channels of the input images: 1 (grayscale) or 3 (RGB); default: the paper's, "
                             "or that of --preset")
    parser.add_argument("--classes", metavar="N",
                        help="number of classes, at least 2; default: the paper's, or that of --preset")
    add_preset(parser)
    add_architecture(parser, "1, or that of --preset")
    parser.add_argument("--aux", action="store_true",
                        help=f"include the auxiliary classifiers; for {format_aux_models()} only" if aux
                        else argparse.SUPPRESS)


def add_sequence_length(parser, default):
    """Add --sequence-length; `default`: for --help."""
    parser.add_argument("--sequence-length", metavar="N",
                        help="length of texts in tokens, to which they are padded or truncated at the front, such as "
                             f"100; for text_cnn and text_cnn_kim; default: {default}")


def format_aux_models():
    """Return the names of the networks with auxiliary classifiers."""
    return " and ".join(model_info.name for model_info in registry.MODELS.values() if model_info.aux_loss_weights)


def add_architecture(parser, default_width):
    """Add --width, --stem and --model-option; `default_width`: for --help; see `parse_architecture`."""
    parser.add_argument("--width", metavar="W", help="multiplier of the number of channels or units of every hidden "
                                                   f"layer, such as 0.5; default: {default_width}")
    parser.add_argument("--stem", metavar="auto|paper|small", default="auto",
                        help="first layers of the model; paper: those of the paper; small: fewer strides and pools, "
                           "for images of about 32x32; auto: small for small images if the model has both (python -m "
                           "zoo summary MODEL shows the limit), or else paper; default: auto")
    parser.add_argument("--model-option", metavar="NAME=VALUE", action="append", default=[],
                        help="option of the model, such as dropout=0.3; can be repeated; all options are listed "
                             "below")


def add_preset(parser):
    """Add --preset; see `parse_preset`."""
    parser.add_argument("--preset", metavar="small",
                        help="named size of the model; small: narrow enough to be trained on two CPU cores; "
                             "default: the paper's size")


def parse_preset(arguments, model_info):
    """Return the Preset of --preset, None without it; UserError if --width or --model-option contradicts it."""
    if arguments.preset is None:
        return None
    preset = registry.get_preset(model_info, arguments.preset)
    conflicts = [] if arguments.width is None else [("--width", f"width {preset.width:g}")]
    conflicts += [(f"--model-option {name}", f"{name}={preset.options[name]}")
                  for name in parse_assignments("--model-option", arguments.model_option, model_info.options)
                  if name in preset.options]
    for flag, value in conflicts:
        raise UserError(f"--preset {arguments.preset} of {model_info.name} sets {value}; omit {flag}, or --preset")
    return preset


def format_run_arguments(run, weights):
    """Return the arguments that select a run, and the checkpoint where `weights` is the path of its last."""
    is_last = os.path.basename(weights) == "last.npz"
    return f"{run}{' --checkpoint last' if is_last else ''}"


def get_named_model_info(name):
    """Return the ModelInfo of the model `name`; UserError, with where its drawings are, for a run."""
    if name not in registry.MODELS and os.path.isfile(os.path.join(name, "run.json")):
        raise UserError(f"{name} is a run; give the name of a model. The diagram of a run is plots/architecture.svg in "
                        f"its folder, and from Python zoo.diagram(zoo.load({name!r})) draws others")
    return registry.get_model_info(name)


def parse_model_config(name, arguments, base=None, stem=None):
    """Return the ModelConfig of the model `name` with the options of `add_model_options`.

    base: ModelConfig whose values are the defaults of these options; default: that of --preset, or the paper's.
    stem: default: that of --stem.
    """
    model_info = get_named_model_info(name)
    if parse_preset(arguments, model_info):
        base = pretrained.resolve_preset_config(model_info, arguments.preset)
    base = base or registry.resolve_model_config(model_info.name)
    if arguments.aux and not model_info.aux_loss_weights:
        raise UserError(f"{model_info.name} has no auxiliary classifiers; --aux is for {format_aux_models()} only")
    classes = base.classes if arguments.classes is None else parse_int("--classes", arguments.classes, 2)
    options = {**base.options, **parse_assignments("--model-option", arguments.model_option, model_info.options)}
    return registry.resolve_model_config(model_info.name, parse_input_shape(arguments, base), classes,
                                         parse_width(arguments, base.width), stem or arguments.stem, options,
                                         arguments.aux)


def parse_input_shape(arguments, model_config):
    """Return the input shape of --image-size, --channels and --sequence-length, by default that of a ModelConfig."""
    shape = override_size(model_config.input_shape, model_config.model_info.name, get_image_size(arguments),
                          get_sequence_length(arguments))
    if arguments.channels is None:
        return shape
    get_modality(shape).require("--channels", model_config.model_info.name, "omit it")
    return (*shape[:2], parse_int("--channels", arguments.channels, 1))


def parse_width(arguments, default=None):
    """Return the width multiplier of --width, `default` without it."""
    return default if arguments.width is None else parse_value("--width", arguments.width, 1.0)


def parse_architecture(arguments):
    """Return (width, stem, options) of the options of `add_architecture`; the width is None without --width."""
    options = parse_assignments("--model-option", arguments.model_option,
                                registry.get_model_info(arguments.network).options)
    return parse_width(arguments), arguments.stem, options


def add_preprocessing(group):
    """Add --preprocessing, the name of the pixel scaling for --weights; see `pretrained.check_preprocessing`."""
    group.add_argument("--preprocessing", metavar="|".join((*pretrained.PREPROCESSING, pretrained.RUN_PREPROCESSING)),
                       help="pixel scaling that --weights expect; imagenet-caffe: as in Keras's VGGs, BGR minus the "
                            "means; imagenet-torch: as in torchvision's models; symmetric: -1 to 1; none: 0 to 255; "
                            "run: mean 0 and standard deviation 1 of the dataset; default: that of the weights, which "
                            "is printed; for a FILE it is an assumption")


def get_sequence_length(arguments):
    """Return the number of --sequence-length, None without it."""
    return None if arguments.sequence_length is None else parse_int("--sequence-length", arguments.sequence_length, 1)


def get_image_size(arguments):
    """Return (height, width) of --image-size, None without it."""
    return None if arguments.image_size is None else parse_image_size(arguments.image_size)


def parse_image_size(text):
    """Return (height, width) of the value of --image-size: N, for N x N, or HEIGHTxWIDTH."""
    if not re.fullmatch(r"[1-9]\d{0,5}(x[1-9]\d{0,5})?", text):
        raise UserError("--image-size must be a size in pixels, N or HEIGHTxWIDTH, such as 32 or 96x80; got "
                        f"{text!r}")
    return tuple(int(length) for length in (text.split("x") * 2)[:2])
