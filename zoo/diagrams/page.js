"use strict";
// The diagram of page.py: modules in a column, each collapsed to a box or expanded to its layers.
//
// Boxes have keys: "m3" is a module, or all identical ones; "m3.2" the third of those; "l57" a layer.
// Names are only set as text or compared, never inserted into HTML, selectors or URLs.

const network = JSON.parse(document.getElementById("network").textContent);
const {layers, modules, insides, totals} = network;
const svg = document.getElementById("diagram"), view = document.getElementById("view");
const facts = document.getElementById("facts"), search = document.getElementById("search");
const found = document.getElementById("found");

const WIDTH = 160, TALL = 30, THIN = 17, GAP = 19, HEAD = 28, FOLLOWER = 13, SIDE_GAP = 30, LANE = 9, BAR = 44;
const PAD = 10, SMALL = 7, LETTERS = 8.5, TITLE = 10;
const FONT = '"DejaVu Sans", Verdana, sans-serif';

const opened = new Set();  // keys of expanded modules
const placed = new Map();  // key: {x, y, width, height, node, parent} of the drawn boxes, in topological order
let hits = new Set();  // indices of the layers that match the search
let chosen = null;  // the key whose details are shown
let camera = {x: 0, y: 0, scale: 1};
let bounds = {left: 0, right: 0, bottom: 0};

const home = [];  // of each layer: [module index, index among identical modules]
modules.forEach((module, number) => module.each.forEach((repeat, which) => {
  for (const layer of repeat.layers) home[layer] = [number, which];
}));
const readers = layers.map(() => []);
layers.forEach((layer, number) => layer.reads.forEach(source => readers[source].push(number)));

// ------------------------------------------------------------------------------------------------- shapes and text

const pen = document.createElement("canvas").getContext("2d");

function make(tag, attributes, parent) {
  const node = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
  if (parent) parent.append(node);
  return node;
}

function widthOf(text, size, classes = "") {
  pen.font = `${classes.includes("bold") ? "bold " : ""}100px ${FONT}`;
  return pen.measureText(text).width * size / 100;
}

// Write one line, with its middle or start at (x, y), in at most `room` points: compressed, then truncated.
function write(parent, text, x, y, size, room, classes = "middle") {
  const length = text => widthOf(text, size, classes);
  if (length(text) > room * 1.25) {
    let end = text.length;
    while (end > 1 && length(text.slice(0, end) + "…") > room) end = Math.min(end - 1, Math.ceil(end * 0.97));
    text = text.slice(0, end) + "…";
  }
  const node = make("text", {x, y: y + 0.365 * size, "font-size": size, class: classes}, parent);
  if (length(text) > room) {
    node.setAttribute("textLength", room);
    node.setAttribute("lengthAdjust", "spacingAndGlyphs");
  }
  node.textContent = text;
}

function line(parent, points, kind = "arrow") {
  make("path", {d: "M" + points.map(point => point.join(" ")).join("L"), class: `edge ${kind}`}, parent);
}

// Draw a box and record its position. `label` is its accessible name.
function box(parent, key, above, area, classes, label, radius = 4) {
  const level = above === null ? 1 : placed.get(above).level + 1;
  const node = make("g", {class: `box ${classes}`, role: "treeitem", tabindex: -1, "data-key": key}, parent);
  node.setAttribute("aria-level", level);
  node.setAttribute("aria-label", label);
  make("rect", {...area, rx: radius}, node);
  placed.set(key, {...area, node, parent: above, level});
  return node;
}

function toggler(node, x, y, open) {
  node.setAttribute("aria-expanded", open);
  const button = make("g", {class: "toggle"}, node);
  make("rect", {x, y, width: 13, height: 13, rx: 3}, button);
  make("path", {d: `M${x + 3} ${y + 6.5}h7${open ? "" : `M${x + 6.5} ${y + 3}v7`}`}, button);
}

// --------------------------------------------------------------------------------------------------------- drawings
// A drawing is {width, height, draw(parent, x, y)}: x is its middle, y its upper edge. Inside a frame it also has
// `head`, the space above it; `enters`, the kind of the line to it; `leaves`, the offset of its output from the middle.

function moduleDrawing(number) {
  const module = modules[number], key = `m${number}`;
  if (module.each.length === 1) return oneDrawing(number, 0, key, null);
  if (!opened.has(key)) return closedDrawing(module, key, null, layersIn(module));
  const inner = module.each.map((_, which) => oneDrawing(number, which, `m${number}.${which}`, key));
  return frameDrawing(module, key, null, columnDrawing(inner), module.title);
}

// One module: `key` is its own, or that of its only layer.
function oneDrawing(number, which, key, above) {
  const module = modules[number], one = module.each[which];
  if (module.inside === undefined) return closedDrawing({...one, label: layers[one.layers[0]].label, each: [one],
    side: module.side, thin: module.thin}, `l${one.layers[0]}`, above, one.layers);
  const shown = {...module, ...one, each: [one], label: above === null ? module.label : `${one.layers.length} layers`};
  if (!opened.has(key)) return closedDrawing(shown, key, above, one.layers);
  const inner = insideDrawing(insides[module.inside], one.layers, key, module.side);
  return frameDrawing(shown, key, above, inner, one.title);
}

function closedDrawing(module, key, above, inner) {
  const height = module.thin ? THIN : TALL, times = module.each.length;
  return {width: WIDTH, height, draw(parent, x, y) {
    const left = x - WIDTH / 2, count = inner.filter(layer => hits.has(layer)).length, can = !key.startsWith("l");
    for (let back = Math.min(times - 1, 2); back > 0; back--)
      make("rect", {x: left + 3 * back, y: y - 3 * back, width: WIDTH, height, rx: 4},
        make("g", {class: `kind-${module.kind}`}, parent));
    const title = module.title;
    const area = {x: left, y, width: WIDTH, height}, classes = `kind-${module.kind}${count ? " hit" : ""}`;
    const node = box(parent, key, above, area, classes, `${title}, ${module.label}, ${module.shape}`);
    if (module.side) node.firstChild.setAttribute("class", "dashed");
    const room = WIDTH - (can ? 40 : 12);
    if (module.thin) {
      const text = module.label === "activation" || module.label === title ? title : `${title}   ${module.label}`;
      write(node, text, x, y + height / 2, SMALL + 0.5, room);
    } else {
      write(node, title, x, y + 11, TITLE, room, "middle bold");
      write(node, module.label, x, y + 23, SMALL + 0.5, room, "middle faint");
    }
    if (can) toggler(node, left + 4, y + (height - 13) / 2, false);
    if (count && can) write(node, String(count), left + WIDTH - 14, y + height / 2, LETTERS, 20, "middle count");
  }};
}

function frameDrawing(module, key, above, inner, title) {
  const titleWidth = Math.min(widthOf(title, TITLE, "bold") + 4, 260);
  const under = module.loss === undefined ? module.shape : `${module.shape}, loss x ${module.loss}`;
  const width = Math.max(inner.width + 2 * PAD, titleWidth + 36, WIDTH), height = inner.height + inner.head + PAD;
  return {width, height, draw(parent, x, y) {
    const left = x - width / 2;
    const node = box(parent, key, above, {x: left, y, width, height}, "frame", `${title}, ${module.shape}`, 6);
    if (module.side) node.firstChild.setAttribute("class", "dashed");
    toggler(node, left + 6, y + 5, true);
    write(node, title, left + 26, y + 11.5, TITLE, titleWidth, "bold");
    write(node, under, left + 26, y + 23.5, SMALL, width - 36, "faint");
    const free = left + 26 + Math.max(titleWidth, widthOf(under, SMALL)) < x - 4;  // no line across a wide title
    const bottom = y + height;
    line(parent, [[x, free ? y : y + Math.min(inner.head, 30)], [x, y + inner.head]], inner.enters);
    const end = x + inner.leaves;
    if (!module.side) line(parent, [[end, bottom - PAD], [end, bottom - 5], [x, bottom - 5], [x, bottom]], "");
    inner.draw(parent, x, y + inner.head);
  }};
}

// The layers of a module at the positions of page.py, with the module's input in the middle.
function insideDrawing(plan, members, key, side) {
  const width = 2 * Math.max(plan.enter, plan.width - plan.enter);
  return {width, height: plan.height, head: 28, enters: "", leaves: plan.leave - plan.enter, draw(parent, x, y) {
    const left = x - plan.enter;
    for (const [kind, routes] of [["arrow", plan.routes], ["", side ? [] : plan.ends]])
      for (const route of routes) line(parent, route.map(([across, down]) => [left + across, y + down]), kind);
    let next = 0;
    for (const [middle, top, wide, count, head] of plan.units) {
      let down = y + top;
      for (let row = 0; row < count; row++) {
        const tall = row === head ? HEAD : FOLLOWER;
        const area = {x: left + middle - wide / 2, y: down, width: wide, height: tall};
        layerBox(parent, members[next++], key, area, row === head);
        down += tall;
      }
    }
  }};
}

function layerBox(parent, number, above, area, large) {
  const layer = layers[number], middle = area.x + area.width / 2;
  const node = box(parent, `l${number}`, above, area, `kind-${layer.kind}${hits.has(number) ? " hit" : ""}`,
    `${layer.name}, ${layer.label}, ${layer.shape}`, 3);
  make("title", {}, node).textContent = `${layer.name}: ${layer.label}, ${layer.shape}`;
  write(node, layer.label, middle, area.y + (large ? 10 : area.height / 2), large ? LETTERS : SMALL, area.width - 8);
  if (large) write(node, layer.name, middle, area.y + 20.5, SMALL, area.width - 8, "middle faint");
}

function columnDrawing(drawings) {
  const height = drawings.reduce((sum, each) => sum + each.height, 0) + GAP * (drawings.length - 1);
  const width = Math.max(...drawings.map(each => each.width));
  return {width, height, head: 40, enters: "arrow", leaves: 0, draw(parent, x, y) {
    drawings.forEach((drawing, place) => {
      if (place) line(parent, [[x, y - GAP], [x, y]]);
      drawing.draw(parent, x, y);
      y += drawing.height + GAP;
    });
  }};
}

function bars(parent, module, x, y) {
  ["parameters", "multiplyAdds"].forEach((what, row) => {
    if (module[what] === 0) return;
    const most = Math.max(...modules.map(each => each[what] || 0));
    const length = module[what] ? Math.max(1, BAR * module[what] / most) : 0;
    if (length) make("rect", {x, y: y + 1.5 + 9 * row, width: length, height: 5, rx: 1, class: `bar-${what}`}, parent);
    write(parent, module.short[row], x + length + 4, y + 4 + 9 * row, SMALL, 40, "faint");
  });
}

// ------------------------------------------------------------------------------------------------------ the diagram

function draw() {
  const focused = view.contains(document.activeElement);
  placed.clear();
  view.replaceChildren();
  const main = modules.map((_, number) => number).filter(number => !modules[number].side);
  const drawings = modules.map((_, number) => moduleDrawing(number));
  const wide = Math.max(...main.map(number => drawings[number].width)), tops = [];
  let y = 0;
  main.forEach((number, place) => {
    const module = modules[number], folded = !opened.has(`m${number}`);
    const behind = folded ? 3 * Math.min(module.each.length - 1, 2) : 0;
    if (place) {
      const before = main[place - 1], linked = module.reads.includes(before);
      if (linked) line(view, [[0, y], [0, y + GAP]]);
      if (linked && (modules[before].shape !== module.shape || place === 1))
        write(view, modules[before].shape, 6, y + GAP / 2 - 1, SMALL, 120, "faint");
      y += GAP + behind;
    }
    tops[number] = y;
    drawings[number].draw(view, 0, y);
    bars(view, module, drawings[number].width / 2 + PAD + 2, y + (folded && !module.thin ? (TALL - 17) / 2 : 8));
    y += drawings[number].height;
  });
  write(view, modules[main[main.length - 1]].shape, 0, y + 9, SMALL, WIDTH);
  const left = lanes(main, drawings, tops, -wide / 2);
  const [edge, bottom] = aside(drawings, tops, left);
  bounds = {left: edge, right: wide / 2 + PAD + BAR + 44, bottom: Math.max(y + 18, bottom)};
  for (const key of placed.keys()) mark(key);
  placed.get(placed.has(chosen) ? chosen : placed.keys().next().value).node.setAttribute("tabindex", 0);
  if (focused && placed.has(chosen)) placed.get(chosen).node.focus({preventScroll: true});
}

// Draw connections that skip modules left of the column, each in the first free lane; return the left end.
function lanes(main, drawings, tops, left) {
  const free = [];
  main.forEach((number, place) => modules[number].reads.forEach(source => {
    if (source === main[place - 1]) return;
    const start = tops[source] + drawings[source].height / 2, end = tops[number] + 6;
    let lane = free.findIndex(until => until < start);
    if (lane < 0) lane = free.length;
    free[lane] = end;
    const x = left - LANE * (lane + 1);
    line(view, [[-drawings[source].width / 2, start], [x, start], [x, end], [-drawings[number].width / 2, end]]);
  }));
  return left - LANE * free.length;
}

// Draw auxiliary classifiers left of the modules that they read; return their left end and their lower end.
function aside(drawings, tops, left) {
  const right = left - SIDE_GAP, turn = left - SIDE_GAP / 2, middleOf = number => right - drawings[number].width / 2;
  let bottom = -GAP, edge = left;
  modules.forEach((module, number) => {
    if (!module.side) return;
    const drawing = drawings[number], half = Math.min(drawing.height, TALL) / 2;
    const source = module.reads.find(each => tops[each] !== undefined);
    const beside = source !== undefined && !modules[source].side;
    const start = beside ? tops[source] + Math.min(drawings[source].height, TALL) / 2 : 0;
    const y = tops[number] = Math.max(start - half, bottom + GAP), end = y + half;
    if (beside)
      line(view, [[-drawings[source].width / 2, start], [turn, start], [turn, end], [right, end]], "arrow dashed");
    else if (source !== undefined) {
      const [from, to] = [middleOf(source), middleOf(number)];
      line(view, [[from, tops[source] + drawings[source].height], [from, y - 8], [to, y - 8], [to, y]], "arrow dashed");
    }
    drawing.draw(view, middleOf(number), y);
    edge = Math.min(edge, right - drawing.width);
    bottom = y + drawing.height;
  });
  return [edge, bottom];
}

// --------------------------------------------------------------------------------------------------------- details

const formatCount = number => number === null || number === undefined ? "unknown" : number.toLocaleString("en-US");

// Return a number rounded to `digits` significant digits, without an exponent: 0.78, 100, 1,230.
function round(number, digits) {
  return number.toLocaleString("en-US", {minimumSignificantDigits: digits, maximumSignificantDigits: digits});
}

function formatFraction(number, total) {
  return total && number ? `${formatCount(number)} (${round(100 * number / total, 2)}%)` : formatCount(number);
}

// The memory of the outputs for one image, in values of 4 bytes, and its percentage of a total.
function formatMemory(values, total) {
  if (values === undefined) return undefined;
  const bytes = 4 * values, [unit, size] = bytes < 1e6 ? ["kB", 1e3] : ["MB", 1e6];
  const part = total ? ` (${round(100 * values / total, 2)}%)` : "";
  return `${round(bytes / size, 3)} ${unit}${part}`;
}

function element(tag, text, parent) {
  const node = document.createElement(tag);
  node.textContent = text;
  parent.append(node);
  return node;
}

function showFacts() {
  facts.replaceChildren();
  if (chosen === null) return networkFacts();
  const [, kind, first, second] = /^([ml])(\d+)(?:\.(\d+))?$/.exec(chosen);
  if (kind === "l") layerFacts(layers[first], Number(first));
  else if (second === undefined && modules[first].each.length > 1) repeatFacts(modules[first], Number(first));
  else moduleFacts({...modules[first], ...modules[first].each[second || 0]});
}

function heading(name, what) {
  element("h2", name, facts);
  element("p", what, facts).className = "what";
}

function table(rows) {
  const list = element("dl", "", facts);
  for (const [key, value] of rows) if (value !== undefined) {
    element("dt", key, list);
    element("dd", value, list);
  }
}

function links(title, targets) {
  if (!targets.length) return;
  element("h3", title, facts);
  const list = element("ul", "", facts);
  for (const [name, go] of targets)
    element("button", name, element("li", "", list)).addEventListener("click", go);
}

const layerLinks = numbers => numbers.map(number => [layers[number].name, () => reveal(number)]);

function layerFacts(layer, number) {
  heading(layer.name, layer.label);
  table([["class", layer.class], ["output shape", layer.shape], ["parameters", formatCount(layer.parameters)],
    ["trainable", layer.trainable === layer.parameters ? undefined : formatCount(layer.trainable)],
    ["multiply-adds", formatCount(layer.multiplyAdds)], [layer.kind === "dense" ? "units" : "filters", layer.filters],
    [layer.kind === "pool" ? "window" : "kernel", layer.kernel], ["strides", layer.strides],
    ["groups", layer.groups], ["activation", layer.activation],
    ["activation memory per image", formatMemory(layer.outputs)],
    ["receptive field", layer.field], ["output stride", layer.step]]);
  links("inputs", layerLinks(layer.reads));
  links("outputs", layerLinks(readers[number]));
}

function counts(module) {
  return [["output shape", module.shape], ["parameters", formatFraction(module.parameters, totals.parameters)],
    ["multiply-adds", formatFraction(module.multiplyAdds, totals.uncounted ? 0 : totals.multiplyAdds)],
    ["activation memory per image", formatMemory(module.outputs, totals.outputs)],
    ["loss weight", module.loss]];
}

function moduleFacts(module) {
  heading(module.name, `module of ${module.layers.length} layers`);
  table(counts(module));
  links("layers", layerLinks(module.layers));
}

function repeatFacts(module, number) {
  heading(module.title, "identical modules in sequence");
  table(counts(module));
  links("modules", module.each.map((one, which) => [one.name, () => {
    opened.add(`m${number}`);
    draw();
    choose(one.layers.length === 1 ? `l${one.layers[0]}` : `m${number}.${which}`, true);
  }]));
}

function networkFacts() {
  heading(document.title, "model");
  const moduleCount = modules.reduce((sum, module) => sum + module.each.length, 0);
  table([["layers", formatCount(layers.length)], ["modules", formatCount(moduleCount)],
    ["parameters", formatCount(totals.parameters)], ["trainable", formatCount(totals.trainable)],
    ["multiply-adds", formatCount(totals.uncounted && !totals.multiplyAdds ? null : totals.multiplyAdds)],
    ["activation memory per image", formatMemory(totals.outputs)],
    ["layers not counted", totals.uncounted ? formatCount(totals.uncounted) : undefined]]);
}

// ----------------------------------------------------------------------------------------------------------- actions

function mark(key) {
  const {node} = placed.get(key);
  node.classList.toggle("chosen", key === chosen);
  node.setAttribute("aria-selected", key === chosen);
}

// Show the details of a key, or of the model; `show` also scrolls its box into view and focuses it.
function choose(key, show = false) {
  const before = chosen;
  chosen = key;
  for (const each of [before, key]) if (placed.has(each)) mark(each);
  if (placed.has(key)) {
    for (const node of view.querySelectorAll('[tabindex="0"]')) node.setAttribute("tabindex", -1);
    placed.get(key).node.setAttribute("tabindex", 0);
    if (show) {
      placed.get(key).node.focus({preventScroll: true});
      scrollIntoView(placed.get(key));
    }
  }
  showFacts();
}

function layersIn(module) {
  return module.each.flatMap(one => one.layers);
}

const foldable = key => key !== null && key.startsWith("m");

// Expand or collapse a module; its upper left corner stays at the same position on the screen.
function toggle(key) {
  if (!foldable(key)) return;
  const before = placed.get(key);
  if (!opened.delete(key)) opened.add(key);
  draw();
  const after = placed.get(key);
  camera.x += (before.x - after.x) * camera.scale;
  camera.y += (before.y - after.y) * camera.scale;
  aim();
  choose(key);
}

function expandAll() {
  modules.forEach((module, number) => {
    if (module.each.length > 1 || module.inside !== undefined) opened.add(`m${number}`);
    if (module.each.length > 1 && module.inside !== undefined)
      module.each.forEach((_, which) => opened.add(`m${number}.${which}`));
  });
  draw();
  fit();
}

function collapseAll() {
  opened.clear();
  if (!modules.some((_, number) => chosen === `m${number}`)) chosen = null;
  draw();
  showFacts();
  fit();
}

// Expand the module of a layer, and show the layer.
function reveal(number) {
  const [module, which] = home[number], several = modules[module].each.length > 1;
  if (several || modules[module].inside !== undefined) opened.add(`m${module}`);
  if (several && modules[module].inside !== undefined) opened.add(`m${module}.${which}`);
  draw();
  choose(`l${number}`);
  scrollIntoView(placed.get(chosen), true);
}

function seek() {
  const query = search.value.trim().toLowerCase();
  hits = new Set();
  if (query) layers.forEach((layer, number) => { if (layer.name.toLowerCase().includes(query)) hits.add(number); });
  found.textContent = query ? `${formatCount(hits.size)} of ${formatCount(layers.length)}` : "";
  draw();
}

function nextHit(step) {
  const numbers = [...hits];
  if (!numbers.length) return;
  const now = numbers.findIndex(number => chosen === `l${number}`);
  reveal(numbers[now < 0 ? (step > 0 ? 0 : numbers.length - 1) : (now + step + numbers.length) % numbers.length]);
}

// ------------------------------------------------------------------------------------------------------- the camera

function aim() {
  const place = `${camera.x.toFixed(2)} ${camera.y.toFixed(2)}`;
  view.setAttribute("transform", `translate(${place}) scale(${camera.scale.toFixed(4)})`);
}

// Show the whole diagram, or its upper end if it would be too small to read.
function fit(whole = false) {
  const {width, height} = svg.getBoundingClientRect();
  const all = Math.min(width / (bounds.right - bounds.left + 40), height / (bounds.bottom + 32), 1.5);
  camera.scale = whole ? all : Math.max(all, Math.min(0.8, width / (bounds.right - bounds.left + 40)));
  camera.x = (width - (bounds.left + bounds.right) * camera.scale) / 2;
  camera.y = Math.max((height - bounds.bottom * camera.scale) / 2, 16);
  aim();
}

// A page is printed whole: its size is not known here, so the browser scales.
function fitPaper() {
  const width = bounds.right - bounds.left + 40;
  svg.setAttribute("viewBox", `${bounds.left - 20} -16 ${width} ${bounds.bottom + 32}`);
  view.removeAttribute("transform");
}

function leavePaper() {
  svg.removeAttribute("viewBox");
  aim();
}

function zoom(factor, x, y) {
  const {width, height} = svg.getBoundingClientRect();
  const scale = Math.min(Math.max(camera.scale * factor, 0.02), 8), change = scale / camera.scale;
  x = x === undefined ? width / 2 : x;
  y = y === undefined ? height / 2 : y;
  camera = {x: x - (x - camera.x) * change, y: y - (y - camera.y) * change, scale};
  aim();
}

function scrollIntoView(area, middle = false) {
  const {width, height} = svg.getBoundingClientRect(), edge = 40;
  if (middle && camera.scale < 0.7) camera.scale = 1;
  const left = area.x * camera.scale + camera.x, top = area.y * camera.scale + camera.y;
  const right = left + area.width * camera.scale;
  const bottom = top + Math.min(area.height * camera.scale, height - 2 * edge);
  if (middle || left < edge || right > width - edge) camera.x += (width - left - right) / 2;
  if (middle || top < edge || bottom > height - edge) camera.y += (height - top - bottom) / 2;
  aim();
}

// ------------------------------------------------------------------------------------------------------- listening

const pointers = new Map();
let dragged = false;

function center(points) {
  return {x: points.reduce((sum, point) => sum + point.x, 0) / points.length,
    y: points.reduce((sum, point) => sum + point.y, 0) / points.length};
}

svg.addEventListener("pointerdown", event => {
  if (event.button) return;
  if (!pointers.size) dragged = false;
  pointers.set(event.pointerId, {x: event.clientX, y: event.clientY, startX: event.clientX, startY: event.clientY});
});

svg.addEventListener("pointermove", event => {
  const pointer = pointers.get(event.pointerId);
  if (!pointer) return;
  if (!dragged && Math.hypot(event.clientX - pointer.startX, event.clientY - pointer.startY) < 4) return;
  if (!dragged) {  // a click needs its box: the pointer is captured only after it has moved
    dragged = true;
    svg.classList.add("dragging");
    svg.setPointerCapture(event.pointerId);
  }
  const before = [...pointers.values()].map(({x, y}) => ({x, y}));
  pointer.x = event.clientX;
  pointer.y = event.clientY;
  const now = [...pointers.values()], from = center(before), to = center(now), area = svg.getBoundingClientRect();
  camera.x += to.x - from.x;
  camera.y += to.y - from.y;
  if (now.length === 2) {
    const apart = points => Math.hypot(points[0].x - points[1].x, points[0].y - points[1].y) || 1;
    zoom(apart(now) / apart(before), to.x - area.left, to.y - area.top);
  }
  aim();
});

for (const kind of ["pointerup", "pointercancel"]) window.addEventListener(kind, event => {
  pointers.delete(event.pointerId);
  if (!pointers.size) svg.classList.remove("dragging");
});

svg.addEventListener("wheel", event => {
  event.preventDefault();
  const area = svg.getBoundingClientRect(), step = event.deltaY * [1, 16, 400][event.deltaMode];
  zoom(Math.exp(-step * (event.ctrlKey ? 0.01 : 0.0015)), event.clientX - area.left, event.clientY - area.top);
}, {passive: false});

svg.addEventListener("click", event => {
  if (dragged) return;
  const hit = event.target.closest(".box"), key = hit && hit.dataset.key;
  if (event.target.closest(".toggle")) toggle(key);
  else choose(key);
});

svg.addEventListener("dblclick", event => {
  const hit = event.target.closest(".box");
  if (hit && !dragged && !event.target.closest(".toggle")) toggle(hit.dataset.key);
});

// Keyboard navigation as in a tree view.
svg.addEventListener("keydown", event => {
  const hit = event.target.closest(".box");
  if (!hit || event.ctrlKey || event.metaKey || event.altKey) return;
  const key = hit.dataset.key, keys = [...placed.keys()], place = keys.indexOf(key), open = opened.has(key);
  if (event.key === "ArrowDown" && keys[place + 1]) choose(keys[place + 1], true);
  else if (event.key === "ArrowUp" && keys[place - 1]) choose(keys[place - 1], true);
  else if (event.key === "ArrowRight" && foldable(key)) open ? choose(keys[place + 1], true) : toggle(key);
  else if (event.key === "ArrowLeft" && open) toggle(key);
  else if (event.key === "ArrowLeft" && placed.get(key).parent !== null) choose(placed.get(key).parent, true);
  else if (event.key === "Enter" || event.key === " ") chosen === key ? toggle(key) : choose(key);
  else if (event.key === "Home") choose(keys[0], true);
  else if (event.key === "End") choose(keys[keys.length - 1], true);
  else if (!event.key.startsWith("Arrow")) return;
  event.preventDefault();
  event.stopPropagation();
});

const KEYS = {"+": () => zoom(1.25), "=": () => zoom(1.25), "-": () => zoom(0.8), "0": () => fit(true), e: expandAll,
  c: collapseAll, "/": () => search.focus(), Escape: () => choose(null)};

document.addEventListener("keydown", event => {
  if (event.target === search) {
    if (event.key === "Enter") nextHit(event.shiftKey ? -1 : 1);
    if (event.key === "Escape") { search.value = ""; seek(); search.blur(); }
  } else if (!event.ctrlKey && !event.metaKey && !event.altKey && Object.hasOwn(KEYS, event.key)) {
    KEYS[event.key]();
    event.preventDefault();
  }
});

search.addEventListener("input", seek);
const BUTTONS = {"expand-all": expandAll, "collapse-all": collapseAll, fit: () => fit(true),
  "zoom-in": () => zoom(1.25), "zoom-out": () => zoom(0.8)};
for (const [id, act] of Object.entries(BUTTONS)) document.getElementById(id).addEventListener("click", act);
window.addEventListener("beforeprint", fitPaper);
window.addEventListener("afterprint", leavePaper);

draw();
showFacts();
fit();
