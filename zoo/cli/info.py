"""python -m zoo info NET: what a network consists of, stage by stage, and where it departs from its paper."""

import json
import shutil
import sys
import textwrap

from zoo import devices, env, registry
from zoo.cli import common, help_text
from zoo.errors import UserError
from zoo.utils.table import format_table
from zoo.utils.validation import parsed, workload

WIDEST = 110  # columns: longer lines of prose read badly
LABEL = 10  # columns before a row's words
LEAST_BAR = 6  # columns: shorter bars say nothing


def parser():
    made = common.Parser(
        prog="python -m zoo info", usage="%(prog)s NET [OPTION ...]",
        description="Print a summary of a network by stage (output shape, receptive field, stride, parameters, "
                    "multiply-adds), its options, the memory that it needs, and its differences from the paper.",
        epilog=help_text.sections(help_text.networks(), help_text.model_options()),
        examples=("resnet34", "resnet34 --size 32 --classes 10 --batch 64 --memory 16",
                  "googlenet --aux --option dropout=0.2 --json"))
    made.add_argument("network", metavar="NET", nargs="?", help="name of the network; all names are listed below")
    made.add_argument("--json", action="store_true", help="print all of it, and every layer, as JSON")
    common.add_network(made.add_argument_group("model"))
    memory = made.add_argument_group("memory estimate")
    memory.add_argument("--batch", metavar="N", default="128",
                        help="number of images in a batch, for which the memory is estimated; default: 128")
    memory.add_argument("--memory", metavar="GIB", default="8",
                        help="memory in GiB, for which the largest batch is estimated; default: 8")
    return made


def workload_of(arguments):
    """Return the batch, pictures, and the memory, GiB, that the command line asks for."""
    return workload(common.whole_number("--batch", arguments.batch, 1), parsed("--memory", arguments.memory, 8.0))


def described(blueprint, backend, asked):
    """Return the dict of `zoo.describe`; the backend, which loads for it, sees no GPU."""
    devices.prepare(devices.choose("none", []))
    if sys.stdout.isatty():
        print(f"loading {backend} ...", end="\r", flush=True)  # seconds; the first line is written over it
    with devices.quiet():
        from zoo.analysis.description import describe
    return describe(blueprint, *asked)


# ---------------------------------------------------------------------------------------------------------- printing

def lines(told, columns):
    """Return what the dict of `zoo.describe` tells as lines of at most `columns` characters."""
    text = min(columns, WIDEST)
    said = [*wrapped(f"{told['name']}: {told['summary']}", text), "",
            *(line for row in rows(told) for line in labelled(*row, text)), ""]
    said += [*table(told, columns), "", *(line for row in needs(told) for line in labelled(*row, text))]
    for title, part in (("Departures from the paper", "departures"), ("Elsewhere", "elsewhere")):
        if told[part]:
            said += ["", *wrapped(f"{title}: {told[part]}", text)]
    return said


def rows(told):
    """Yield the label and the words of each row that stands above the table."""
    paper = told["paper"]
    yield "paper", f"{paper['authors']} {paper['year']}, '{paper['title']}', {paper['url']}"
    yield "input", f"{cross(told['input_shape'])}; {sides(told)}"
    yield "classes", f"{told['classes']}" + (f"; {told['most_classes']} at most" if told["most_classes"] else "")
    if told["small_stem_below"]:
        yield "stem", f"{told['stem']}; auto is small where a side is under {told['small_stem_below']} pixels"
    if told["width"] != 1:
        yield "width", f"{told['width']:g} times the paper's"
    for number, (name, value) in enumerate(told["options"].items()):
        yield "" if number else "options", f"{name}={written(value)}; {legal(told, name, value)}"
    if told["side_classifiers"]:
        losses = ", and ".join(f"{name}, whose loss counts {weight:g}"
                               for name, weight in told["side_classifiers"].items())
        shown = "counted here" if told["aux"] else "counted with --aux"
        yield "sides", f"side classifiers, for training: {losses}; {shown}"


def sides(told):
    least, most = told["least_side"], told["most_side"]
    return f"sides of {least} to {most} pixels" if most else f"sides of {least} pixels and more"


def legal(told, name, value):
    """Return what an option can be, and its default if it is not that."""
    default = registry.SPECS[told["name"]].options[name]
    if name in told["choices"]:
        values = " or ".join(map(written, told["choices"][name]))
    else:
        values = "true or false" if isinstance(default, bool) else "0 or more and less than 1"
    return values + ("" if value == default else f", default {written(default)}")


def written(value):
    """Return a value as --option takes it."""
    return str(value).lower() if isinstance(value, bool) else f"{value:g}"


def cross(shape):
    return "x".join(map(str, shape))


def count(number):
    return f"{number:,}" if number else "-"


def percent(part, whole):
    return "" if not part else f"{part / whole:.1%}" if part / whole >= 0.0005 else "<0.1%"


def pixels(sides):
    """Return a receptive field or a stride in few characters: one number where rows and columns have the same."""
    if not sides or isinstance(sides, str):
        return sides or ""
    return cross(sides if len(set(sides)) > 1 else sides[:1])


def needs(told):
    """Yield the label and the words of each row on memory."""
    memory = told["memory"]
    at, limit = f"for batch {memory['batch']:,}", f"in {memory['gib']:g} GiB"

    def row(label, name, estimate):
        batch = estimate["largest_batch"]
        return label, (f"{name}: about {-(-estimate['bytes'] // 2**20):,} MiB {at}; "
                       + (f"batch {batch:,} fits {limit}" if batch else f"no batch fits {limit}"))

    yield row("memory", "training", memory["training"]["sgd"])
    yield row("", "with Adam", memory["training"]["adam"])
    yield row("", "inference", memory["inference"])


def table(told, columns):
    """Return the stages as aligned lines, a bar for each one's share of the multiply-adds, and the totals.

    The bars need some room: 80 columns seldom have it.
    """
    all_counted = told["multiply_adds"]
    cells = [("stage", "output", "field", "stride", "parameters", "multiply-adds", "share")]
    for stage in told["stages"]:
        cells.append((stage["name"], cross(stage["shape"]), pixels(stage["receptive_field"]),
                      pixels(stage["output_stride"]), count(stage["parameters"]), count(stage["multiply_adds"]),
                      percent(stage["multiply_adds"], all_counted)))
    cells.append(("total", "", "", "", count(told["parameters"]), count(all_counted), ""))
    lines = format_table(cells, right=range(2, 7))
    room = min(30, columns - max(map(len, lines)) - 2)
    room = room if room >= LEAST_BAR else 0
    most = max((stage["multiply_adds"] for stage in told["stages"]), default=0)
    bars = ["", *("#" * round(room * stage["multiply_adds"] / most) if most else "" for stage in told["stages"]), ""]
    made = [f"{line}  {bar}".rstrip() for line, bar in zip(lines, bars, strict=True)]
    trainable = told["trainable_parameters"]
    if trainable != told["parameters"]:
        made.append(f"{trainable:,} of the parameters are trainable")
    return made + ([f"not counted: {', '.join(told['uncounted'])}"] if told["uncounted"] else [])


def labelled(label, words, columns):
    return textwrap.wrap(words, columns, initial_indent=f"{label:{LABEL}}", subsequent_indent=" " * LABEL,
                         break_long_words=False, break_on_hyphens=False)


def wrapped(text, columns):
    """Return paragraphs as lines; what is indented, a table, stays as it is."""
    said = []
    for paragraph in text.split("\n\n"):
        kept = paragraph.startswith(" ")
        said += ["", *(paragraph.split("\n") if kept else textwrap.wrap(paragraph, columns, break_long_words=False,
                                                                        break_on_hyphens=False))]
    return said[1:]


def command(argv):
    arguments = parser().parse_args(argv)
    if arguments.network is None:
        raise UserError(f"which network? one of {', '.join(registry.SPECS)}; see python -m zoo info --help")
    blueprint, asked = common.blueprint_of(arguments.network, arguments), workload_of(arguments)
    backend = env.backend()
    told = described(blueprint, backend, asked)
    if arguments.json:
        print(json.dumps(told, indent=2))
    else:
        print("\n".join(lines(told, shutil.get_terminal_size((80, 24)).columns)))


def main(argv=None):
    return common.run(command, argv)


if __name__ == "__main__":
    sys.exit(main())
