"""Architecture diagrams: of a network of the catalogue or of any functional Keras model, at three levels."""

from dataclasses import dataclass

from zoo.analysis.modules import split_main_and_aux, build_module_graph
from zoo.analysis.stages import group_stages
from zoo.diagrams import save as export
from zoo.diagrams.dot import to_dot
from zoo.diagrams.layers_view import draw_layers
from zoo.diagrams.mermaid import to_mermaid
from zoo.diagrams.modules_view import draw_blocks
from zoo.diagrams.page import render_diagram_page
from zoo.diagrams.scene import Scene, translate_item
from zoo.diagrams.stages_view import draw_stages
from zoo.diagrams.svg import to_svg
from zoo.diagrams.theme import RANKDIRS, THEMES, DEFAULT_RANKDIRS, format_count, format_shape
from zoo.diagrams.volumes import draw_volumes
from zoo.errors import UserError, unknown_name_error

DETAILS = ("stages", "blocks", "layers")
STYLES = ("boxes", "volumes")
HTML_THEMES = {"light": None, "dark": THEMES["dark"]}  # None: a page follows its reader's preference
TEXT_FORMATS = (".dot", ".mmd", ".html")  # suffixes of formats that are not images


@dataclass(frozen=True)
class DiagramSource:
    """What is drawn: an ModelSummary with the words above the picture and the loss weights of its side classifiers."""

    model_summary: object
    title: str
    subtitle: str
    aux_loss_weights: dict


class Diagram:
    """A diagram: notebooks show it, `save` writes it to a file.

    `texts` are formats that are no pictures, {ending: function without arguments that returns the text}.
    """

    def __init__(self, scene, text_writers=None):
        self.scene, self.text_writers = scene, text_writers or {}

    def _repr_svg_(self):
        return to_svg(self.scene)

    def save(self, path):
        """Write it and return its Path; the format follows the file's ending."""
        return export.save_scene(self.scene, path, self.text_writers)


def make_source_from_config(model_config):
    """Return the Subject of a network of the catalogue."""
    from zoo.analysis import summary

    found, spec = summary.summarize_model_config(model_config), model_config.model_info
    width = f", width {model_config.width:g}" if model_config.width != 1 else ""
    stem = ", small stem" if model_config.stem == "small" else ""
    said = f"{spec.paper.short_authors} {spec.paper.year}{width}{stem}: {format_subtitle(found, model_config.input_shape)}"
    return DiagramSource(found, spec.name, said, spec.aux_loss_weights if model_config.aux else {})


def make_source_from_model(model):
    """Return the Subject of a functional keras.Model; UserError for one whose flow is code."""
    import keras

    from zoo.analysis import summary

    if not isinstance(model, keras.Model):
        raise UserError(f"a diagram is of a network's name or of a keras.Model; got {model!r}")
    found = summary.summarize_model(model)
    return DiagramSource(found, model.name, format_subtitle(found, tuple(model.inputs[0].shape[1:])), {})


def format_subtitle(model_summary, shape):
    return (f"{format_shape(shape)}, {model_summary.parameters:,} parameters, "
            f"{format_count(model_summary.multiply_adds)} multiply-adds")


def check_diagram_path(path, style="boxes", rankdir=None):
    """Return the Path of a file that can be written so; UserError otherwise, before a network is built."""
    target = export.check_scene_path(path, TEXT_FORMATS if style == "boxes" else ())
    if rankdir == "LR" and target.suffix.lower() == ".html":
        raise UserError("a page (.html) flows down; leave out the rankdir, or choose another ending")
    return target


def build_scene(source, detail="blocks", theme="light", rankdir=None, compared_sources=()):
    """Return the Scene of a Subject at a level of DETAILS; its bars are on one scale with those `beside` it."""
    check_diagram_options(detail=detail, theme=theme, rankdir=rankdir)
    flow = rankdir or DEFAULT_RANKDIRS[detail]
    if detail == "layers":
        return draw_layers(source.model_summary, source.aux_loss_weights, source.title, source.subtitle, THEMES[theme],
                           flow)
    plans = [build_module_graph(each.model_summary, each.aux_loss_weights) for each in (source, *compared_sources)]
    most = compute_bar_maxima([box for plan in plans for box in list_boxes(plan, detail)])
    draw = {"stages": draw_stages, "blocks": draw_blocks}[detail]
    return draw(plans[0], source.title, source.subtitle, THEMES[theme], most, flow)


def check_diagram_options(**options):
    """Refuse what is not among DETAILS, THEMES, RANKDIRS or STYLES, or does not go together; None: as is usual."""
    for what, known in (("detail", DETAILS), ("theme", THEMES), ("rankdir", (None, *RANKDIRS)), ("style", STYLES)):
        if what in options and options[what] not in known:
            raise unknown_name_error(what, options[what], [each for each in known if each])
    if options.get("style") == "volumes" and options.get("detail") != "blocks":
        raise UserError("volumes have one level of detail; leave it out, or use the style 'boxes'")
    if options.get("style") == "volumes" and options.get("rankdir") == "TB":
        raise UserError("volumes stand from left to right; leave out the rankdir, or use the style 'boxes'")


def list_boxes(module_graph, detail):
    """Return what has bars: stages or modules."""
    main, others = split_main_and_aux(module_graph)
    return [*group_stages(main), *others] if detail == "stages" else module_graph.modules


def compute_bar_maxima(boxes):
    """Return the most parameters and multiply-adds that one of the boxes has; 1 where none has any."""
    return {what: max(getattr(box, what) for box in boxes) or 1 for what in ("parameters", "multiply_adds")}


def draw_diagram(source, to_file=None, detail="blocks", theme="light", rankdir=None, style="boxes"):
    """Return the Drawing of a Subject, written to `to_file` if that is given; see `zoo.diagram`."""
    check_diagram_options(detail=detail, theme=theme, rankdir=rankdir, style=style)
    if to_file is not None:
        check_diagram_path(to_file, style, rankdir)
    drawing = draw_as_volumes(source, theme) if style == "volumes" else draw_as_boxes(source, detail, theme, rankdir)
    if to_file is not None:
        drawing.save(to_file)
    return drawing


def draw_as_boxes(source, detail, theme, rankdir):
    """Return the Drawing of a Subject as boxes, in all formats."""
    plan = build_module_graph(source.model_summary, source.aux_loss_weights)
    return Diagram(build_scene(source, detail, theme, rankdir), {
        ".dot": lambda: to_dot(plan, source.title, detail, rankdir),
        ".mmd": lambda: to_mermaid(plan, source.title, detail, rankdir),
        ".html": lambda: render_diagram_page(source.model_summary, plan, source.title, source.subtitle,
                                             HTML_THEMES[theme])})


def draw_comparison(sources, detail="blocks", theme="light", rankdir=None):
    """Return the Drawing of Subjects at one scale: side by side where they flow down, else one below the other."""
    scenes = [build_scene(subject, detail, theme, rankdir, [each for each in sources if each is not subject])
              for subject in sources]
    whole = Scene(0.0, 0.0, scenes[0].background, title=" and ".join(subject.title for subject in sources))
    below = (rankdir or DEFAULT_RANKDIRS[detail]) == "LR"
    for each in scenes:
        place = (0.0, whole.height) if below else (whole.width, 0.0)
        whole.items += [translate_item(item, *place) for item in each.items]
        whole.width, whole.height = max(whole.width, place[0] + each.width), max(whole.height, place[1] + each.height)
    return Diagram(whole)


def draw_as_volumes(source, theme="light"):
    """Return the Drawing of a Subject as volumes of features; UserError where its layers are no chain."""
    return Diagram(draw_volumes(build_module_graph(source.model_summary, source.aux_loss_weights), source.title,
                                source.subtitle, THEMES[theme]))
