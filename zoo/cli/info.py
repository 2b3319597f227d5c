"""python -m zoo info NET: what a network consists of, stage by stage, and where it departs from its paper."""

import json
import shutil
import sys
import textwrap

from zoo import devices, env, registry
from zoo.cli import common, help_text
from zoo.errors import UserError
from zoo.utils.table import format_table
from zoo.utils.validation import parse_value, check_batch_and_memory

MAX_TEXT_WIDTH = 110  # columns: longer lines of prose read badly
LABEL_WIDTH = 10  # columns before a row's words
MIN_BAR_WIDTH = 6  # columns: shorter bars say nothing


def build_parser():
    made = common.Parser(
        prog="python -m zoo info", usage="%(prog)s NET [OPTION ...]",
        description="Print a summary of a network by stage (output shape, receptive field, stride, parameters, "
                    "multiply-adds), its options, the memory that it needs, and its differences from the paper.",
        epilog=help_text.join_sections(help_text.format_models(), help_text.format_model_options()),
        examples=("resnet34", "resnet34 --size 32 --classes 10 --batch 64 --memory 16",
                  "googlenet --aux --option dropout=0.2 --json"))
    made.add_argument("network", metavar="NET", nargs="?", help="name of the network; all names are listed below")
    made.add_argument("--json", action="store_true", help="print all of it, and every layer, as JSON")
    common.add_model_options(made.add_argument_group("model"))
    memory = made.add_argument_group("memory estimate")
    memory.add_argument("--batch", metavar="N", default="128",
                        help="number of images in a batch, for which the memory is estimated; default: 128")
    memory.add_argument("--memory", metavar="GIB", default="8",
                        help="memory in GiB, for which the largest batch is estimated; default: 8")
    return made


def parse_workload(arguments):
    """Return the batch, pictures, and the memory, GiB, that the command line asks for."""
    return check_batch_and_memory(common.parse_int("--batch", arguments.batch, 1),
                                  parse_value("--memory", arguments.memory, 8.0))


def describe_on_cpu(model_config, backend, batch_and_memory):
    """Return the dict of `zoo.describe`; the backend, which loads for it, sees no GPU."""
    devices.set_device_environment(devices.select_gpus("none", []))
    if sys.stdout.isatty():
        print(f"loading {backend} ...", end="\r", flush=True)  # seconds; the first line is written over it
    with devices.suppress_stderr():
        from zoo.analysis.description import describe_model_config
    return describe_model_config(model_config, *batch_and_memory)


# ---------------------------------------------------------------------------------------------------------- printing

def format_description(description, columns):
    """Return what the dict of `zoo.describe` tells as lines of at most `columns` characters."""
    text = min(columns, MAX_TEXT_WIDTH)
    said = [*wrap_paragraphs(f"{description['name']}: {description['summary']}", text), "",
            *(line for row in get_summary_rows(description) for line in wrap_labeled_text(*row, text)), ""]
    said += [*format_stage_table(description, columns), "",
             *(line for row in get_memory_rows(description) for line in wrap_labeled_text(*row, text))]
    for title, part in (("Departures from the paper", "departures"), ("Elsewhere", "elsewhere")):
        if description[part]:
            said += ["", *wrap_paragraphs(f"{title}: {description[part]}", text)]
    return said


def get_summary_rows(description):
    """Yield the label and the words of each row that stands above the table."""
    paper = description["paper"]
    yield "paper", f"{paper['authors']} {paper['year']}, '{paper['title']}', {paper['url']}"
    yield "input", f"{format_shape(description['input_shape'])}; {format_size_limits(description)}"
    yield "classes", f"{description['classes']}" + (f"; {description['most_classes']} at most"
                                                    if description["most_classes"] else "")
    if description["small_stem_below"]:
        yield "stem", f"{description['stem']}; auto is small where a side is under {description['small_stem_below']} pixels"
    if description["width"] != 1:
        yield "width", f"{description['width']:g} times the paper's"
    for number, (name, value) in enumerate(description["options"].items()):
        yield "" if number else "options", f"{name}={format_option(value)}; {format_allowed_values(description, name, value)}"
    if description["side_classifiers"]:
        losses = ", and ".join(f"{name}, whose loss counts {weight:g}"
                               for name, weight in description["side_classifiers"].items())
        shown = "counted here" if description["aux"] else "counted with --aux"
        yield "sides", f"side classifiers, for training: {losses}; {shown}"


def format_size_limits(description):
    least, most = description["least_side"], description["most_side"]
    return f"sides of {least} to {most} pixels" if most else f"sides of {least} pixels and more"


def format_allowed_values(description, name, value):
    """Return what an option can be, and its default if it is not that."""
    default = registry.MODELS[description["name"]].options[name]
    if name in description["choices"]:
        values = " or ".join(map(format_option, description["choices"][name]))
    else:
        values = "true or false" if isinstance(default, bool) else "0 or more and less than 1"
    return values + ("" if value == default else f", default {format_option(default)}")


def format_option(value):
    """Return a value as --option takes it."""
    return str(value).lower() if isinstance(value, bool) else f"{value:g}"


def format_shape(shape):
    return "x".join(map(str, shape))


def format_cell(number):
    return f"{number:,}" if number else "-"


def format_fraction(part, whole):
    return "" if not part else f"{part / whole:.1%}" if part / whole >= 0.0005 else "<0.1%"


def format_pixels(size):
    """Return a receptive field or a stride in few characters: one number where rows and columns have the same."""
    if not size or isinstance(size, str):
        return size or ""
    return format_shape(size if len(set(size)) > 1 else size[:1])


def get_memory_rows(description):
    """Yield the label and the words of each row on memory."""
    memory = description["memory"]
    at, limit = f"for batch {memory['batch']:,}", f"in {memory['gib']:g} GiB"

    def row(label, name, estimate):
        batch = estimate["largest_batch"]
        return label, (f"{name}: about {-(-estimate['bytes'] // 2**20):,} MiB {at}; "
                       + (f"batch {batch:,} fits {limit}" if batch else f"no batch fits {limit}"))

    yield row("memory", "training", memory["training"]["sgd"])
    yield row("", "with Adam", memory["training"]["adam"])
    yield row("", "inference", memory["inference"])


def format_stage_table(description, columns):
    """Return the stages as aligned lines, a bar for each one's share of the multiply-adds, and the totals.

    The bars need some room: 80 columns seldom have it.
    """
    all_counted = description["multiply_adds"]
    cells = [("stage", "output", "field", "stride", "parameters", "multiply-adds", "share")]
    for stage in description["stages"]:
        cells.append((stage["name"], format_shape(stage["shape"]), format_pixels(stage["receptive_field"]),
                      format_pixels(stage["output_stride"]), format_cell(stage["parameters"]),
                      format_cell(stage["multiply_adds"]), format_fraction(stage["multiply_adds"], all_counted)))
    cells.append(("total", "", "", "", format_cell(description["parameters"]), format_cell(all_counted), ""))
    lines = format_table(cells, right=range(2, 7))
    room = min(30, columns - max(map(len, lines)) - 2)
    room = room if room >= MIN_BAR_WIDTH else 0
    most = max((stage["multiply_adds"] for stage in description["stages"]), default=0)
    bars = ["", *("#" * round(room * stage["multiply_adds"] / most) if most else "" for stage in description["stages"]),
            ""]
    made = [f"{line}  {bar}".rstrip() for line, bar in zip(lines, bars, strict=True)]
    trainable = description["trainable_parameters"]
    if trainable != description["parameters"]:
        made.append(f"{trainable:,} of the parameters are trainable")
    return made + ([f"not counted: {', '.join(description['uncounted'])}"] if description["uncounted"] else [])


def wrap_labeled_text(label, text, columns):
    return textwrap.wrap(text, columns, initial_indent=f"{label:{LABEL_WIDTH}}", subsequent_indent=" " * LABEL_WIDTH,
                         break_long_words=False, break_on_hyphens=False)


def wrap_paragraphs(text, columns):
    """Return paragraphs as lines; what is indented, a table, stays as it is."""
    said = []
    for paragraph in text.split("\n\n"):
        kept = paragraph.startswith(" ")
        said += ["", *(paragraph.split("\n") if kept else textwrap.wrap(paragraph, columns, break_long_words=False,
                                                                        break_on_hyphens=False))]
    return said[1:]


def execute_info(argv):
    arguments = build_parser().parse_args(argv)
    if arguments.network is None:
        raise UserError(f"which network? one of {', '.join(registry.MODELS)}; see python -m zoo info --help")
    blueprint, asked = common.parse_model_config(arguments.network, arguments), parse_workload(arguments)
    backend = env.select_backend()
    told = describe_on_cpu(blueprint, backend, asked)
    if arguments.json:
        print(json.dumps(told, indent=2))
    else:
        print("\n".join(format_description(told, shutil.get_terminal_size((80, 24)).columns)))


def main(argv=None):
    return common.run_command(execute_info, argv)


if __name__ == "__main__":
    sys.exit(main())
