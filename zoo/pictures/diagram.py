"""Architecture diagrams: of a network of the catalogue or of any functional Keras model, at three levels."""

from dataclasses import dataclass
from pathlib import Path

from zoo.errors import UserError, unknown
from zoo.pictures.export import write
from zoo.pictures.network.blocks import blocks
from zoo.pictures.network.everything import everything
from zoo.pictures.network.modules import plan_of
from zoo.pictures.network.stages import stages
from zoo.pictures.network.theme import THEMES, number_words, shape_words
from zoo.pictures.svg import svg

DETAILS = ("stages", "blocks", "layers")


@dataclass(frozen=True)
class Subject:
    """What is drawn: an Anatomy with the words above the picture and the loss weights of its side classifiers."""

    anatomy: object
    title: str
    subtitle: str
    sides: dict


class Drawing:
    """A diagram: notebooks show it, `save` writes it to a file."""

    def __init__(self, scene):
        self.scene = scene

    def _repr_svg_(self):
        return svg(self.scene)

    def save(self, path):
        """Write it; the format follows the file's ending."""
        write(self.scene, path)
        return Path(path)


def of_blueprint(blueprint):
    """Return the Subject of a network of the catalogue."""
    from zoo.models import anatomy

    found, spec = anatomy.of_network(blueprint), blueprint.spec
    width = f", width {blueprint.width:g}" if blueprint.width != 1 else ""
    stem = ", small stem" if blueprint.stem == "small" else ""
    return Subject(found, spec.name, f"{spec.paper.short} {spec.paper.year}{width}{stem}: {counts(found, blueprint.input_shape)}",
                   spec.sides if blueprint.aux else {})


def of_model(model):
    """Return the Subject of a functional keras.Model; UserError for one whose flow is code."""
    from zoo.models import anatomy

    found = anatomy.read(model)
    return Subject(found, model.name, counts(found, tuple(model.inputs[0].shape[1:])), {})


def counts(found, shape):
    return (f"{shape_words(shape)}, {found.parameters:,} parameters, "
            f"{number_words(found.multiply_adds)} multiply-adds")


def scene(subject, detail="blocks", theme="light"):
    """Return the Scene of a Subject at a level of DETAILS."""
    if detail not in DETAILS:
        raise unknown("detail", detail, DETAILS)
    if theme not in THEMES:
        raise unknown("theme", theme, THEMES)
    if detail == "layers":
        return everything(subject.anatomy, subject.sides, subject.title, subject.subtitle, THEMES[theme])
    plan = plan_of(subject.anatomy, subject.sides)
    return {"stages": stages, "blocks": blocks}[detail](plan, subject.title, subject.subtitle, THEMES[theme])


def diagram(source, to_file=None, detail="blocks", theme="light"):
    """Return the Drawing of a Subject, written to `to_file` if that is given; see `zoo.diagram`."""
    drawing = Drawing(scene(source, detail, theme))
    if to_file is not None:
        drawing.save(to_file)
    return drawing


__all__ = ["DETAILS", "Drawing", "Subject", "UserError", "diagram", "of_blueprint", "of_model", "scene"]
