"""A View as one HTML page that needs no network: the picture with what is laid over it, and its layers step by step."""

import io
from importlib.resources import files

from PIL import Image

from zoo.errors import UserError
from zoo.plots import colormaps, feature_maps
from zoo.plots.text_layout import counted
from zoo.reports import embedding
from zoo.reports.html import section, text
from zoo.reports.run import PAGE
from zoo.utils.io import write_text


def write(view, count, path):
    """Write the page of a View with `count` maps a layer to `path`, whole or not at all."""
    write_text(path, page(view, count))


def page(view, count):
    """Return the text of the page."""
    here = files("zoo.reports")
    script, style = ("\n" + here.joinpath(name).read_text("utf-8") for name in ("inspection.js", "inspection.css"))
    laid, missing = overlays(view)
    filters = filters_of(view)
    data = {"overlays": laid, "layers": [layer(each, count) for each in view.maps], "filters": filters,
            "sides": list(view.side)}
    title = f"A look inside {view.subject.title}"
    body = "\n".join(filter(None, [header(title, view), picture(view, laid, missing), layers(view),
                                   filters_section(filters)]))
    return PAGE.format(title=text(title), style=style, script=script, body=body, data=embedding.packed(data),
                       script_hash=embedding.hashed(script), style_hash=embedding.hashed(style))


def address(image):
    """Return a picture uint8 (height, width, 3 or 4) as the address of a PNG."""
    file = io.BytesIO()
    Image.fromarray(image).save(file, "png", optimize=True)
    return embedding.data_address(file.getvalue(), "image/png")


# ---------------------------------------------------------------------------------------------------------- the data

def overlays(view):
    """Return [{kind, short, words, image}] of what can be laid over the picture, and [(kind, why)] of what cannot."""
    found, missing = [], []
    for kind, made in (("Grad-CAM", _gradcam), ("saliency", _saliency), ("occlusion", _occlusion),
                       ("hypercolumn", _hypercolumn)):
        try:
            found += [{"kind": kind, "short": short, "words": words, "image": address(image)}
                      for short, words, image in made(view)]
        except UserError as error:
            missing.append((kind, str(error)))
    return found, missing


def _gradcam(view):
    for layer, maps_of in view.gradcam:
        for place, each in zip(view.asked, maps_of, strict=True):
            short = f"{view.called(place)}, at {layer}"
            words = f"{short}: " + ("the brighter, the more it speaks for the class" if each.any() else
                                    "nothing in it speaks for the class")
            yield short, words, colormaps.heat(each, view.side)


def _saliency(view):
    for place, each in zip(view.asked, view.saliency, strict=True):
        words = f"{view.called(place)}: the brighter a pixel, the more it moves the score"
        yield view.called(place), words, colormaps.glow(each, view.side)


def _occlusion(view):
    found, (rows, columns) = view.occlusion
    for place, each in zip(view.asked, found, strict=True):
        words = (f"{view.called(place)}: a grey patch of {rows}x{columns} pixels takes up to "
                 f"{100 * max(each.max(), 0):.1f} of {100 * view.probable[place]:.1f} % (orange; blue: it adds)")
        yield view.called(place), words, colormaps.signed(each, view.side)


def _hypercolumn(view):
    names, _, whole = view.hypercolumn
    short = f"{counted(len(names), 'layer')}"
    yield short, f"mean of all maps of {short}", colormaps.glow(colormaps.between(whole), view.side)


def layer(each, count):
    """Return what the script needs of one layer's Maps."""
    told = {"name": each.name, "words": each.words, "said": each.said, "grid": each.is_grid}
    if not each.is_grid:
        return {**told, "sheet": address(feature_maps.strip(each)), "columns": 1, "rows": 1, "ratio": each.count,
                "each": [["", ""]]}
    made = feature_maps.tiles(each, count)
    sheet, columns = embedding.sheet(made)
    low, high = each.values.min(axis=(0, 1)), each.values.max(axis=(0, 1))
    return {**told, "sheet": sheet, "columns": columns, "rows": -(-len(made) // columns),
            "ratio": made.shape[2] / made.shape[1],
            "each": [[each.mark(place), f"{low[place]:.4g} to {high[place]:.4g}"] for place in range(len(made))]}


def filters_of(view):
    try:
        name, kernels = view.filters
    except UserError:
        return None
    sheet, columns = embedding.sheet(feature_maps.filter_tiles(kernels))
    return {"name": name, "sheet": sheet, "columns": columns, "rows": -(-len(kernels) // columns),
            "ratio": kernels.shape[2] / kernels.shape[1], "each": [["", ""]] * len(kernels),
            "said": f"{counted(len(kernels), 'filter')} of {kernels.shape[1]}x{kernels.shape[2]}"}


# ---------------------------------------------------------------------------------------------------------- the page

def header(title, view):
    random = "RANDOM" in view.subject.note
    return (f'<header><h1>{text(title)}</h1><p><span class="{"open" if random else ""}">{text(view.subject.note)}'
            f'</span> · {text(view.source)}</p></header>')


def picture(view, laid, missing):
    """Return the section of the picture, with a button for each thing that can be laid over it."""
    kinds = {}
    for place, each in enumerate(laid):
        kinds.setdefault(each["kind"], []).append((place, each["short"]))
    buttons = "".join(
        f'<h3>{text(kind)}</h3><div class="choices">' + "".join(
            f'<button data-overlay="{place}" aria-pressed="false">{text(words)}</button>' for place, words in each)
        + "</div>" for kind, each in kinds.items())
    without = "".join(f"<p class=hint>No {text(kind)}: {text(why)}.</p>" for kind, why in missing)
    height, width = view.side
    return section(
        "picture", "What it sees", '<div class="beside"><div>',
        f'<div id="stack"><img id="seen" alt="The picture as the network gets it" width="{width}" height="{height}" '
        f'src="{address(view.picture)}"><img id="over" alt="" hidden></div>',
        '<p id="overlaid" aria-live="polite">the picture, as the network gets it</p>',
        '<label class="slide">strength <input id="strength" type="range" min="0" max="100" value="75"></label></div>',
        f'<div>{bars(view)}<div class="choices"><button data-overlay="-1" aria-pressed="true">the picture alone'
        f"</button></div>{buttons}{without}</div></div>")


def bars(view):
    """Return the chart of the prediction; nothing for a network without scores for classes."""
    try:
        found = view.prediction
    except UserError:
        return ""
    return '<table class="bars">' + "".join(
        f'<tr><th scope=row>{text(name)}</th><td><meter min="0" max="1" value="{share:.6f}"></meter></td>'
        f"<td>{100 * share:.2f} %</td></tr>" for name, share in found) + "</table>"


def layers(view):
    names = "".join(f'<option value="{place}">{text(each.name)}</option>' for place, each in enumerate(view.maps))
    last = len(view.maps) - 1
    return section(
        "layers", "Layer by layer",
        '<div class="steps"><button id="before">◀ before</button>'
        f'<select id="names" aria-label="layer">{names}</select><button id="after">after ▶</button>'
        f'<input id="step" type="range" min="0" max="{last}" value="0" aria-label="layer"></div>'
        '<h3 id="name" aria-live="polite"></h3><p id="said"></p>'
        '<div id="tiles" class="tiles"></div><div id="large" hidden><div class="image"></div><p></p></div>',
        '<p class="hint">Arrow keys step through the layers. Each map is coloured from its least value to its '
        "greatest; choose one to see it large.</p>")


def filters_section(filters):
    if not filters:
        return ""
    return section("filters", "The filters that read the picture",
                   f'<p>{text(filters["name"])}: {text(filters["said"])}. Weights of 0 are grey; all are on one scale.'
                   '</p><div id="kernels" class="tiles small"></div>')
