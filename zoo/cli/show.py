"""python -m zoo show RUN|NET --image FILE: a look inside a network, at what its layers make of a picture."""

import math
import os
import sys
from pathlib import Path

from zoo import registry
from zoo.cli import common, help_text
from zoo.errors import UserError, unknown_name_error
from zoo.training import failures, keras_file, run_config as plans
from zoo.utils.io import expand_user, check_writable

PLOT_DESCRIPTIONS = {"maps": "feature maps of each layer", "filters": "filters of the first layer",
                     "hypercolumn": "feature maps of all layers, upsampled and averaged",
                     "gradcam": "Grad-CAM heatmaps of the most probable classes",
                     "saliency": "gradient of the class score by pixel",
                     "occlusion": "how much hiding each part of the image lowers the class probability",
                     "prediction": "the most probable classes"}
LAYER_PLOTS = ("maps", "hypercolumn", "gradcam")  # for which --layers is
PAGE_FILE = "look.html"
NUM_MAPS, MAX_MAPS = 8, 1024  # of a layer


def build_parser():
    made = common.Parser(
        prog="python -m zoo show", usage="%(prog)s RUN|FILE.keras|NET --image FILE [OPTION ...]",
        description="Look inside a network: write an HTML page with its feature maps, filters, Grad-CAM, saliency, "
                    "occlusion and prediction for one image, or only one of these as a figure (--what).",
        epilog=help_text.join_sections(help_text.format_models(), help_text.format_model_options(),
                                       help_text.format_help_table("figures (--what)", [*PLOT_DESCRIPTIONS.items()])),
        examples=("runs/mine --image cat.png", "resnet18 --weights cifar10 --image cat.png --what gradcam -o cam.png",
                  "vgg16 --size 64 --image cat.png --layers pool1,pool3 --maps 16 -o look/"))
    made.add_argument("network", metavar="RUN|FILE.keras|NET",
                      help="model to look into; RUN: a run directory; FILE.keras: a Keras model that takes raw pixels "
                           "(0 to 255); NET: the name of a network, with random weights unless --weights is given")
    made.add_argument("--image", metavar="FILE", required=True,
                      help="image file of any size and common format; required")
    content = made.add_argument_group("content and output")
    content.add_argument("--what", metavar="|".join(PLOT_DESCRIPTIONS),
                         help="write only this figure, see below; default: an HTML " "page with all of them")
    content.add_argument("--layers", metavar="A,B|every|stages",
                         help="layers to show as maps, hypercolumn or gradcam; A,B: names with commas between them "
                              "(python -m zoo draw NET --detail layers shows them); every: all layers; stages: the "
                              "last layer of each stage; default: stages, or with --what gradcam the last layer with "
                              "feature maps")
    content.add_argument("--maps", metavar="N", help=f"number of feature maps to show of each layer, 1 to {MAX_MAPS}; "
                                                     f"default: {NUM_MAPS}")
    content.add_argument("-o", "--output", metavar="FILE|FOLDER",
                         help="file to write: .html for the page, .png, .pdf or .svg with --what; a folder gets the "
                         f"page and all figures, or the one of --what; default: {PAGE_FILE}, or MODEL-WHAT.png with "
                         "--what")
    weights = made.add_argument_group("weights")
    weights.add_argument("--weights", metavar="imagenet|cifar10|mnist|FILE",
                         help="weights for NET; imagenet, cifar10, mnist: published or bundled weights (python -m zoo "
                              "list shows which networks have them); FILE: a weights file, see docs/weights.md; "
                              "default: random weights")
    common.add_preprocessing(weights)
    common.add_checkpoint(weights)
    common.add_model_options(made.add_argument_group("model",
                                                     "how NET is built; a run and a .keras file are built already "
                                                     "(--size goes with a .keras file that takes images of any "
                                                     "size)"), aux=False)
    common.add_gpu(made.add_argument_group("device"))
    return made


def parse_layers(text, plot_name):
    """Return "every", "stages", or the list of the names; UserError where one kind of picture, `what`, has no use for
    them.
    """
    if text is None:
        return "stages"
    names = [name.strip() for name in text.split(",")]
    if not all(names):
        raise UserError(f"--layers is every, stages, or names of layers with commas between them; given {text!r}")
    if plot_name is not None and plot_name not in LAYER_PLOTS:
        raise UserError(f"--layers is for {', '.join(LAYER_PLOTS)}; leave it out with --what {plot_name}")
    if names not in (["every"], ["stages"]):
        return names
    if plot_name == "gradcam":
        raise UserError(f"--what gradcam takes names of layers, or without --layers the last grid; given {text!r}")
    return names[0]


def parse_num_maps(text, plot_name):
    """Return how many maps of a layer."""
    if text is not None and plot_name not in (None, "maps"):
        raise UserError(f"--maps is for --what maps and for the page; leave it out with --what {plot_name}")
    return NUM_MAPS if text is None else common.parse_int("--maps", text, 1, MAX_MAPS)


def parse_input_size(arguments):
    """Return (height, width) that --size gives a .keras file that takes pictures of any; None otherwise."""
    return common.parse_image_size(arguments.size) if arguments.size is not None and arguments.network.endswith(".keras") else None


def check_memory(size):
    """Raise MemoryError where not even the picture of --size fits: the system would kill the process without a word."""
    needed = 0 if size is None else math.prod(common.parse_image_size(size)) * 3 * 4  # channels, bytes of a float
    if needed > failures.get_free_memory():
        raise MemoryError


def resolve_inspected_model(arguments):
    """Return the function without arguments that gives the Subject once a backend is loaded; UserError before it."""
    name, path, checkpoint = arguments.network, expand_user(arguments.network), common.parse_checkpoint(arguments)
    given = [flag for flag in ("size", "channels", "classes", "aux", "option", "weights", "preset", "width",
                               "preprocessing")
             if getattr(arguments, flag)]
    given += ["stem"] if arguments.stem != "auto" else []
    is_file = path.suffix == ".keras" and path.is_file()
    if (path.is_dir() or is_file) and set(given) - ({"size"} if is_file else set()):
        raise UserError(f"--{given[0]} is for a network's name; {name} is built already")
    if path.is_dir():
        from zoo.training import run_files

        facts = run_files.read_config(path)
        if not isinstance(facts.get("blueprint"), dict):
            raise UserError(f"{path / 'run.json'} does not say how the network is built: it is of an earlier zoo")
        plans.find_checkpoint(path, checkpoint)
        return lambda subject: subject.load_inspected_run(path, facts, checkpoint)
    if checkpoint != "best":
        raise UserError(f"--checkpoint is for runs; {name} holds one set of weights at most")
    if is_file:
        keras_file.check_keras_file(path)
        return lambda subject: subject.load_inspected_file(path)
    if path.suffix or os.sep in name:
        raise UserError(f"{name} is neither a run directory nor a .keras file that is there, nor a network's name")
    registry.get_model_info(name)
    if arguments.aux:
        raise UserError("only what the main output needs is looked at; leave out --aux")
    if arguments.weights is None and arguments.preprocessing:
        raise UserError("--preprocessing is for --weights; leave it out")
    if arguments.weights is None:
        blueprint = common.parse_model_config(name, arguments)
        return lambda subject: subject.build_inspected_untrained(blueprint)
    source = resolve_weights(arguments)
    arguments.stem = source.resolve_stem(arguments.stem)
    base = source.bundled_weights.model_config if source.bundled_weights else registry.resolve_model_config(name, options=source.implied_options)
    blueprint = common.parse_model_config(name, arguments, base)
    source.check(blueprint, include_top=True)
    return lambda subject: subject.build_inspected_pretrained(blueprint, source)


def resolve_weights(arguments):
    """Return the Source of --weights; UserError where it does not say which pixels it takes."""
    from zoo.weights import pretrained, sources

    if arguments.weights not in pretrained.PRETRAINED_NAMES and expand_user(arguments.weights).is_dir():
        raise UserError(f"{arguments.weights} is a run: python -m zoo show {arguments.weights} looks into it")
    source = sources.resolve_weights_source(arguments.weights,
                                            arguments.network).replace_preprocessing(arguments.preprocessing)
    if source.scaling is None and arguments.weights.endswith(".keras"):
        raise UserError(f"{arguments.weights} is a whole model: python -m zoo show {arguments.weights} looks into it")
    if source.scaling is None:
        raise UserError(f"{arguments.weights} does not say how its pixels are scaled: give --preprocessing, such as "
                        "symmetric; or put a Rescaling layer before the model, save it as .keras, and show that")
    return source


def resolve_output(arguments):
    """Return (Path, whether it is a folder) of what is to be written; UserError where nothing can be."""
    stem = Path(arguments.network).name.removesuffix(".keras")
    default = PAGE_FILE if arguments.what is None else f"{stem}-{arguments.what}.png"
    path = expand_user(arguments.output or default)
    is_folder = path.is_dir() or bool(arguments.output and not path.suffix)
    if arguments.what is not None and not is_folder:
        from zoo.diagrams import save

        return save.check_scene_path(path), False
    if not is_folder and path.suffix.lower() != ".html":
        raise UserError(f"without --what a page is written, a .html file, or a folder; given {str(path)!r}")
    check_writable(path / PAGE_FILE if path.is_dir() else path)
    return path, is_folder


def refuse_overwriting_image(image, path, is_folder, plot_name):
    """Raise UserError where what is to be written, see `resolve_output`, would be written over the picture."""
    names = [f"{plot_name}.png"] if plot_name is not None else [PAGE_FILE,
                                                                *(f"{each}.png" for each in PLOT_DESCRIPTIONS)]
    for each in [path / name for name in names] if is_folder else [path]:
        if each.exists() and each.samefile(image):
            raise UserError(f"{each} is the picture of --image, which would be lost; give another name with -o")


def read_white_levels(path):
    """Return how a run scaled images of more than eight bits; None where it had none, and for what is no run."""
    from zoo.training import run_files

    return run_files.read_config(path)["dataset"].get("white") if path.is_dir() else None


def open_requested_image(path):
    """Return the picture of a file as Pillow has it; UserError if it is none."""
    from zoo.data import image_io

    if os.path.isdir(path):
        raise UserError(f"--image is one picture; {path} is a folder")
    if not os.path.lexists(path):
        raise UserError(f"there is no {path}; --image is a picture's file")
    return image_io.load_image(path)


def write_page_and_plots(image_inspection, folder, num_maps):
    """Write the page and a picture of each kind into `folder`; what the network has not got is said."""
    from zoo.plots import inspection_plots
    from zoo.reports import inspection

    folder.mkdir(exist_ok=True)
    inspection.write_inspection_page(image_inspection, num_maps, folder / PAGE_FILE)
    print(folder / PAGE_FILE)
    for what in PLOT_DESCRIPTIONS:
        try:
            inspection_plots.save_inspection_plot(image_inspection, what, num_maps, folder / f"{what}.png")
            print(folder / f"{what}.png")
        except UserError as error:
            print(f"no {what}: {error}")


def show_model(argv):
    arguments = build_parser().parse_intermixed_args(argv)
    if arguments.what is not None and arguments.what not in PLOT_DESCRIPTIONS:
        raise unknown_name_error("picture", arguments.what, PLOT_DESCRIPTIONS)
    count, layers = parse_num_maps(arguments.maps, arguments.what), parse_layers(arguments.layers, arguments.what)
    sides = parse_input_size(arguments)
    subject_of = resolve_inspected_model(arguments)
    picture = open_requested_image(expand_user(arguments.image))
    path, is_folder = resolve_output(arguments)
    refuse_overwriting_image(expand_user(arguments.image), path, is_folder, arguments.what)
    check_memory(arguments.size)
    common.load_keras(*common.select_device(arguments.gpu, arguments.backend))

    from zoo.data import image_io
    from zoo.plots import fonts, inspected_model as subject, inspection_plots
    from zoo.plots.inspection import ImageInspection
    from zoo.reports import inspection

    found = subject_of(subject)
    fitted = image_io.prepare_image(picture, subject.resolve_input_shape(found, sides),
                                    read_white_levels(expand_user(arguments.network)))
    source = ", ".join(filter(None, (Path(arguments.image).name, fitted.transformations)))
    view = ImageInspection(found, fitted.pixels, layers, source)
    if is_folder and arguments.what is None:
        write_page_and_plots(view, path, count)
    elif arguments.what is None:
        inspection.write_inspection_page(view, count, path)
        print(f"{path}: {found.title}, {found.note}")
    else:
        if is_folder:
            path.mkdir(exist_ok=True)
            path = path / f"{arguments.what}.png"
        inspection_plots.save_inspection_plot(view, arguments.what, count, path)
        print(f"{path}: {found.title}, {found.note}")
    note = fonts.format_undrawable_note(found.class_names or (), f"{PAGE_FILE}, without --what,")
    if note and (is_folder or arguments.what is not None):  # a page has the letters of the reader's fonts
        print(f"note: {note}", file=sys.stderr)


def execute_show(argv):
    try:
        return show_model(argv)
    except UserError:
        raise
    except Exception as error:  # each backend has its own for want of memory
        if not failures.is_out_of_memory(error):
            raise
        print("error: out of memory; a smaller --size or --width may help, or fewer --layers", file=sys.stderr)
        return 5


def main(argv=None):
    return common.run_command(execute_show, argv)


if __name__ == "__main__":
    sys.exit(main())
