"""python -m zoo diagram MODEL: draw the architecture of a model as a diagram."""

from zoo import registry
from zoo.cli import common, help_text
from zoo.diagrams.options import DETAILS, RANKDIRS, STYLES, THEME_NAMES, check_diagram_options
from zoo.errors import UserError


def build_parser():
    parser = common.Parser(
        prog="python -m zoo diagram", usage="%(prog)s MODEL [MODEL --compare] [-o FILE] [OPTION ...]",
        description="Draw the architecture of a model as a diagram.",
        epilog=help_text.join_sections(help_text.format_models(), help_text.format_model_options()),
        examples=("resnet18", "vgg16 --style volumes -o vgg16.pdf",
                  "resnet18 resnet34 --compare --detail stages -o resnets.png",
                  "resnet34 --image-size 32 --classes 10 --detail layers --theme dark"))
    parser.add_argument("networks", metavar="MODEL", nargs="*",
                        help="name of the model; two names with --compare, none with --gallery; all names are listed "
                             "below")
    output = parser.add_argument_group("output")
    output.add_argument("-o", "--output", metavar="FILE",
                        help="file to write, whose suffix is its format: .svg, .png, .pdf, .html (interactive page), "
                             ".dot (Graphviz) or .mmd (Mermaid); default: MODEL.svg, or MODEL-MODEL.svg "
                             "with --compare")
    output.add_argument("--gallery", metavar="DIR", help="draw every model at every --detail into this folder, with "
                                                         "a page that shows them")
    diagram = parser.add_argument_group("diagram")
    diagram.add_argument("--compare", action="store_true", help="draw two models side by side at the same scale")
    diagram.add_argument("--style", metavar="|".join(STYLES), default="boxes",
                         help="boxes: a box for each layer or module; volumes: feature maps as 3-D blocks, whose edges "
                              "scale with the square root of their size, for chains such as lenet5, alexnet and vgg16; "
                              "default: boxes")
    diagram.add_argument("--detail", metavar="|".join(DETAILS), default="blocks",
                         help="level of detail; stages: one row with a box for each stage; blocks: a box for each "
                              "module of the paper, and the inside of each kind of module; layers: every layer with "
                              "its name; default: blocks")
    diagram.add_argument("--rankdir", metavar="|".join(RANKDIRS),
                         help="direction of the data flow, TB: top to bottom, LR: left to right; volumes are always "
                              "LR, and .html pages TB; default: LR for stages, otherwise TB")
    diagram.add_argument("--theme", metavar="|".join(THEME_NAMES), default="light",
                         help="colors for a light or a dark background; default: light")
    common.add_model_options(parser.add_argument_group("model"))
    return parser


def write_diagram(arguments):
    """Draw one model, or two side by side, and print the path of the diagram."""
    from zoo.diagrams import diagram

    model_configs = [common.parse_model_config(name, arguments) for name in arguments.networks]
    layout = arguments.theme, arguments.rankdir
    path = arguments.output or f"{'-'.join(arguments.networks)}.svg"
    diagram.check_diagram_path(path, "compared" if arguments.compare else arguments.style, arguments.rankdir)
    common.load_keras_on_cpu()
    sources = [diagram.make_source_from_config(model_config) for model_config in model_configs]
    if arguments.compare:
        drawing = diagram.draw_comparison(sources, arguments.detail, *layout)
    else:
        drawing = diagram.draw_diagram(*sources, None, arguments.detail, *layout, arguments.style)
    drawing.save(path)
    common.print_lines(f"{path}: {' and '.join(arguments.networks)}")


def write_diagram_gallery(folder, theme):
    """Draw every model at every level of detail, and write the page that shows them."""
    from zoo.diagrams import gallery

    gallery_folder = gallery.prepare_gallery_folder(folder)
    common.load_keras_on_cpu()
    for index, path in enumerate(gallery.write_gallery(gallery_folder, theme), start=1):
        common.print_lines(f"{index:3} {path}")


def execute_diagram(argv):
    arguments = build_parser().parse_intermixed_args(argv)  # also MODEL --compare MODEL
    check_diagram_options(detail=arguments.detail, theme=arguments.theme, rankdir=arguments.rankdir,
                          style=arguments.style)
    if arguments.gallery is not None:
        if arguments.networks or arguments.output is not None:
            raise UserError("--gallery draws every model into its own folder; omit MODEL and --output")
        if arguments.rankdir or arguments.style != "boxes" or arguments.compare:
            raise UserError("--gallery draws boxes, each --detail with its default --rankdir; omit --rankdir, "
                            "--style and --compare")
        return write_diagram_gallery(arguments.gallery, arguments.theme)
    if not arguments.networks:
        raise UserError(f"missing argument MODEL; choose from {', '.join(registry.MODELS)}; see python -m zoo diagram "
                        "--help")
    for name in arguments.networks:
        common.get_named_model_info(name)
    if len(arguments.networks) != (2 if arguments.compare else 1):
        raise UserError("zoo diagram takes one model, or two with --compare; got "
                        f"{' '.join(arguments.networks)}")
    if arguments.style == "volumes" and arguments.compare:
        raise UserError("--style volumes cannot be combined with --compare; omit one of them")
    return write_diagram(arguments)


def main(argv=None):
    return common.run_command(execute_diagram, argv)
