"use strict";
// The interactive parts of a report: curves show their values, cells of the confusion matrix show their images. The
// data are described at the end. Class names are untrusted: they are only ever written as text.
(() => {
  const data = JSON.parse(document.getElementById("page-data").textContent);
  const SVG_NAMESPACE = "http://www.w3.org/2000/svg";

  const addSvg = (parent, tag, attributes, text) => {
    const element = parent.appendChild(document.createElementNS(SVG_NAMESPACE, tag));
    for (const name in attributes) element.setAttribute(name, attributes[name]);
    if (text !== undefined) element.textContent = text;
    return element;
  };
  const addHtml = (parent, tag, className, text) => {
    const element = parent.appendChild(document.createElement(tag));
    element.className = className;
    if (text !== undefined) element.textContent = text;
    return element;
  };
  const pluralize = (count, noun) => `${count.toLocaleString("en")} ${noun}${count === 1 ? "" : "s"}`;
  const formatPercent = (fraction) => `${(100 * fraction).toFixed(1)}%`;
  const clamp = (value, low, high) => Math.min(Math.max(value, low), high);

  // ----------------------------------------------------------------------------------------------------- curves

  document.querySelectorAll("figure[data-chart]").forEach((figure) => {
    const { values } = data.charts[figure.dataset.chart];
    const chart = figure.querySelector(".chart"), cursor = figure.querySelector(".cursor");
    const outputs = figure.querySelectorAll("output"), caption = figure.querySelector(".epoch");
    const left = Number(chart.dataset.left), right = Number(chart.dataset.right), epochs = Number(chart.dataset.epochs);
    let selectedEpoch = 0;  // 0 for none: the last values are shown

    const showEpoch = (epoch) => {
      selectedEpoch = epoch;
      caption.textContent = epoch ? `epoch ${epoch}` : "last epoch";
      outputs.forEach((output, index) => {
        const line = values[index];
        output.textContent = epoch ? line[epoch - 1] : line.findLast((value) => value !== "none") || "none";
      });
      cursor.toggleAttribute("hidden", !epoch);
      const x = left + (epoch - 0.5) / epochs * (right - left);
      cursor.setAttribute("x1", x);
      cursor.setAttribute("x2", x);
    };
    chart.addEventListener("pointermove", (event) => {
      const box = chart.getBoundingClientRect();
      const x = (event.clientX - box.left) / box.width * chart.viewBox.baseVal.width;
      showEpoch(clamp(Math.ceil((x - left) / (right - left) * epochs), 1, epochs));
    });
    chart.addEventListener("pointerleave", () => showEpoch(0));
    chart.addEventListener("blur", () => showEpoch(0));
    chart.addEventListener("keydown", (event) => {
      const step = { ArrowLeft: -1, ArrowRight: 1, Home: -epochs, End: epochs }[event.key];
      if (!step) return;
      event.preventDefault();
      showEpoch(clamp((selectedEpoch || epochs + (step < 0 ? 1 : 0)) + step, 1, epochs));
    });
  });

  // ----------------------------------------------------------------------------------------------------- images

  const images = data.images, classNames = data.matrix && data.matrix.class_names;

  const addTile = (parent, position) => {
    const [label, index, predictions] = images.items[position];
    const tile = addHtml(parent, "div", "tile");
    const image = addHtml(tile, "div", "image");
    const lines = predictions.map(([name, probability]) => `${classNames[name]} ${formatPercent(probability)}`);
    image.setAttribute("role", "img");
    image.setAttribute("aria-label", `test image ${index}, ${classNames[label]}; predicted: ${lines.join(", ")}`);
    image.title = `image ${index} of the test split, counted from 0`;
    image.style.aspectRatio = `${images.width} / ${images.height}`;
    const numRows = Math.ceil(images.items.length / images.columns);
    const column = position % images.columns, row = Math.floor(position / images.columns);
    image.style.backgroundSize = `${100 * images.columns}% ${100 * numRows}%`;
    image.style.backgroundPosition = [[column, images.columns], [row, numRows]]
      .map(([offset, count]) => `${count > 1 ? 100 * offset / (count - 1) : 0}%`).join(" ");
    addHtml(tile, "span", "true-class", `true: ${classNames[label]}`);
    predictions.forEach(([name], rank) => {
      addHtml(tile, "span", name === label ? "correct" : rank ? "" : "incorrect", lines[rank]);
    });
    return tile;
  };
  if (images) {  // one rule for all tiles, so that the sheet is decoded once
    document.styleSheets[0].insertRule(`.tile .image { background-image: url(${images.sheet}) }`);
    document.querySelectorAll("[data-image]").forEach((placeholder) => {
      placeholder.replaceWith(addTile(placeholder.parentNode, Number(placeholder.dataset.image)));
    });
  }

  // ----------------------------------------------------------------------------------------------------- matrix

  const matrix = document.getElementById("matrix");
  if (matrix) {
    const { cells, name_lines: nameLines, name_width: nameWidth } = data.matrix;
    const hasNames = nameLines.length > 0, numClasses = classNames.length;
    const counts = new Map(cells.map(([row, column, count]) => [row * numClasses + column, count]));
    const rowTotals = classNames.map(() => 0);
    cells.forEach(([row, , count]) => { rowTotals[row] += count; });

    // In units of the viewBox: the size of a cell, and the position and size of the matrix.
    const cellSize = hasNames ? (numClasses <= 10 ? 36 : 27) : Math.max(400 / numClasses, 4);
    const matrixSize = cellSize * numClasses, isRotated = hasNames && nameWidth > cellSize - 4;
    const left = hasNames ? 32 + nameWidth : 26, top = hasNames ? 28 + (isRotated ? nameWidth : 16) : 26;
    const width = left + matrixSize + 12;
    matrix.setAttribute("viewBox", `0 0 ${width} ${top + matrixSize + 6}`);
    // Class names are never smaller than 9.7 px: in a narrow window the matrix scrolls in its box.
    matrix.style.minWidth = `${hasNames ? 0.88 * width : 320}px`;
    if (hasNames) matrix.style.maxWidth = `${1.2 * width}px`;
    addSvg(matrix, "rect", { x: left, y: top, width: matrixSize, height: matrixSize, class: "background" });
    addSvg(matrix, "text", { x: left + matrixSize / 2, y: 14, class: "middle" }, "predicted class");
    addSvg(matrix, "text", { class: "middle", transform: `translate(12 ${top + matrixSize / 2}) rotate(-90)` },
      "true class");
    for (const [row, column, count, opacity] of cells) {
      const x = left + column * cellSize, y = top + row * cellSize, gap = hasNames ? 1 : 0;
      addSvg(matrix, "rect", { x: x + gap, y: y + gap, width: cellSize - 2 * gap, height: cellSize - 2 * gap,
        class: row === column ? "correct" : "incorrect", "fill-opacity": opacity });
      if (hasNames) addSvg(matrix, "text", { x: x + cellSize / 2, y: y + cellSize / 2, class: "count" }, count);
    }
    const addClassName = (index, anchor, transform) => {
      const lines = nameLines[index], group = addSvg(matrix, "g", { transform });
      addSvg(group, "title", {}, classNames[index]);
      lines.forEach((line, lineIndex) => {
        const y = 4 + 12 * (lineIndex - (lines.length - 1) / 2);
        addSvg(group, "text", { class: `name ${anchor}`, y }, line);
      });
    };
    nameLines.forEach((_, index) => {
      const center = (index + 0.5) * cellSize;
      addClassName(index, "end", `translate(${left - 6} ${top + center})`);
      addClassName(index, isRotated ? "" : "middle",
        `translate(${left + center} ${top - (isRotated ? 6 : 10)})${isRotated ? " rotate(-90)" : ""}`);
    });
    const frame = { width: cellSize, height: cellSize, visibility: "hidden" };
    const selectedFrame = addSvg(matrix, "rect", { ...frame, class: "selected" });
    const currentFrame = addSvg(matrix, "rect", { ...frame, class: "current" });

    const summary = document.getElementById("cell-summary"), cellImages = document.getElementById("cell-images");
    let row = 0, column = 0;  // the current cell

    const moveFrame = (element, isVisible) => {
      element.setAttribute("x", left + column * cellSize);
      element.setAttribute("y", top + row * cellSize);
      element.setAttribute("visibility", isVisible ? "visible" : "hidden");
    };
    const getCount = () => counts.get(row * numClasses + column) || 0;
    const formatSummary = () => {
      const count = getCount(), total = rowTotals[row];
      const fraction = count ? ` of ${total.toLocaleString("en")} (${formatPercent(count / total)})` : "";
      const predicted = row === column ? "correct" : `predicted as ${classNames[column]}`;
      return `${classNames[row]}, ${predicted}: ${pluralize(count, data.noun)}${fraction}`;
    };
    const showCell = (newRow, newColumn) => {
      row = newRow;
      column = newColumn;
      moveFrame(currentFrame, true);
      summary.textContent = formatSummary();
    };
    const getConfidence = (position) => images.items[position][2][0][1];
    const showCellImages = () => {
      moveFrame(selectedFrame, true);
      summary.textContent = formatSummary();
      cellImages.replaceChildren();
      if (!images) return;
      const isCorrect = row === column;
      const positions = [...images.items.keys()].filter((position) => {
        const [label, , predictions] = images.items[position];
        return label === row && predictions[0][0] === column;
      });
      positions.sort((a, b) => (isCorrect ? 1 : -1) * (getConfidence(a) - getConfidence(b)));
      positions.forEach((position) => addTile(cellImages, position));
      if (positions.length < getCount()) {
        const extreme = isCorrect ? "lowest" : "highest";
        summary.textContent += `; ${positions.length} shown, those with the ${extreme} confidence`;
      }
    };
    const getCellAt = (event) => {
      const box = matrix.getBoundingClientRect(), scale = matrix.viewBox.baseVal.width / box.width;
      const cell = [(event.clientY - box.top) * scale - top, (event.clientX - box.left) * scale - left]
        .map((distance) => Math.floor(distance / cellSize));
      return cell.every((index) => index >= 0 && index < numClasses) ? cell : null;
    };
    let selection = null;  // [row, column, summary] of the selected cell, shown again when the pointer has left
    const selectCell = () => {
      showCellImages();
      selection = [row, column, summary.textContent];
    };
    matrix.addEventListener("pointermove", (event) => {
      const cell = getCellAt(event);
      if (cell) showCell(...cell);
    });
    matrix.addEventListener("pointerleave", () => {
      moveFrame(currentFrame, false);
      if (selection) [row, column, summary.textContent] = selection;
      else summary.textContent = "";
    });
    matrix.addEventListener("click", (event) => {
      const cell = getCellAt(event);
      if (!cell) return;
      showCell(...cell);
      selectCell();
    });
    matrix.addEventListener("focus", () => { if (matrix.matches(":focus-visible")) showCell(row, column); });
    matrix.addEventListener("blur", () => moveFrame(currentFrame, false));
    matrix.addEventListener("keydown", (event) => {
      const step = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] }[event.key];
      if (!step && event.key !== "Enter" && event.key !== " ") return;
      event.preventDefault();
      if (!step) return selectCell();
      showCell(clamp(row + step[0], 0, numClasses - 1), clamp(column + step[1], 0, numClasses - 1));
    });
    const selectCellOf = (button) => {
      [row, column] = button.dataset.cell.split(",").map(Number);
      selectCell();
    };
    const confusionButtons = document.querySelectorAll("[data-cell]");
    if (confusionButtons.length) selectCellOf(confusionButtons[0]);
    confusionButtons.forEach((button) => button.addEventListener("click", () => {
      selectCellOf(button);
      document.getElementById("cell").scrollIntoView({ block: "nearest" });
    }));
  }

  // ---------------------------------------------------------------------------------------------------- command

  const copyButton = document.getElementById("copy");
  if (copyButton) copyButton.addEventListener("click", async () => {
    const code = copyButton.parentNode.querySelector("code");
    try {
      await navigator.clipboard.writeText(code.textContent);
    } catch {  // some browsers deny pages from the disk access to the clipboard
      getSelection().selectAllChildren(code);
      document.execCommand("copy");
    }
    copyButton.textContent = "Copied";
    setTimeout(() => { copyButton.textContent = "Copy"; }, 2000);
  });
})();

// data.charts: for each chart the names and CSS classes of its lines, and values: for each line a text per epoch.
// data.noun: what was classified, image or text.
// data.matrix: class_names; cells, [true class, predicted class, count, opacity] of those that are not empty;
// name_lines, the lines of each class name beside the matrix, [] if there are too many classes; name_width, the width
// of the widest line.
// data.images: sheet, the URL of one image that holds all, `columns` in a row, each height x width pixels; items:
// [true class, index in the test split, [[class, probability], ...]], the most probable class first.
