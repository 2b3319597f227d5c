"""python -m zoo show RUN|NET --image FILE: a look inside a network, at what its layers make of a picture."""

import math
import os
import sys
from pathlib import Path

from zoo import registry
from zoo.cli import common, help_text
from zoo.errors import UserError, unknown
from zoo.training import failures, keras_file, plan as plans
from zoo.utils.io import expanded, writable

WHAT = {"maps": "feature maps of each layer", "filters": "filters of the first layer",
        "hypercolumn": "feature maps of all layers, upsampled and averaged",
        "gradcam": "Grad-CAM heatmaps of the most probable classes", "saliency": "gradient of the class score by pixel",
        "occlusion": "how much hiding each part of the image lowers the class probability",
        "prediction": "the most probable classes"}
OF_LAYERS = ("maps", "hypercolumn", "gradcam")  # for which --layers is
PAGE = "look.html"
MAPS, MOST_MAPS = 8, 1024  # of a layer


def parser():
    made = common.Parser(
        prog="python -m zoo show", usage="%(prog)s RUN|FILE.keras|NET --image FILE [OPTION ...]",
        description="Look inside a network: write an HTML page with its feature maps, filters, Grad-CAM, saliency, "
                    "occlusion and prediction for one image, or only one of these as a figure (--what).",
        epilog=help_text.sections(help_text.networks(), help_text.model_options(),
                                  help_text.table("figures (--what)", [*WHAT.items()])),
        examples=("runs/mine --image cat.png", "resnet18 --weights cifar10 --image cat.png --what gradcam -o cam.png",
                  "vgg16 --size 64 --image cat.png --layers pool1,pool3 --maps 16 -o look/"))
    made.add_argument("network", metavar="RUN|FILE.keras|NET",
                      help="model to look into; RUN: a run directory; FILE.keras: a Keras model that takes raw pixels "
                           "(0 to 255); NET: the name of a network, with random weights unless --weights is given")
    made.add_argument("--image", metavar="FILE", required=True,
                      help="image file of any size and common format; required")
    content = made.add_argument_group("content and output")
    content.add_argument("--what", metavar="|".join(WHAT), help="write only this figure, see below; default: an HTML "
                                                                "page with all of them")
    content.add_argument("--layers", metavar="A,B|every|stages",
                         help="layers to show as maps, hypercolumn or gradcam; A,B: names with commas between them "
                              "(python -m zoo draw NET --detail layers shows them); every: all layers; stages: the "
                              "last layer of each stage; default: stages, or with --what gradcam the last layer with "
                              "feature maps")
    content.add_argument("--maps", metavar="N", help=f"number of feature maps to show of each layer, 1 to {MOST_MAPS}; "
                                                     f"default: {MAPS}")
    content.add_argument("-o", "--output", metavar="FILE|FOLDER",
                         help="file to write: .html for the page, .png, .pdf or .svg with --what; a folder gets the "
                              f"page and all figures, or the one of --what; default: {PAGE}, or MODEL-WHAT.png with "
                              "--what")
    weights = made.add_argument_group("weights")
    weights.add_argument("--weights", metavar="imagenet|cifar10|mnist|FILE",
                         help="weights for NET; imagenet, cifar10, mnist: published or bundled weights (python -m zoo "
                              "list shows which networks have them); FILE: a weights file, see docs/weights.md; "
                              "default: random weights")
    common.add_preprocessing(weights)
    common.add_checkpoint(weights)
    common.add_network(made.add_argument_group("model", "how NET is built; a run and a .keras file are built already "
                                                        "(--size goes with a .keras file that takes images of any "
                                                        "size)"), aux=False)
    common.add_gpu(made.add_argument_group("device"))
    return made


def layers_of(text, what):
    """Return "every", "stages", or the list of the names; UserError where one kind of picture, `what`, has no use for
    them.
    """
    if text is None:
        return "stages"
    names = [name.strip() for name in text.split(",")]
    if not all(names):
        raise UserError(f"--layers is every, stages, or names of layers with commas between them; given {text!r}")
    if what is not None and what not in OF_LAYERS:
        raise UserError(f"--layers is for {', '.join(OF_LAYERS)}; leave it out with --what {what}")
    if names not in (["every"], ["stages"]):
        return names
    if what == "gradcam":
        raise UserError(f"--what gradcam takes names of layers, or without --layers the last grid; given {text!r}")
    return names[0]


def count_of(text, what):
    """Return how many maps of a layer."""
    if text is not None and what not in (None, "maps"):
        raise UserError(f"--maps is for --what maps and for the page; leave it out with --what {what}")
    return MAPS if text is None else common.whole_number("--maps", text, 1, MOST_MAPS)


def sides_of(arguments):
    """Return (height, width) that --size gives a .keras file that takes pictures of any; None otherwise."""
    return common.sides(arguments.size) if arguments.size is not None and arguments.network.endswith(".keras") else None


def check_memory(size):
    """Raise MemoryError where not even the picture of --size fits: the system would kill the process without a word."""
    needed = 0 if size is None else math.prod(common.sides(size)) * 3 * 4  # channels, bytes of a float
    if needed > failures.free_memory():
        raise MemoryError


def source_of(arguments):
    """Return the function without arguments that gives the Subject once a backend is loaded; UserError before it."""
    name, path, checkpoint = arguments.network, expanded(arguments.network), common.checkpoint_of(arguments)
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
        plans.checkpoint(path, checkpoint)
        return lambda subject: subject.of_run(path, facts, checkpoint)
    if checkpoint != "best":
        raise UserError(f"--checkpoint is for runs; {name} holds one set of weights at most")
    if is_file:
        keras_file.check(path)
        return lambda subject: subject.of_file(path)
    if path.suffix or os.sep in name:
        raise UserError(f"{name} is neither a run directory nor a .keras file that is there, nor a network's name")
    registry.find(name)
    if arguments.aux:
        raise UserError("only what the main output needs is looked at; leave out --aux")
    if arguments.weights is None and arguments.preprocessing:
        raise UserError("--preprocessing is for --weights; leave it out")
    if arguments.weights is None:
        blueprint = common.blueprint_of(name, arguments)
        return lambda subject: subject.untrained(blueprint)
    source = weights_of(arguments)
    arguments.stem = source.stem(arguments.stem)
    base = source.bundled.blueprint if source.bundled else registry.blueprint(name, options=source.implied)
    blueprint = common.blueprint_of(name, arguments, base)
    source.check(blueprint, include_top=True)
    return lambda subject: subject.of_weights(blueprint, source)


def weights_of(arguments):
    """Return the Source of --weights; UserError where it does not say which pixels it takes."""
    from zoo.weights import pretrained, sources

    if arguments.weights not in pretrained.NAMES and expanded(arguments.weights).is_dir():
        raise UserError(f"{arguments.weights} is a run: python -m zoo show {arguments.weights} looks into it")
    source = sources.find(arguments.weights, arguments.network).rescale(arguments.preprocessing)
    if source.scaling is None and arguments.weights.endswith(".keras"):
        raise UserError(f"{arguments.weights} is a whole model: python -m zoo show {arguments.weights} looks into it")
    if source.scaling is None:
        raise UserError(f"{arguments.weights} does not say how its pixels are scaled: give --preprocessing, such as "
                        "symmetric; or put a Rescaling layer before the model, save it as .keras, and show that")
    return source


def output_of(arguments):
    """Return (Path, whether it is a folder) of what is to be written; UserError where nothing can be."""
    stem = Path(arguments.network).name.removesuffix(".keras")
    default = PAGE if arguments.what is None else f"{stem}-{arguments.what}.png"
    path = expanded(arguments.output or default)
    is_folder = path.is_dir() or bool(arguments.output and not path.suffix)
    if arguments.what is not None and not is_folder:
        from zoo.diagrams import save

        return save.checked(path), False
    if not is_folder and path.suffix.lower() != ".html":
        raise UserError(f"without --what a page is written, a .html file, or a folder; given {str(path)!r}")
    writable(path / PAGE if path.is_dir() else path)
    return path, is_folder


def spare(image, path, is_folder, what):
    """Raise UserError where what is to be written, see `output_of`, would be written over the picture."""
    names = [f"{what}.png"] if what is not None else [PAGE, *(f"{each}.png" for each in WHAT)]
    for each in [path / name for name in names] if is_folder else [path]:
        if each.exists() and each.samefile(image):
            raise UserError(f"{each} is the picture of --image, which would be lost; give another name with -o")


def white_of(path):
    """Return how a run scaled images of more than eight bits; None where it had none, and for what is no run."""
    from zoo.training import run_files

    return run_files.read_config(path)["dataset"].get("white") if path.is_dir() else None


def of_picture(path):
    """Return the picture of a file as Pillow has it; UserError if it is none."""
    from zoo.data import image_io

    if os.path.isdir(path):
        raise UserError(f"--image is one picture; {path} is a folder")
    if not os.path.lexists(path):
        raise UserError(f"there is no {path}; --image is a picture's file")
    return image_io.opened(path)


def write_all(view, folder, count):
    """Write the page and a picture of each kind into `folder`; what the network has not got is said."""
    from zoo.plots import inspection_plots
    from zoo.reports import inspection

    folder.mkdir(exist_ok=True)
    inspection.write(view, count, folder / PAGE)
    print(folder / PAGE)
    for what in WHAT:
        try:
            inspection_plots.save(view, what, count, folder / f"{what}.png")
            print(folder / f"{what}.png")
        except UserError as error:
            print(f"no {what}: {error}")


def look(argv):
    arguments = parser().parse_intermixed_args(argv)
    if arguments.what is not None and arguments.what not in WHAT:
        raise unknown("picture", arguments.what, WHAT)
    count, layers = count_of(arguments.maps, arguments.what), layers_of(arguments.layers, arguments.what)
    sides = sides_of(arguments)
    subject_of = source_of(arguments)
    picture = of_picture(expanded(arguments.image))
    path, is_folder = output_of(arguments)
    spare(expanded(arguments.image), path, is_folder, arguments.what)
    check_memory(arguments.size)
    common.load(*common.choose_device(arguments.gpu, arguments.backend))

    from zoo.data import image_io
    from zoo.plots import fonts, inspected_model as subject, inspection_plots
    from zoo.plots.inspection import View
    from zoo.reports import inspection

    found = subject_of(subject)
    fitted = image_io.fitted(picture, subject.sides(found, sides), white_of(expanded(arguments.network)))
    source = ", ".join(filter(None, (Path(arguments.image).name, fitted.done)))
    view = View(found, fitted.pixels, layers, source)
    if is_folder and arguments.what is None:
        write_all(view, path, count)
    elif arguments.what is None:
        inspection.write(view, count, path)
        print(f"{path}: {found.title}, {found.note}")
    else:
        if is_folder:
            path.mkdir(exist_ok=True)
            path = path / f"{arguments.what}.png"
        inspection_plots.save(view, arguments.what, count, path)
        print(f"{path}: {found.title}, {found.note}")
    note = fonts.note_undrawable(found.names or (), f"{PAGE}, without --what,")
    if note and (is_folder or arguments.what is not None):  # a page has the letters of the reader's fonts
        print(f"note: {note}", file=sys.stderr)


def command(argv):
    try:
        return look(argv)
    except UserError:
        raise
    except Exception as error:  # each backend has its own for want of memory
        if not failures.is_memory(error):
            raise
        print("error: out of memory; a smaller --size or --width may help, or fewer --layers", file=sys.stderr)
        return 5


def main(argv=None):
    return common.run(command, argv)


if __name__ == "__main__":
    sys.exit(main())
