"use strict";
// A report that answers: curves tell their values, cells of the confusion matrix show their pictures. What the data
// hold is described at the end. Names are a stranger's: they are only ever written as text.
(() => {
  const data = JSON.parse(document.getElementById("held").textContent);
  const SVG = "http://www.w3.org/2000/svg";

  const svg = (parent, name, attributes, words) => {
    const made = parent.appendChild(document.createElementNS(SVG, name));
    for (const key in attributes) made.setAttribute(key, attributes[key]);
    if (words !== undefined) made.textContent = words;
    return made;
  };
  const html = (parent, name, kind, words) => {
    const made = parent.appendChild(document.createElement(name));
    made.className = kind;
    if (words !== undefined) made.textContent = words;
    return made;
  };
  const counted = (count, thing) => `${count.toLocaleString("en")} ${thing}${count === 1 ? "" : "s"}`;
  const percent = (share) => `${(100 * share).toFixed(1)} %`;

  // ----------------------------------------------------------------------------------------------------- curves

  document.querySelectorAll("figure[data-chart]").forEach((figure) => {
    const { values } = data.charts[figure.dataset.chart];
    const chart = figure.querySelector(".chart"), cursor = figure.querySelector(".cursor");
    const outputs = figure.querySelectorAll("output"), caption = figure.querySelector(".epoch");
    const left = Number(chart.dataset.left), right = Number(chart.dataset.right), epochs = Number(chart.dataset.epochs);
    let at = 0;  // the epoch that is told, 0 for none

    const tell = (epoch) => {
      at = epoch;
      caption.textContent = epoch ? `epoch ${epoch}` : "at the end";
      outputs.forEach((output, place) => {
        const line = values[place];
        output.textContent = epoch ? line[epoch - 1] : line.findLast((each) => each !== "none") || "none";
      });
      cursor.toggleAttribute("hidden", !epoch);
      const x = left + (epoch - 0.5) / epochs * (right - left);
      cursor.setAttribute("x1", x);
      cursor.setAttribute("x2", x);
    };
    const bounded = (epoch) => Math.min(Math.max(epoch, 1), epochs);
    chart.addEventListener("pointermove", (event) => {
      const box = chart.getBoundingClientRect();
      const x = (event.clientX - box.left) / box.width * chart.viewBox.baseVal.width;
      tell(bounded(Math.ceil((x - left) / (right - left) * epochs)));
    });
    chart.addEventListener("pointerleave", () => tell(0));
    chart.addEventListener("blur", () => tell(0));
    chart.addEventListener("keydown", (event) => {
      const step = { ArrowLeft: -1, ArrowRight: 1, Home: -epochs, End: epochs }[event.key];
      if (!step) return;
      event.preventDefault();
      tell(bounded((at || epochs + (step < 0 ? 1 : 0)) + step));
    });
  });

  // --------------------------------------------------------------------------------------------------- pictures

  const pictures = data.pictures, names = data.matrix && data.matrix.names;

  const tile = (parent, place) => {
    const [label, index, likely] = pictures.each[place];
    const made = html(parent, "div", "tile");
    const image = html(made, "div", "image");
    const words = likely.map(([name, share]) => `${names[name]} ${percent(share)}`);
    image.setAttribute("role", "img");
    image.setAttribute("aria-label", `test picture ${index}, ${names[label]}; ${words.join(", ")}`);
    image.title = `picture ${index} of the test split, counted from 0`;
    image.style.aspectRatio = `${pictures.width} / ${pictures.height}`;
    const rows = Math.ceil(pictures.each.length / pictures.columns);
    const along = place % pictures.columns, down = Math.floor(place / pictures.columns);
    image.style.backgroundSize = `${100 * pictures.columns}% ${100 * rows}%`;
    image.style.backgroundPosition = [[along, pictures.columns], [down, rows]]
      .map(([step, of]) => `${of > 1 ? 100 * step / (of - 1) : 0}%`).join(" ");
    html(made, "span", "true", `true: ${names[label]}`);
    likely.forEach(([name], row) => html(made, "span", name === label ? "ok" : row ? "" : "no", words[row]));
    return made;
  };
  if (pictures) {
    document.styleSheets[0].insertRule(`.tile .image { background-image: url(${pictures.sheet}) }`);  // once for all
    document.querySelectorAll("[data-picture]").forEach((place) => {
      place.replaceWith(tile(place.parentNode, Number(place.dataset.picture)));
    });
  }

  // ----------------------------------------------------------------------------------------------------- matrix

  const matrix = document.getElementById("matrix");
  if (matrix) {
    const { labels, room } = data.matrix, few = labels.length > 0, count = names.length;
    const counts = new Map(data.matrix.cells.map(([row, column, number]) => [row * count + column, number]));
    const totals = names.map(() => 0);
    data.matrix.cells.forEach(([row, , number]) => { totals[row] += number; });
    const most = data.matrix.cells.reduce((high, [, , number]) => Math.max(high, number), 1);

    const cell = few ? (count <= 10 ? 40 : 28) : Math.max(400 / count, 4), side = cell * count;
    const upright = few && room > cell - 4;
    const left = few ? 32 + room : 26, top = few ? 28 + (upright ? room : 16) : 26, width = left + side + 12;
    matrix.setAttribute("viewBox", `0 0 ${width} ${top + side + 6}`);
    matrix.style.minWidth = `${few ? 0.8 * width : 320}px`;  // so small that names can still be read, or it scrolls
    if (few) matrix.style.maxWidth = `${1.3 * width}px`;
    svg(matrix, "rect", { x: left, y: top, width: side, height: side, class: "back" });
    svg(matrix, "text", { x: left + side / 2, y: 14, class: "middle" }, "taken for");
    svg(matrix, "text", { class: "middle", transform: `translate(12 ${top + side / 2}) rotate(-90)` }, "true");
    for (const [row, column, number] of data.matrix.cells) {
      const x = left + column * cell, y = top + row * cell, gap = few ? 1 : 0;
      svg(matrix, "rect", { x: x + gap, y: y + gap, width: cell - 2 * gap, height: cell - 2 * gap,
        class: row === column ? "ok" : "no", "fill-opacity": 0.1 + 0.5 * Math.sqrt(number / most) });
      if (few) svg(matrix, "text", { x: x + cell / 2, y: y + cell / 2, class: "count mid" }, number);
    }
    const write = (place, kind, transform) => {  // a class's name, in as many lines as it has
      const lines = labels[place], made = svg(matrix, "g", { transform });
      svg(made, "title", {}, names[place]);
      lines.forEach((line, number) => {
        svg(made, "text", { class: `name ${kind}`, y: 4 + 12 * (number - (lines.length - 1) / 2) }, line);
      });
    };
    labels.forEach((_, place) => {
      const middle = (place + 0.5) * cell;
      write(place, "end", `translate(${left - 6} ${top + middle})`);
      write(place, upright ? "" : "middle", `translate(${left + middle} ${top - (upright ? 6 : 10)})`
        + (upright ? " rotate(-90)" : ""));
    });
    const chosen = svg(matrix, "rect", { width: cell, height: cell, class: "chosen", visibility: "hidden" });
    const at = svg(matrix, "rect", { width: cell, height: cell, class: "at", visibility: "hidden" });

    const told = document.getElementById("told"), shown = document.getElementById("shown");
    let row = 0, column = 0;

    const put = (frame, visible) => {
      frame.setAttribute("x", left + column * cell);
      frame.setAttribute("y", top + row * cell);
      frame.setAttribute("visibility", visible ? "visible" : "hidden");
    };
    const words = () => {
      const number = counts.get(row * count + column) || 0, of = totals[row];
      const share = number ? ` of ${of.toLocaleString("en")} (${percent(number / of)})` : "";
      return row === column ? `${names[row]}, recognised: ${counted(number, "picture")}${share}`
        : `${names[row]} taken for ${names[column]}: ${counted(number, "picture")}${share}`;
    };
    const point = (newRow, newColumn) => {
      row = newRow;
      column = newColumn;
      put(at, true);
      told.textContent = words();
    };
    const choose = () => {
      put(chosen, true);
      told.textContent = words();
      shown.replaceChildren();
      if (!pictures) return;
      const number = counts.get(row * count + column) || 0;
      const places = [...pictures.each.keys()].filter((place) => {
        const [label, , likely] = pictures.each[place];
        return label === row && likely[0][0] === column;
      });
      const sure = (place) => pictures.each[place][2][0][1];
      places.sort((a, b) => row === column ? sure(a) - sure(b) : sure(b) - sure(a));
      places.forEach((place) => tile(shown, place));
      if (places.length < number) {
        told.textContent += `; ${places.length} shown, the ${row === column ? "least sure" : "surest"}`;
      }
    };
    const cellAt = (event) => {
      const box = matrix.getBoundingClientRect(), scale = matrix.viewBox.baseVal.width / box.width;
      const place = [(event.clientY - box.top) * scale - top, (event.clientX - box.left) * scale - left]
        .map((far) => Math.floor(far / cell));
      return place.every((each) => each >= 0 && each < count) ? place : null;
    };
    let last = null;  // the cell that was chosen last: told again when the mouse has gone
    matrix.addEventListener("pointermove", (event) => {
      const place = cellAt(event);
      if (place) point(...place);
    });
    matrix.addEventListener("pointerleave", () => {
      put(at, false);
      if (last) [row, column, told.textContent] = last;
      else told.textContent = "";
    });
    const select = () => {
      choose();
      last = [row, column, told.textContent];
    };
    matrix.addEventListener("click", (event) => {
      const place = cellAt(event);
      if (!place) return;
      point(...place);
      select();
    });
    matrix.addEventListener("focus", () => { if (matrix.matches(":focus-visible")) point(row, column); });
    matrix.addEventListener("blur", () => put(at, false));
    matrix.addEventListener("keydown", (event) => {
      const step = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] }[event.key];
      if (!step && event.key !== "Enter" && event.key !== " ") return;
      event.preventDefault();
      if (!step) return select();
      const inside = (place) => Math.min(Math.max(place, 0), count - 1);
      point(inside(row + step[0]), inside(column + step[1]));
    });
    const jump = (button) => {
      [row, column] = button.dataset.cell.split(",").map(Number);
      select();
    };
    const often = document.querySelectorAll("[data-cell]");
    if (often.length) jump(often[0]);
    often.forEach((button) => button.addEventListener("click", () => {
      jump(button);
      document.getElementById("cell").scrollIntoView({ block: "nearest" });
    }));
  }

  // ---------------------------------------------------------------------------------------------------- command

  const copy = document.getElementById("copy");
  if (copy) copy.addEventListener("click", async () => {
    const code = copy.parentNode.querySelector("code");
    try {
      await navigator.clipboard.writeText(code.textContent);
    } catch {  // a browser that keeps the clipboard from files on the disk
      getSelection().selectAllChildren(code);
      document.execCommand("copy");
    }
    copy.textContent = "Copied";
    setTimeout(() => { copy.textContent = "Copy"; }, 2000);
  });
})();

// data.charts: for each chart names and classes of its lines, and values, for each line a text an epoch.
// data.matrix: names of the classes, cells [true, predicted, count] that are not empty; labels, the lines that each
// name is written in beside the matrix, and room, the width of the widest; no labels where classes are too many.
// data.pictures: sheet, the address of one picture that holds all, `columns` in a row, each height x width pixels;
// each: [true class, place in the test split, [[class, probability], ...] from the most probable on].
