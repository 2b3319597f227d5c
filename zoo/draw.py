"""python -m zoo.draw NET: an architecture diagram of a network, in a file."""

import argparse
import sys
import textwrap

from zoo import catalog, cli, device, settings
from zoo.errors import UserError, unknown

DETAILS = ("stages", "blocks", "layers")
THEMES = ("light", "dark")


def parser():
    made = cli.Parser(prog="python -m zoo.draw", formatter_class=argparse.RawDescriptionHelpFormatter,
                      description="Draw a network's architecture into a file; its ending says which kind.",
                      epilog=textwrap.fill(f"networks: {', '.join(catalog.SPECS)}", 80))
    made.add_argument("network", metavar="NET", nargs="?", help="the network's name, see below")
    made.add_argument("-o", "--output", metavar="FILE", help="default: NET.svg")
    made.add_argument("--detail", metavar="|".join(DETAILS), default="blocks",
                      help="a row of boxes, a box for each module of the paper, or every layer; default: blocks")
    made.add_argument("--theme", metavar="|".join(THEMES), default="light", help="default: light")
    made.add_argument("--gallery", metavar="DIR", help="draw every network at every level, with a page to look at them")
    cli.add_network(made)
    return made


def load_backend():
    """Load Keras, which sees no GPU: what is drawn needs no weights."""
    backend = settings.backend()
    device.prepare(device.choose("none", []))
    if sys.stdout.isatty():
        print(f"loading {backend} ...", end="\r", flush=True)  # seconds; the next line is written over it
    with device.quiet():
        import keras  # noqa: F401


def draw(arguments):
    """Draw one network and say where it is."""
    from zoo.pictures.diagram import diagram, of_blueprint
    from zoo.pictures.export import checked

    blueprint = cli.blueprint_of(arguments.network, arguments)
    path = checked(arguments.output or f"{arguments.network}.svg")
    load_backend()
    diagram(of_blueprint(blueprint), path, arguments.detail, arguments.theme)
    print(f"{path}: {arguments.network}, {arguments.detail}")


def draw_gallery(folder, theme):
    """Draw every network at every level, and the page that shows them."""
    from zoo.pictures import gallery

    place = gallery.checked(folder)
    load_backend()
    for number, path in enumerate(gallery.draw(place, DETAILS, theme), start=1):
        print(f"{number:3} {path}", flush=True)


def command(argv):
    arguments = parser().parse_args(argv)
    if arguments.detail not in DETAILS:
        raise unknown("detail", arguments.detail, DETAILS)
    if arguments.theme not in THEMES:
        raise unknown("theme", arguments.theme, THEMES)
    if arguments.gallery is not None:
        if arguments.network is not None or arguments.output is not None:
            raise UserError("--gallery draws every network into its own folder; leave out NET and --output")
        return draw_gallery(arguments.gallery, arguments.theme)
    if arguments.network is None:
        raise UserError(f"which network? one of {', '.join(catalog.SPECS)}; see python -m zoo.draw --help")
    return draw(arguments)


def main(argv=None):
    return cli.run(command, argv)


if __name__ == "__main__":
    sys.exit(main())
