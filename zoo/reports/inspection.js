"use strict";
// A page to step through the layers, and to overlay the image with the evidence for a class. The data are described at
// the end. Class names are untrusted: they are only ever written as text.
(() => {
  const data = JSON.parse(document.getElementById("page-data").textContent);
  const getElement = (id) => document.getElementById(id);
  const addHtml = (parent, tag, className, text) => {
    const element = parent.appendChild(document.createElement(tag));
    element.className = className;
    if (text !== undefined) element.textContent = text;
    return element;
  };

  // --------------------------------------------------------------------------------------------------- overlays

  const overlayImage = getElement("overlay"), opacity = getElement("opacity");
  const overlayButtons = document.querySelectorAll("[data-overlay]");

  const showOverlay = (index) => {
    const overlay = data.overlays[index];
    overlayImage.hidden = !overlay;
    if (overlay) overlayImage.src = overlay.image;
    overlayImage.alt = overlay ? `${overlay.kind}: ${overlay.description}` : "";
    getElement("overlay-description").textContent = overlayImage.alt || "input image";
    overlayButtons.forEach((button) => {
      button.setAttribute("aria-pressed", String(Number(button.dataset.overlay) === index));
    });
  };
  const updateOpacity = () => { overlayImage.style.opacity = opacity.value / 100; };
  overlayButtons.forEach((button) => {
    button.addEventListener("click", () => showOverlay(Number(button.dataset.overlay)));
  });
  opacity.addEventListener("input", updateOpacity);
  updateOpacity();
  if (data.overlays.length) showOverlay(0);

  // ----------------------------------------------------------------------------------------------------- layers

  const showTile = (image, sheet, position) => {  // the tile at a position of a sheet, row by row
    const column = position % sheet.columns, row = Math.floor(position / sheet.columns);
    image.style.backgroundImage = `url(${sheet.sheet})`;
    image.style.backgroundSize = `${100 * sheet.columns}% ${100 * sheet.rows}%`;
    image.style.backgroundPosition = [[column, sheet.columns], [row, sheet.rows]]
      .map(([offset, count]) => `${count > 1 ? 100 * offset / (count - 1) : 0}%`).join(" ");
  };
  const enlarged = getElement("enlarged");
  let current = 0;  // index of the layer that is shown

  const enlargeMap = (layer, channel) => {
    const image = enlarged.querySelector(".image"), [status, range] = layer.maps[channel];
    enlarged.hidden = false;
    image.style.aspectRatio = String(layer.aspect_ratio);
    showTile(image, layer, channel);
    enlarged.querySelector("p").textContent
      = `${layer.name}, feature map ${channel}: ${status ? `${status}, ` : ""}${range}`;
  };
  const addMapTile = (parent, layer, channel) => {
    const [status] = layer.maps[channel];
    const tile = addHtml(parent, "button", status ? `tile ${status}` : "tile");
    const image = addHtml(tile, "span", "image");
    image.style.aspectRatio = String(layer.aspect_ratio);
    showTile(image, layer, channel);
    addHtml(tile, "span", "channel", status ? `${channel} ${status}` : String(channel));
    tile.addEventListener("click", () => enlargeMap(layer, channel));
  };
  const showLayer = (index) => {
    current = Math.min(Math.max(index, 0), data.layers.length - 1);
    const layer = data.layers[current], tiles = getElement("feature-maps");
    getElement("layer-select").value = String(current);
    getElement("layer-slider").value = String(current);
    getElement("previous").disabled = current === 0;
    getElement("next").disabled = current === data.layers.length - 1;
    getElement("layer-name").textContent = `${layer.name} (${current + 1} of ${data.layers.length})`;
    getElement("layer-summary").textContent = `${layer.description} · ${layer.summary}`;
    enlarged.hidden = true;
    tiles.replaceChildren();
    if (layer.is_spatial) layer.maps.forEach((_, channel) => addMapTile(tiles, layer, channel));
    else showTile(addHtml(tiles, "span", "image strip"), layer, 0);
  };
  getElement("previous").addEventListener("click", () => showLayer(current - 1));
  getElement("next").addEventListener("click", () => showLayer(current + 1));
  getElement("layer-select").addEventListener("change", (event) => showLayer(Number(event.target.value)));
  getElement("layer-slider").addEventListener("input", (event) => showLayer(Number(event.target.value)));
  document.addEventListener("keydown", (event) => {
    const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (!step || event.target.matches("input, select") || event.ctrlKey || event.altKey || event.metaKey) return;
    event.preventDefault();
    showLayer(current + step);
  });
  showLayer(0);

  const filters = data.filters;
  for (let index = 0; filters && index < filters.count; index++) {
    const image = addHtml(getElement("filter-images"), "span", "image");
    image.style.aspectRatio = String(filters.aspect_ratio);
    image.title = `filter ${index}`;
    showTile(image, filters, index);
  }
})();

// data.overlays: kind, description, and image, the URL of an image to lay over the input image.
// data.layers: name, description, summary of its output, is_spatial; sheet, the URL of one image that holds the tiles,
// `columns` in each of `rows`, each `aspect_ratio` times as wide as high; maps: [status, range] of each feature map.
// data.filters: sheet, columns, rows and aspect_ratio as for a layer, and count, of the first layer's filters; or null.
