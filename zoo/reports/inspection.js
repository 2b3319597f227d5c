"use strict";
// A page to step through layers, and to lay over the picture what speaks for a class. What the data hold is described
// at the end. Names are a stranger's: they are only ever written as text.
(() => {
  const data = JSON.parse(document.getElementById("held").textContent);
  const by = (id) => document.getElementById(id);
  const html = (parent, name, kind, words) => {
    const made = parent.appendChild(document.createElement(name));
    made.className = kind;
    if (words !== undefined) made.textContent = words;
    return made;
  };

  // ------------------------------------------------------------------------------------------------- the picture

  const over = by("over"), strength = by("strength"), choices = document.querySelectorAll("[data-overlay]");

  const lay = (place) => {
    const chosen = data.overlays[place];
    over.hidden = !chosen;
    if (chosen) over.src = chosen.image;
    over.alt = chosen ? `${chosen.kind}: ${chosen.words}` : "";
    by("overlaid").textContent = over.alt || "the picture, as the network gets it";
    choices.forEach((each) => each.setAttribute("aria-pressed", String(Number(each.dataset.overlay) === place)));
  };
  const fade = () => { over.style.opacity = strength.value / 100; };
  choices.forEach((each) => each.addEventListener("click", () => lay(Number(each.dataset.overlay))));
  strength.addEventListener("input", fade);
  fade();
  if (data.overlays.length) lay(0);

  // -------------------------------------------------------------------------------------------------- the layers

  const show = (image, sheet, place) => {  // the tile `place` of a sheet, row by row
    const along = place % sheet.columns, down = Math.floor(place / sheet.columns);
    image.style.backgroundImage = `url(${sheet.sheet})`;
    image.style.backgroundSize = `${100 * sheet.columns}% ${100 * sheet.rows}%`;
    image.style.backgroundPosition = [[along, sheet.columns], [down, sheet.rows]]
      .map(([step, of]) => `${of > 1 ? 100 * step / (of - 1) : 0}%`).join(" ");
  };
  const large = by("large");
  let at = 0;

  const enlarge = (layer, place) => {
    const image = large.querySelector(".image"), [mark, range] = layer.each[place];
    large.hidden = false;
    image.style.aspectRatio = String(layer.ratio);
    show(image, layer, place);
    large.querySelector("p").textContent = `${layer.name}, map ${place}: ${mark ? `${mark}, ` : ""}${range}`;
  };
  const tile = (parent, layer, place) => {
    const [mark] = layer.each[place];
    const made = html(parent, "button", mark ? `tile ${mark}` : "tile");
    const image = html(made, "span", "image");
    image.style.aspectRatio = String(layer.ratio);
    show(image, layer, place);
    html(made, "span", "number", mark ? `${place} ${mark}` : String(place));
    made.addEventListener("click", () => enlarge(layer, place));
  };
  const step = (place) => {
    at = Math.min(Math.max(place, 0), data.layers.length - 1);
    const layer = data.layers[at], tiles = by("tiles");
    by("names").value = String(at);
    by("step").value = String(at);
    by("before").disabled = at === 0;
    by("after").disabled = at === data.layers.length - 1;
    by("name").textContent = `${layer.name} (${at + 1} of ${data.layers.length})`;
    by("said").textContent = `${layer.words} · ${layer.said}`;
    large.hidden = true;
    tiles.replaceChildren();
    if (layer.grid) layer.each.forEach((_, number) => tile(tiles, layer, number));
    else show(html(tiles, "span", "image strip"), layer, 0);
  };
  by("before").addEventListener("click", () => step(at - 1));
  by("after").addEventListener("click", () => step(at + 1));
  by("names").addEventListener("change", (event) => step(Number(event.target.value)));
  by("step").addEventListener("input", (event) => step(Number(event.target.value)));
  document.addEventListener("keydown", (event) => {
    const moved = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (!moved || event.target.matches("input, select") || event.ctrlKey || event.altKey || event.metaKey) return;
    event.preventDefault();
    step(at + moved);
  });
  step(0);

  if (data.filters) data.filters.each.forEach((_, place) => {
    const image = html(by("kernels"), "span", "image");
    image.style.aspectRatio = String(data.filters.ratio);
    image.title = `filter ${place}`;
    show(image, data.filters, place);
  });
})();

// data.overlays: kind, words (short ones are on the buttons), and the address of a picture to be laid over the one that
// is seen.
// data.layers: name, words, said (its output and what is dead in it), whether it has a grid; `sheet`, one picture that
// holds the tiles, `columns` in each of `rows`, each `ratio` times as wide as high; each: [mark, range] of a map.
// data.filters: the same of the first layer's filters, or null.
