"""python -m zoo visualize RUN|MODEL --image FILE: visualize feature maps, filters and heatmaps for an image."""

import math
import os
import sys
from pathlib import Path

from zoo import registry
from zoo.cli import common
from zoo.cli.visualize_parser import (CLASS_PLOTS, LAYER_PLOTS, MAX_MAPS, NUM_MAPS, PAGE_FILE, PLOT_DESCRIPTIONS,
                                      build_parser)
from zoo.errors import UserError, unknown_name_error
from zoo.modality import IMAGE, TEXT
from zoo.training import keras_file, run_config
from zoo.utils.flag_names import translate_keywords
from zoo.utils.io import expand_user, check_writable
from zoo.utils.process_memory import get_free_memory
from zoo.weights import pretrained


def parse_layers(text, plot_name):
    """Return "all", "stages", or the list of layer names; UserError if the plot does not support them."""
    if text is None:
        return "stages"
    names = [name.strip() for name in text.split(",")]
    if not all(names):
        raise UserError(f"--layers must be all, stages, or layer names separated by commas; got {text!r}")
    if plot_name is not None and plot_name not in LAYER_PLOTS:
        raise UserError(f"--layers is only for {', '.join(LAYER_PLOTS)}; omit it with --plot {plot_name}")
    if names not in (["all"], ["stages"]):
        return names
    if plot_name == "gradcam":
        raise UserError("--plot gradcam takes layer names, or without --layers the last layer with feature maps; got "
                        f"{text!r}")
    return names[0]


def parse_target_classes(text, plot_name):
    """Return the list of class names or labels, or None; UserError if the plot does not support them."""
    if text is None:
        return None
    if plot_name is not None and plot_name not in CLASS_PLOTS:
        raise UserError(f"--target-classes is only for {', '.join(CLASS_PLOTS)}; omit it with --plot {plot_name}")
    names = [name.strip() for name in text.split(",")]
    if not all(names):
        raise UserError(f"--target-classes must be class names or labels separated by commas; got {text!r}")
    return names


def parse_num_maps(text, plot_name):
    """Return the number of feature maps to show of each layer."""
    if text is not None and plot_name not in (None, "feature-maps"):
        raise UserError(f"--num-maps is only for --plot feature-maps and for the page; omit it with --plot {plot_name}")
    return NUM_MAPS if text is None else common.parse_int("--num-maps", text, 1, MAX_MAPS)


def parse_input_size(arguments):
    """Return (height, width) of --image-size for a .keras file that takes images of any size; None otherwise."""
    if arguments.image_size is None or not arguments.network.endswith(".keras"):
        return None
    return common.parse_image_size(arguments.image_size)


def check_memory(size):
    """Raise MemoryError if not even the image of --image-size fits: the system would kill the process silently."""
    num_bytes = 0 if size is None else math.prod(common.parse_image_size(size)) * 3 * 4  # channels, bytes of a float
    if num_bytes > get_free_memory():
        raise MemoryError


def find_run_directory(name):
    """Return the Path of the run that RUN|MODEL names, None for a .keras file or the name of a model.

    A folder that has the name of a model is a run only if it has a run.json.
    """
    path = expand_user(name)
    return path if path.is_dir() and (name not in registry.MODELS or (path / "run.json").is_file()) else None


def resolve_inspected_model(arguments):
    """Return a function of the module inspected_model that loads the model; UserError before a backend is loaded."""
    name, path, checkpoint = arguments.network, expand_user(arguments.network), common.parse_checkpoint(arguments)
    flags = [flag for flag in ("image_size", "channels", "classes", "aux", "model_option", "weights", "preset", "width",
                               "preprocessing", "sequence_length")
             if getattr(arguments, flag)]
    flags += ["stem"] if arguments.stem != "auto" else []
    is_file, run = path.suffix == ".keras" and path.is_file(), find_run_directory(name)
    if (run or is_file) and set(flags) - ({"image_size"} if is_file else set()):
        raise UserError(f"--{flags[0].replace('_', '-')} is only for a model's name; {name} is already built")
    if run:
        from zoo.training import run_files

        config = run_files.read_config(run)
        run_files.check_model_config(run, config)
        run_config.find_checkpoint(run, checkpoint)
        return lambda inspected_model: inspected_model.load_inspected_run(run, config, checkpoint)
    if checkpoint != "best":
        raise UserError(f"--checkpoint is only for runs; {name} has at most one set of weights")
    if is_file:
        keras_file.check_keras_file(path)
        return lambda inspected_model: inspected_model.load_inspected_file(path)
    if path.suffix or os.sep in name:
        raise UserError(f"{name} is neither a run directory, nor an existing .keras file, nor a model's name")
    registry.get_model_info(name)
    if arguments.aux:
        raise UserError("only the layers of the main output are shown; omit --aux")
    if arguments.weights is None and arguments.preprocessing:
        raise UserError("--preprocessing is only for --weights; omit it")
    if arguments.weights is None:
        model_config = common.parse_model_config(name, arguments)
        return lambda inspected_model: inspected_model.build_inspected_untrained(model_config)
    source = resolve_weights(arguments)
    base = (source.bundled_weights.model_config if source.bundled_weights
            else registry.resolve_model_config(name, options=source.implied_options))
    model_config = common.parse_model_config(name, arguments, base, source.resolve_stem(arguments.stem))
    source.check(model_config, include_top=True)
    return lambda inspected_model: inspected_model.build_inspected_pretrained(model_config, source)


def resolve_weights(arguments):
    """Return the WeightsSource of --weights; UserError if its pixel scaling is unknown."""
    from zoo.weights import sources

    pretrained.check_weights(arguments.weights, arguments.network)
    run = pretrained.find_run(arguments.weights)
    if run:
        raise UserError(f"{run} is a run: type python -m zoo visualize "
                        f"{common.format_run_arguments(run, arguments.weights)}")
    source = sources.resolve_weights_source(arguments.weights,
                                            arguments.network).replace_preprocessing(arguments.preprocessing)
    if source.scaling is None and arguments.weights.endswith(".keras"):
        raise UserError(f"{arguments.weights} is a complete model: type python -m zoo visualize {arguments.weights}")
    if source.scaling is None:
        raise UserError(f"{arguments.weights} does not specify its pixel scaling: give --preprocessing, such as "
                        "symmetric; or put a Rescaling layer before the model, save it as .keras, and show that")
    return source


def resolve_output(arguments):
    """Return (output Path, whether it is a folder); UserError if it cannot be written."""
    stem = Path(arguments.network).name.removesuffix(".keras")
    default = PAGE_FILE if arguments.plot is None else f"{stem}-{arguments.plot}.png"
    path = expand_user(arguments.output or default)
    is_folder = path.is_dir() or bool(arguments.output and not path.suffix)
    if arguments.plot is not None and not is_folder:
        from zoo.diagrams import save

        return save.check_scene_path(path), False
    if not is_folder and path.suffix.lower() != ".html":
        raise UserError(f"without --plot the output is a page, a .html file, or a folder; got {str(path)!r}")
    check_writable(path / PAGE_FILE if path.is_dir() else path)
    return path, is_folder


def refuse_overwriting_image(image, path, is_folder, plot_name):
    """Raise UserError if the output, see `resolve_output`, would overwrite the image."""
    if plot_name is not None:
        names = [f"{plot_name}.png"]
    else:
        names = [PAGE_FILE, *(f"{name}.png" for name in PLOT_DESCRIPTIONS)]
    for output in [path / name for name in names] if is_folder else [path]:
        if output.exists() and output.samefile(image):
            raise UserError(f"{output} is the image of --image, which would be overwritten; give another name with -o")


def open_requested_image(path):
    """Return the Pillow image of a file; UserError if it is not an image."""
    from zoo.data import image_io

    if os.path.isdir(path):
        raise UserError(f"--image must be one image file; {path} is a folder")
    if not os.path.lexists(path):
        raise UserError(f"the image file {path} is not found; check --image")
    return image_io.load_image(path)


def write_page_and_plots(image_inspection, folder, num_maps):
    """Write the page and every plot into `folder`; print which plots the model does not support."""
    from zoo.plots import inspection_plots
    from zoo.reports import inspection

    folder.mkdir(exist_ok=True)
    inspection.write_inspection_page(image_inspection, num_maps, folder / PAGE_FILE)
    common.print_lines(folder / PAGE_FILE)
    for plot_name in PLOT_DESCRIPTIONS:
        try:
            inspection_plots.save_inspection_plot(image_inspection, plot_name, num_maps, folder / f"{plot_name}.png")
            common.print_lines(folder / f"{plot_name}.png")
        except UserError as error:
            common.print_lines(translate_keywords(f"no {plot_name}: {error}"))


def find_modality(name):
    """Return the Modality of a run directory or of a network's name, and of a .keras file that of images."""
    run = find_run_directory(name)
    if run:
        from zoo.training import run_files

        return run_files.get_run_modality(run_files.read_config(run))
    return registry.MODELS[name].modality if name in registry.MODELS else IMAGE


def show_text_run(arguments):
    """Write the page of a run on texts: the n-grams that activate each filter most, and the prediction for the text."""
    name, run = arguments.network, find_run_directory(arguments.network)
    for flag, value in (("--plot", arguments.plot), ("--layers", arguments.layers), ("--num-maps", arguments.num_maps),
                        ("--target-classes", arguments.target_classes)):
        if value is not None:
            TEXT.require(flag, name, "omit it")
    if not run:
        raise UserError(f"{name} knows no words before it is trained; give the directory of a run")
    resolve_inspected_model(arguments)  # refuses what is only for a network's name
    output, is_folder = resolve_output(arguments)
    output = output / PAGE_FILE if is_folder else output
    refuse_overwriting_image(expand_user(arguments.image), output, False, None)
    common.load_keras(*common.select_device(arguments.gpu, arguments.backend))

    from zoo.runs.run import Run

    inspection = Run(run).inspect(arguments.image, checkpoint=arguments.checkpoint)
    output.parent.mkdir(exist_ok=True)
    common.print_lines(f"{inspection.report(output)}: {inspection.title}, n-grams of {inspection.source}")
    if inspection.note:
        common.print_lines(f"note: {inspection.name}: {inspection.note}", file=sys.stderr)


def show_image_model(arguments):
    """Write the page or the figures of a model for images."""
    if arguments.plot is not None and arguments.plot not in PLOT_DESCRIPTIONS:
        raise unknown_name_error("figure", arguments.plot, PLOT_DESCRIPTIONS)
    num_maps = parse_num_maps(arguments.num_maps, arguments.plot)
    layers = parse_layers(arguments.layers, arguments.plot)
    target_classes = parse_target_classes(arguments.target_classes, arguments.plot)
    input_size = parse_input_size(arguments)
    load_model, run = resolve_inspected_model(arguments), find_run_directory(arguments.network)
    image = open_requested_image(expand_user(arguments.image))
    path, is_folder = resolve_output(arguments)
    refuse_overwriting_image(expand_user(arguments.image), path, is_folder, arguments.plot)
    check_memory(arguments.image_size)
    common.load_keras(*common.select_device(arguments.gpu, arguments.backend))

    from zoo.data import image_io
    from zoo.plots import fonts, inspected_model, inspection_plots
    from zoo.plots.inspection import ImageInspection
    from zoo.reports import inspection
    from zoo.training import run_files

    model = load_model(inspected_model)
    prepared_image = image_io.prepare_image(image, inspected_model.resolve_input_shape(model, input_size),
                                            run_files.read_white_levels(run) if run else None)
    source = ", ".join(filter(None, (Path(arguments.image).name, prepared_image.transformations)))
    image_inspection = ImageInspection(model, prepared_image.pixels, layers, source, target_classes)
    if is_folder and arguments.plot is None:
        write_page_and_plots(image_inspection, path, num_maps)
    elif arguments.plot is None:
        inspection.write_inspection_page(image_inspection, num_maps, path)
        common.print_lines(f"{path}: {model.title}, {model.note}")
    else:
        if is_folder:
            path.mkdir(exist_ok=True)
            path = path / f"{arguments.plot}.png"
        inspection_plots.save_inspection_plot(image_inspection, arguments.plot, num_maps, path)
        common.print_lines(f"{path}: {model.title}, {model.note}")
    note = fonts.format_undrawable_note(model.class_names or (), f"{PAGE_FILE}, without --plot,")
    if note and (is_folder or arguments.plot is not None):  # a page uses the fonts of the browser
        common.print_lines(f"note: {note}", file=sys.stderr)


def execute_visualize(argv):
    arguments = build_parser().parse_intermixed_args(argv)
    with common.convert_out_of_memory("a smaller --image-size or --width may help, or fewer --layers"):
        return find_modality(arguments.network).get_function("visualize")(arguments)


def main(argv=None):
    return common.run_command(execute_visualize, argv)
