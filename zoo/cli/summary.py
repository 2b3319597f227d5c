"""python -m zoo summary MODEL: print a summary of a model by stage, and its differences from the paper."""

import json
import shutil
import textwrap

from zoo import registry
from zoo.cli import common, help_text
from zoo.errors import UserError
from zoo.modality import get_modality, join_names
from zoo.utils.table import format_table
from zoo.utils.text import format_shape
from zoo.utils.validation import parse_value, check_batch_and_memory

MAX_TEXT_WIDTH = 110  # columns: longer lines are hard to read
LABEL_WIDTH = 10  # columns in front of a row's text
MIN_BAR_WIDTH = 6  # columns: shorter bars are meaningless


def build_parser():
    parser = common.Parser(
        prog="python -m zoo summary", usage="%(prog)s MODEL [OPTION ...]",
        description="Print a summary of a model by stage (output shape, receptive field, stride, parameters, "
                    "multiply-adds), its options, the memory that it needs, and its differences from the paper. For "
                    "every layer: --json, or the drawing of python -m zoo diagram MODEL --detail layers.",
        epilog=help_text.join_sections(help_text.format_models(), help_text.format_model_options()),
        examples=("resnet34", "resnet34 --image-size 32 --classes 10 --batch-size 64 --memory-limit 16",
                  "googlenet --aux --model-option dropout=0.2 --json"))
    parser.add_argument("network", metavar="MODEL", nargs="?", help="name of the model; all names are listed below")
    parser.add_argument("--json", action="store_true",
                        help="print the full description, including every layer, as JSON")
    common.add_model_options(parser.add_argument_group("model"))
    memory = parser.add_argument_group("memory estimate")
    memory.add_argument("--batch-size", metavar="N", default="128",
                        help="batch size for which the memory is estimated; default: 128")
    memory.add_argument("--memory-limit", metavar="GIB", default="8",
                        help="memory limit in GiB, for which the largest batch sizes of training and inference are "
                             "estimated, in float32; default: 8")
    return parser


def parse_workload(arguments):
    """Return (batch size, memory limit in GiB) of the command line."""
    return check_batch_and_memory(common.parse_int("--batch-size", arguments.batch_size, 1),
                                  parse_value("--memory-limit", arguments.memory_limit, 8.0))


# ---------------------------------------------------------------------------------------------------------- printing

def format_description(description, columns):
    """Return the dict of `zoo.describe` as lines of at most `columns` characters."""
    text_width = min(columns, MAX_TEXT_WIDTH)
    lines = [*wrap_paragraphs(f"{description['name']}: {description['summary']}", text_width), "",
             *(line for row in get_summary_rows(description) for line in wrap_labeled_text(*row, text_width)), ""]
    lines += [*format_stage_table(description, columns), "",
              *(line for row in get_memory_rows(description) for line in wrap_labeled_text(*row, text_width))]
    for title, key in (("Differences from the paper", "paper_differences"),
                       ("Differences from other implementations", "implementation_differences")):
        if description[key]:
            lines += ["", *wrap_paragraphs(f"{title}: {description[key]}", text_width)]
    return lines


def get_summary_rows(description):
    """Yield (label, text) of each row above the table."""
    paper = description["paper"]
    yield "paper", f"{paper['authors']} {paper['year']}, '{paper['title']}', {paper['url']}"
    if description["variant"]:
        yield "variant", description["variant"]
    yield "input", f"{format_shape(description['input_shape'])}; {format_size_limits(description)}"
    yield "classes", f"{description['classes']}" + (f"; at most {description['max_classes']}"
                                                    if description["max_classes"] else "")
    if description["small_stem_below"]:
        yield "stem", (f"{description['stem']}; auto is small if height or width is below "
                       f"{description['small_stem_below']} pixels")
    if description["width"] != 1:
        yield "width", f"{description['width']:g} times the paper's"
    for index, (name, value) in enumerate(description["options"].items()):
        allowed_values = format_allowed_values(description, name, value)
        yield "" if index else "options", f"{name}={format_option(value)}; {allowed_values}"
    if description["aux_loss_weights"]:
        losses = ", and ".join(f"{name} with loss weight {weight:g}"
                               for name, weight in description["aux_loss_weights"].items())
        counted = "counted here" if description["aux"] else "counted with --aux"
        yield "aux", f"auxiliary classifiers, for training: {losses}; {counted}"


def format_size_limits(description):
    min_size, max_size = description["min_size"], description["max_size"]
    modality = get_modality(description["input_shape"])
    limits = f"from {min_size} to {max_size}" if max_size else f"of at least {min_size}"
    return f"{join_names(modality.sized_axes)} {limits} {modality.unit}"


def format_allowed_values(description, name, value):
    """Return the allowed values of an option, and its default if `value` differs from it."""
    default = registry.MODELS[description["name"]].options[name]
    if name in description["choices"]:
        values = " or ".join(map(format_option, description["choices"][name]))
    elif name in description["limits"]:
        values = "from {} to {}".format(*map(format_option, description["limits"][name]))
    else:
        values = "true or false" if isinstance(default, bool) else "from 0 to less than 1"
    return values + ("" if value == default else f", default {format_option(default)}")


def format_option(value):
    """Return a value in the form that --model-option takes."""
    return str(value).lower() if isinstance(value, (bool, int)) else f"{value:g}"


def format_cell(number):
    return f"{number:,}" if number else "-"


def format_fraction(part, whole):
    return "" if not part else f"{part / whole:.1%}" if part / whole >= 0.0005 else "<0.1%"


def format_pixels(size):
    """Return a receptive field or stride as text: one number if height and width have the same."""
    if not size or isinstance(size, str):
        return size or ""
    return format_shape(size if len(set(size)) > 1 else size[:1])


def get_memory_rows(description):
    """Yield (label, text) of each row of the memory estimate."""
    memory = description["memory"]
    batch_text, limit_text = f"for batch size {memory['batch_size']:,}", f"in {memory['limit_gib']:g} GiB"

    def format_row(label, name, estimate):
        max_batch_size = estimate["max_batch_size"]
        return label, (f"{name}: about {-(-estimate['bytes'] // 2**20):,} MiB {batch_text}; "
                       + (f"batch size {max_batch_size:,} fits {limit_text}" if max_batch_size
                          else f"no batch fits {limit_text}"))

    yield format_row("memory", "training", memory["training"]["sgd"])
    yield format_row("", "with Adam", memory["training"]["adam"])
    yield format_row("", "inference", memory["inference"])


def format_stage_table(description, columns):
    """Return the table of the stages, with bars for their fractions of the multiply-adds, and the totals.

    The bars are omitted if there is too little space, as in 80 columns mostly.
    """
    total = description["multiply_adds"]
    cells = [("stage", "output", "field", "stride", "parameters", "multiply-adds", "share")]
    for stage in description["stages"]:
        cells.append((stage["name"], format_shape(stage["shape"]), format_pixels(stage["receptive_field"]),
                      format_pixels(stage["output_stride"]), format_cell(stage["parameters"]),
                      format_cell(stage["multiply_adds"]), format_fraction(stage["multiply_adds"], total)))
    cells.append(("total", "", "", "", format_cell(description["parameters"]), format_cell(total), ""))
    lines = format_table(cells, right=range(2, 7))
    bar_width = min(30, columns - max(map(len, lines)) - 2)
    bar_width = bar_width if bar_width >= MIN_BAR_WIDTH else 0
    max_multiply_adds = max((stage["multiply_adds"] for stage in description["stages"]), default=0)
    bars = ["", *("#" * round(bar_width * stage["multiply_adds"] / max_multiply_adds) if max_multiply_adds else ""
                  for stage in description["stages"]), ""]
    table = [f"{line}  {bar}".rstrip() for line, bar in zip(lines, bars, strict=True)]
    trainable = description["trainable_parameters"]
    if trainable != description["parameters"]:
        table.append(f"{trainable:,} of the parameters are trainable")
    uncounted = description["layers_without_macs"]
    return table + ([f"not counted: {', '.join(uncounted)}"] if uncounted else [])


def wrap_labeled_text(label, text, columns):
    return textwrap.wrap(text, columns, initial_indent=f"{label:{LABEL_WIDTH}}", subsequent_indent=" " * LABEL_WIDTH,
                         break_long_words=False, break_on_hyphens=False)


def wrap_paragraphs(text, columns):
    """Return paragraphs as lines; an indented paragraph, which is a table, is not wrapped."""
    lines = []
    for paragraph in text.split("\n\n"):
        is_table = paragraph.startswith(" ")
        lines += ["", *(paragraph.split("\n") if is_table else textwrap.wrap(paragraph, columns, break_long_words=False,
                                                                             break_on_hyphens=False))]
    return lines[1:]


def execute_summary(argv):
    arguments = build_parser().parse_args(argv)
    if arguments.network is None:
        raise UserError(f"missing argument MODEL; choose from {', '.join(registry.MODELS)}; see python -m zoo summary "
                        "--help")
    model_config = common.parse_model_config(arguments.network, arguments)
    batch_and_memory = parse_workload(arguments)
    common.load_keras_on_cpu()

    from zoo.analysis.description import describe_model_config

    description = describe_model_config(model_config, *batch_and_memory)
    if arguments.json:
        print(json.dumps(description, indent=2))
    else:
        print("\n".join(format_description(description, shutil.get_terminal_size((80, 24)).columns)))


def main(argv=None):
    return common.run_command(execute_summary, argv)
