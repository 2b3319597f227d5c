"""python -m zoo draw NET: an architecture diagram of a network, in a file."""

import argparse
import sys
import textwrap

from zoo import devices, env, registry
from zoo.cli import common
from zoo.errors import UserError, unknown

DETAILS = ("stages", "blocks", "layers")
THEMES = ("light", "dark")
DIRECTIONS = ("down", "right")
STYLES = ("boxes", "volumes")


def parser():
    made = common.Parser(prog="python -m zoo draw", formatter_class=argparse.RawDescriptionHelpFormatter,
                         description="Draw a network's architecture into a file; its ending says which kind.",
                         epilog=textwrap.fill(f"networks: {', '.join(registry.SPECS)}", 80))
    made.add_argument("networks", metavar="NET", nargs="*", help="a network's name, see below; two with --compare")
    made.add_argument("-o", "--output", metavar="FILE",
                      help="the ending says the kind: .svg, .png, .pdf, .dot, .mmd (Mermaid), .html; default: NET.svg")
    made.add_argument("--compare", action="store_true", help="draw two networks side by side at the same scale")
    made.add_argument("--style", metavar="|".join(STYLES), default="boxes",
                      help="volumes are blocks, one for each grid of features, whose sides are as the square roots of "
                           "the grid's, for chains such as lenet5, alexnet and vgg16; default: boxes")
    made.add_argument("--detail", metavar="|".join(DETAILS), default="blocks",
                      help="a row of boxes, a box for each module of the paper, or every layer; default: blocks")
    made.add_argument("--direction", metavar="|".join(DIRECTIONS),
                      help="of the flow; default: right for stages, else down")
    made.add_argument("--theme", metavar="|".join(THEMES), default="light", help="default: light")
    made.add_argument("--gallery", metavar="DIR", help="draw every network at every level, with a page to look at them")
    common.add_network(made)
    return made


def load_backend():
    """Load Keras, which sees no GPU: what is drawn needs no weights."""
    backend = env.backend()
    devices.prepare(devices.choose("none", []))
    if sys.stdout.isatty():
        print(f"loading {backend} ...", end="\r", flush=True)  # seconds; the next line is written over it
    with devices.quiet():
        import keras  # noqa: F401


def draw(arguments):
    """Draw one network, or two side by side, and say where the picture is."""
    from zoo.diagrams import diagram

    blueprints = [common.blueprint_of(name, arguments) for name in arguments.networks]
    how = arguments.theme, arguments.direction
    path = arguments.output or f"{'-'.join(arguments.networks)}.svg"
    diagram.file_for(path, "compared" if arguments.compare else arguments.style, arguments.direction)
    load_backend()
    subjects = [diagram.of_blueprint(blueprint) for blueprint in blueprints]
    if arguments.compare:
        drawing = diagram.compared(subjects, arguments.detail, *how)
    else:
        drawing = diagram.diagram(*subjects, None, arguments.detail, *how, arguments.style)
    drawing.save(path)
    print(f"{path}: {' and '.join(arguments.networks)}")


def draw_gallery(folder, theme):
    """Draw every network at every level, and the page that shows them."""
    from zoo.diagrams import gallery

    place = gallery.checked(folder)
    load_backend()
    for number, path in enumerate(gallery.draw(place, DETAILS, theme), start=1):
        print(f"{number:3} {path}", flush=True)


def command(argv):
    arguments = parser().parse_intermixed_args(argv)  # NET --compare NET too
    for what, given, known in (("detail", arguments.detail, DETAILS), ("theme", arguments.theme, THEMES),
                               ("style", arguments.style, STYLES), ("direction", arguments.direction, DIRECTIONS)):
        if given not in (None, *known):
            raise unknown(what, given, known)
    if arguments.gallery is not None:
        if arguments.networks or arguments.output is not None:
            raise UserError("--gallery draws every network into its own folder; leave out NET and --output")
        if arguments.direction or arguments.style != "boxes" or arguments.compare:
            raise UserError("--gallery draws boxes, each level in its usual direction; leave out --direction, --style "
                            "and --compare")
        return draw_gallery(arguments.gallery, arguments.theme)
    if not arguments.networks:
        raise UserError(f"which network? one of {', '.join(registry.SPECS)}; see python -m zoo draw --help")
    for name in arguments.networks:
        registry.find(name)
    if len(arguments.networks) != (2 if arguments.compare else 1):
        raise UserError(f"one network is drawn at a time, two with --compare; given {' '.join(arguments.networks)}")
    if arguments.style == "volumes" and (arguments.compare or arguments.detail != "blocks"):
        raise UserError("--style volumes goes with neither --compare nor --detail; leave them out")
    if arguments.direction == "down" and arguments.style == "volumes":
        raise UserError("volumes stand from left to right; leave out --direction, or use --style boxes")
    return draw(arguments)


def main(argv=None):
    return common.run(command, argv)


if __name__ == "__main__":
    sys.exit(main())
