"""Architecture diagrams of a model of the registry, or of any functional Keras model, at three levels of detail."""

from dataclasses import dataclass, replace
from functools import cached_property

from zoo.analysis.branches import split_main_and_aux
from zoo.analysis.modules import build_module_graph
from zoo.analysis.stages import group_stages
from zoo.diagrams import save
from zoo.diagrams.dot import to_dot
from zoo.diagrams.layers_view import draw_layers
from zoo.diagrams.mermaid import to_mermaid
from zoo.diagrams.modules_view import draw_blocks
from zoo.diagrams.options import DEFAULT_RANKDIRS, check_diagram_options
from zoo.diagrams.page import render_diagram_page
from zoo.diagrams.scene import Scene, translate_item
from zoo.diagrams.stages_view import draw_stages
from zoo.diagrams.svg import to_svg
from zoo.diagrams.theme import THEMES, format_count
from zoo.diagrams.volumes import draw_volumes
from zoo.errors import UserError
from zoo.utils.io import expand_user
from zoo.utils.text import format_shape, pluralize

HTML_THEMES = {"light": None, "dark": THEMES["dark"]}  # None: the page follows the reader's preference
TEXT_FORMATS = (".dot", ".mmd", ".html")  # suffixes of formats that are not images


@dataclass(frozen=True)
class DiagramSource:
    """What a diagram shows: a ModelSummary, a title and a subtitle, and the loss weights of auxiliary classifiers."""

    model_summary: object
    title: str
    subtitle: str
    aux_loss_weights: dict

    @cached_property
    def module_graph(self):
        return build_module_graph(self.model_summary, self.aux_loss_weights)


class Diagram:
    """A diagram that a notebook displays and `save` writes to a file.

    `text_writers` are the formats that are not images: {suffix: function without arguments that returns the text}.
    """

    def __init__(self, scene, text_writers=None):
        self.scene, self.text_writers = scene, text_writers or {}

    def _repr_svg_(self):
        return to_svg(self.scene)

    def save(self, path):
        """Write the diagram and return its Path; the suffix selects the format."""
        return save.save_scene(self.scene, path, self.text_writers)


def make_source_from_config(model_config):
    """Return the DiagramSource of a ModelConfig."""
    from zoo.analysis.summary import summarize_model_config

    model_summary, model_info = summarize_model_config(model_config), model_config.model_info
    aux_parameters = ""
    if model_config.aux:
        without_aux = summarize_model_config(replace(model_config, aux=False))
        aux_count = model_summary.parameters - without_aux.parameters
        aux_parameters = f" ({aux_count:,} of them in the auxiliary classifiers)"
    elif model_info.aux_loss_weights:
        aux_count = summarize_model_config(replace(model_config, aux=True)).parameters - model_summary.parameters
        aux_parameters = f" (without the {aux_count:,} of the auxiliary classifiers)"
    width = f", width {model_config.width:g}" if model_config.width != 1 else ""
    stem = ", small stem" if model_config.stem == "small" else ""
    subtitle = f"{model_info.format_attribution(year=True)}{width}{stem}: " + format_subtitle(
        model_summary, model_config.input_shape, aux_parameters)
    return DiagramSource(model_summary, model_info.name, subtitle,
                         model_info.aux_loss_weights if model_config.aux else {})


def make_source_from_model(model):
    """Return the DiagramSource of a functional keras.Model; UserError for another kind of model."""
    import keras

    from zoo.analysis.summary import summarize_model

    if not isinstance(model, keras.Model):
        raise UserError(f"a diagram needs a model's name or a keras.Model; got {model!r}")
    model_summary = summarize_model(model)
    return DiagramSource(model_summary, model.name,
                         format_subtitle(model_summary, tuple(model.inputs[0].shape[1:])), {})


def format_subtitle(model_summary, shape, aux_parameters=""):
    return (f"{format_shape(shape)}, {model_summary.parameters:,} parameters{aux_parameters}, "
            + format_total_multiply_adds(model_summary))


def format_total_multiply_adds(model_summary):
    """Return the multiply-adds of a model, with the number of layers that they exclude."""
    num_uncounted = len(model_summary.uncounted_layers)
    if num_uncounted and not model_summary.multiply_adds:
        return "unknown multiply-adds"
    without = f" without those of {pluralize(num_uncounted, 'layer')}" if num_uncounted else ""
    return f"{format_count(model_summary.multiply_adds)} multiply-adds{without}"


def check_diagram_path(path, style="boxes", rankdir=None):
    """Return the Path of the diagram; UserError, before a model is built, if it cannot be written in that format."""
    if style == "volumes" and expand_user(path).suffix.lower() in TEXT_FORMATS:
        raise UserError(f"volumes are drawn as .svg, .png or .pdf; got {str(path)!r}; give another suffix, or use "
                        "style='boxes'")
    path = save.check_scene_path(path, TEXT_FORMATS if style == "boxes" else ())
    if rankdir == "LR" and path.suffix.lower() == ".html":
        raise UserError("an .html page has rankdir TB; omit rankdir=..., or choose another suffix")
    return path


def build_scene(source, detail="blocks", theme="light", rankdir=None, compared_sources=()):
    """Return the Scene of a DiagramSource at a level of detail.

    Bars have the same scale as those of `compared_sources`.
    """
    check_diagram_options(detail=detail, theme=theme, rankdir=rankdir)
    rankdir = rankdir or DEFAULT_RANKDIRS[detail]
    if detail == "layers":
        return draw_layers(source.module_graph, source.title, source.subtitle, THEMES[theme], rankdir)
    bar_maxima = compute_bar_maxima([box for each_source in (source, *compared_sources)
                                     for box in list_boxes(each_source.module_graph, detail)])
    draw = {"stages": draw_stages, "blocks": draw_blocks}[detail]
    return draw(source.module_graph, source.title, source.subtitle, THEMES[theme], bar_maxima, rankdir)


def list_boxes(module_graph, detail):
    """Return what has bars: stages and auxiliary classifiers, or modules."""
    main, aux_modules = split_main_and_aux(module_graph)
    return [*group_stages(main), *aux_modules] if detail == "stages" else module_graph.modules


def compute_bar_maxima(boxes):
    """Return the largest numbers of parameters and multiply-adds of a box; 1 instead of 0."""
    return {count: max(getattr(box, count) or 0 for box in boxes) or 1 for count in ("parameters", "multiply_adds")}


def draw_diagram(source, to_file=None, detail="blocks", theme="light", rankdir=None, style="boxes"):
    """Return the Diagram of a DiagramSource, after writing it to `to_file` if given; see `zoo.diagram`."""
    check_diagram_options(detail=detail, theme=theme, rankdir=rankdir, style=style)
    if to_file is not None:
        check_diagram_path(to_file, style, rankdir)
    diagram = draw_as_volumes(source, theme) if style == "volumes" else draw_as_boxes(source, detail, theme, rankdir)
    if to_file is not None:
        diagram.save(to_file)
    return diagram


def draw_as_boxes(source, detail, theme, rankdir):
    """Return the Diagram of a DiagramSource as boxes, for all formats."""
    return Diagram(build_scene(source, detail, theme, rankdir), {
        ".dot": lambda: to_dot(source.module_graph, source.title, detail, rankdir),
        ".mmd": lambda: to_mermaid(source.module_graph, source.title, detail, rankdir),
        ".html": lambda: render_diagram_page(source.model_summary, source.module_graph, source.title, source.subtitle,
                                             HTML_THEMES[theme])})


def draw_comparison(sources, detail="blocks", theme="light", rankdir=None):
    """Return the Diagram of DiagramSources at one scale: side by side, or one below the other if they flow right."""
    scenes = [build_scene(source, detail, theme, rankdir, [other for other in sources if other is not source])
              for source in sources]
    comparison = Scene(0.0, 0.0, scenes[0].background, title=" and ".join(source.title for source in sources))
    is_stacked = (rankdir or DEFAULT_RANKDIRS[detail]) == "LR"
    for scene in scenes:
        x, y = (0.0, comparison.height) if is_stacked else (comparison.width, 0.0)
        comparison.items += [translate_item(item, x, y) for item in scene.items]
        comparison.width = max(comparison.width, x + scene.width)
        comparison.height = max(comparison.height, y + scene.height)
    return Diagram(comparison)


def draw_as_volumes(source, theme="light"):
    """Return the Diagram of a DiagramSource as volumes; UserError if its layers are not a chain."""
    return Diagram(draw_volumes(source.module_graph, source.title, source.subtitle, THEMES[theme]))
