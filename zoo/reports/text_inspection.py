"""A TextInspection as one self-contained HTML page: the prediction, and the n-grams of each filter."""

from zoo.diagrams.html import read_asset, render_template
from zoo.utils.io import write_text


def write_text_inspection_page(inspection, count, path):
    """Write the page of a TextInspection to `path` atomically, with `count` n-grams of each filter."""
    layers = []
    found_in_text = inspection.text_ngrams()
    for layer, filters in inspection.ngrams(count).items():
        rows = [{"index": index, "ngrams": ngrams, "own": own[0] if own else None}
                for index, (ngrams, own) in enumerate(zip(filters, found_in_text[layer], strict=True))]
        layers.append((layer, sorted(rows, key=lambda row: -row["own"][1] if row["own"] else 0)))
    write_text(path, render_template(
        "zoo.reports", "text_inspection.html", title=f"Inspection of {inspection.title}", name=inspection.name,
        note=inspection.note, source=inspection.source, words=inspection.words, prediction=inspection.prediction(),
        layers=layers, style=read_asset("zoo.reports", "run.css"), script="", data={}))
