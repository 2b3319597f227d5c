"""Architecture diagrams: of a network of the catalogue or of any functional Keras model, at three levels."""

from dataclasses import dataclass

from zoo.analysis.modules import along_and_aside, plan_of
from zoo.analysis.stages import stages_of
from zoo.diagrams import save as export
from zoo.diagrams.dot import dot
from zoo.diagrams.layers_view import everything
from zoo.diagrams.mermaid import mermaid
from zoo.diagrams.modules_view import blocks
from zoo.diagrams.page import page
from zoo.diagrams.scene import Scene, moved
from zoo.diagrams.stages_view import stages
from zoo.diagrams.svg import svg
from zoo.diagrams.theme import DIRECTIONS, THEMES, USUAL, number_words, shape_words
from zoo.diagrams.volumes import volumes
from zoo.errors import UserError, unknown

DETAILS = ("stages", "blocks", "layers")
STYLES = ("boxes", "volumes")
PAGES = {"light": None, "dark": THEMES["dark"]}  # None: a page follows its reader's preference
TEXTS = (".dot", ".mmd", ".html")  # endings of what is no picture


@dataclass(frozen=True)
class Subject:
    """What is drawn: an Anatomy with the words above the picture and the loss weights of its side classifiers."""

    anatomy: object
    title: str
    subtitle: str
    sides: dict


class Drawing:
    """A diagram: notebooks show it, `save` writes it to a file.

    `texts` are formats that are no pictures, {ending: function without arguments that returns the text}.
    """

    def __init__(self, scene, texts=None):
        self.scene, self.texts = scene, texts or {}

    def _repr_svg_(self):
        return svg(self.scene)

    def save(self, path):
        """Write it and return its Path; the format follows the file's ending."""
        return export.write(self.scene, path, self.texts)


def of_blueprint(blueprint):
    """Return the Subject of a network of the catalogue."""
    from zoo.analysis import summary

    found, spec = summary.of_network(blueprint), blueprint.spec
    width = f", width {blueprint.width:g}" if blueprint.width != 1 else ""
    stem = ", small stem" if blueprint.stem == "small" else ""
    said = f"{spec.paper.short} {spec.paper.year}{width}{stem}: {counts(found, blueprint.input_shape)}"
    return Subject(found, spec.name, said, spec.sides if blueprint.aux else {})


def of_model(model):
    """Return the Subject of a functional keras.Model; UserError for one whose flow is code."""
    import keras

    from zoo.analysis import summary

    if not isinstance(model, keras.Model):
        raise UserError(f"a diagram is of a network's name or of a keras.Model; given {model!r}")
    found = summary.read(model)
    return Subject(found, model.name, counts(found, tuple(model.inputs[0].shape[1:])), {})


def counts(found, shape):
    return (f"{shape_words(shape)}, {found.parameters:,} parameters, "
            f"{number_words(found.multiply_adds)} multiply-adds")


def file_for(path, style="boxes", direction=None):
    """Return the Path of a file that can be written so; UserError otherwise, before a network is built."""
    target = export.checked(path, TEXTS if style == "boxes" else ())
    if direction == "right" and target.suffix.lower() == ".html":
        raise UserError("a page (.html) flows down; leave out the direction, or choose another ending")
    return target


def scene(subject, detail="blocks", theme="light", direction=None, beside=()):
    """Return the Scene of a Subject at a level of DETAILS; its bars are on one scale with those `beside` it."""
    check(detail=detail, theme=theme, direction=direction)
    flow = direction or USUAL[detail]
    if detail == "layers":
        return everything(subject.anatomy, subject.sides, subject.title, subject.subtitle, THEMES[theme], flow)
    plans = [plan_of(each.anatomy, each.sides) for each in (subject, *beside)]
    most = most_of([box for plan in plans for box in boxes_of(plan, detail)])
    draw = {"stages": stages, "blocks": blocks}[detail]
    return draw(plans[0], subject.title, subject.subtitle, THEMES[theme], most, flow)


def check(**given):
    """Refuse what is not among DETAILS, THEMES, DIRECTIONS or STYLES, or does not go together; None: as is usual."""
    for what, known in (("detail", DETAILS), ("theme", THEMES), ("direction", (None, *DIRECTIONS)), ("style", STYLES)):
        if what in given and given[what] not in known:
            raise unknown(what, given[what], [each for each in known if each])
    if given.get("style") == "volumes" and given.get("detail") != "blocks":
        raise UserError("volumes have one level of detail; leave it out, or use the style 'boxes'")
    if given.get("style") == "volumes" and given.get("direction") == "down":
        raise UserError("volumes stand from left to right; leave out the direction, or use the style 'boxes'")


def boxes_of(plan, detail):
    """Return what has bars: stages or modules."""
    main, others = along_and_aside(plan)
    return [*stages_of(main), *others] if detail == "stages" else plan.modules


def most_of(boxes):
    """Return the most parameters and multiply-adds that one of the boxes has; 1 where none has any."""
    return {what: max(getattr(box, what) for box in boxes) or 1 for what in ("parameters", "multiply_adds")}


def diagram(source, to_file=None, detail="blocks", theme="light", direction=None, style="boxes"):
    """Return the Drawing of a Subject, written to `to_file` if that is given; see `zoo.diagram`."""
    check(detail=detail, theme=theme, direction=direction, style=style)
    if to_file is not None:
        file_for(to_file, style, direction)
    drawing = volumes_of(source, theme) if style == "volumes" else boxes(source, detail, theme, direction)
    if to_file is not None:
        drawing.save(to_file)
    return drawing


def boxes(source, detail, theme, direction):
    """Return the Drawing of a Subject as boxes, in all formats."""
    plan = plan_of(source.anatomy, source.sides)
    return Drawing(scene(source, detail, theme, direction), {
        ".dot": lambda: dot(plan, source.title, detail, direction),
        ".mmd": lambda: mermaid(plan, source.title, detail, direction),
        ".html": lambda: page(source.anatomy, plan, source.title, source.subtitle, PAGES[theme])})


def compared(subjects, detail="blocks", theme="light", direction=None):
    """Return the Drawing of Subjects at one scale: side by side where they flow down, else one below the other."""
    scenes = [scene(subject, detail, theme, direction, [each for each in subjects if each is not subject])
              for subject in subjects]
    whole = Scene(0.0, 0.0, scenes[0].background, title=" and ".join(subject.title for subject in subjects))
    below = (direction or USUAL[detail]) == "right"
    for each in scenes:
        place = (0.0, whole.height) if below else (whole.width, 0.0)
        whole.items += [moved(item, *place) for item in each.items]
        whole.width, whole.height = max(whole.width, place[0] + each.width), max(whole.height, place[1] + each.height)
    return Drawing(whole)


def volumes_of(subject, theme="light"):
    """Return the Drawing of a Subject as volumes of features; UserError where its layers are no chain."""
    return Drawing(volumes(plan_of(subject.anatomy, subject.sides), subject.title, subject.subtitle, THEMES[theme]))
