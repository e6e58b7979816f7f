"use strict";
// The figure of lesson 09: nine vectors by hand or at random, and the picture that they bend.
// Needs figure.js, geometry.js, field.js, picture.js.

const GRID = 3; // control points along each side, as in the paper
const BORDER = 28; // pixels of the mirrored world shown around the source
const STEP = 24; // distance of the drawn grid's lines, pixels
const FINE = 2; // grid lines are drawn on a canvas so many times finer than the picture

const state = { vectors: noVectors(), image: null, labels: null };

function noVectors() {
  return [zeroGrid(), zeroGrid()]; // [down, right], pixels
}

function zeroGrid() {
  return Array.from({ length: GRID }, () => new Array(GRID).fill(0));
}

/** One draw from a Gaussian of standard deviation 1 (Box and Muller). */
function gaussian(random = Math.random) {
  return Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
}

/** draw.py::draw_transform, its elastic part: each component from a Gaussian of σ pixels. */
function drawVectors(sigma, random) {
  const drawn = noVectors();
  for (const part of drawn) for (const row of part) row.forEach((_, j) => {
    row[j] = sigma * gaussian(random);
  });
  return drawn;
}

/** Where control point (i, j) sits: the outer ones on the outermost pixel centres. */
function controlPoint(i, j) {
  const { height, width } = state.image;
  return [(i * (height - 1)) / (GRID - 1), (j * (width - 1)) / (GRID - 1)];
}

/** The source once, with labels if asked for, in its mirrored world; the border is paler. */
function drawSource() {
  const { height, width, data } = state.image;
  const across = width + 2 * BORDER;
  const colour = colours();
  paint(byId("source"), height + 2 * BORDER, across, (at, put) => {
    const [row, column] = [Math.floor(at / across) - BORDER, (at % across) - BORDER];
    const source = mirror(row, height) * width + mirror(column, width);
    const inside = row === clamp(row, 0, height - 1) && column === clamp(column, 0, width - 1);
    colour(put, data[source], state.labels.data[source], inside ? 255 : 120);
  });
}

/** How to paint a pixel: grey, or with labels on, membranes in the red of the lessons' figures. */
function colours() {
  const labelled = byId("labels").checked;
  return (put, grey, label, opacity = 255) => {
    if (!labelled || label) put(grey, grey, grey, opacity);
    else put(0.4 * grey + 128, 0.4 * grey + 56, 0.4 * grey, opacity);
  };
}

function drawResult(source) {
  const { height, width } = state.image;
  const grey = sampleCubic(state.image, source);
  const labels = sampleNearest(state.labels, source);
  const colour = colours();
  paint(byId("result"), height, width, (at, put) => colour(put, grey[at], labels[at]));
}

/**
 * The source's straight grid as the result shows it: a pixel is on a line if its source point is,
 * within half a line's width. How fast the source runs there keeps all lines equally wide.
 */
function drawLines() {
  const [height, width] = [state.image.height * FINE, state.image.width * FINE];
  byId("lines").hidden = !byId("grid").checked;
  if (byId("lines").hidden) return;
  const [rows, columns] = sourceCoordinates(state.vectors.map(enlarged), height, width);
  paint(byId("lines"), height, width, (at, put) => {
    const ink = Math.max(lineInk(rows, at, width), lineInk(columns, at, width));
    put(230, 159, 0, 230 * ink);
  });
}

/** A vector grid of the picture in the pixels of the finer canvas. */
function enlarged(part) {
  return part.map((row) => row.map((value) => value * FINE));
}

function lineInk(field, at, width) {
  const below = field[at + (at + width < field.length ? width : -width)];
  const beside = field[at + ((at + 1) % width ? 1 : -1)];
  const slope = Math.sqrt((below - field[at]) ** 2 + (beside - field[at]) ** 2);
  const step = STEP * FINE;
  const distance = Math.abs(field[at] - step * Math.round(field[at] / step));
  return clamp(1.3 - distance / Math.max(slope, 0.05), 0, 1);
}

/** field.py::grid_lines: where a straight grid of the result lies in the source. */
function gridLines([rows, columns], height, width) {
  const lines = [];
  const add = (indices) => lines.push(indices.map((at) => [rows[at], columns[at]]));
  for (let r = 0; r < height; r += STEP) add([...Array(width).keys()].map((c) => r * width + c));
  for (let c = 0; c < width; c += STEP) add([...Array(height).keys()].map((r) => r * width + c));
  return lines;
}

/** The drawing above the source: the bent grid, the vectors, and a point to drag for each. */
function drawHands(source) {
  const { height, width } = state.image;
  const lines = byId("grid").checked ? gridLines(source, height, width) : [];
  byId("bent").replaceChildren(...lines.map((line) => {
    const points = line.map(([r, c]) => `${c.toFixed(2)},${r.toFixed(2)}`).join(" ");
    return shape("polyline", { points });
  }));
  eachHand((i, j) => {
    const [row, column] = controlPoint(i, j);
    const [down, right] = [state.vectors[0][i][j], state.vectors[1][i][j]];
    const ends = { x1: column, y1: row, x2: column + right, y2: row + down };
    dress(byId(`vector-${i}${j}`), ends, []);
    // A point that was drawn further out than is shown waits at the edge: it can be fetched back.
    const [top, left] = [clamp(ends.y2, -BORDER + 6, height + BORDER - 7),
      clamp(ends.x2, -BORDER + 6, width + BORDER - 7)];
    byId(`hand-${i}${j}`).setAttribute("transform", `translate(${left} ${top})`);
    byId(`hand-${i}${j}`).setAttribute("aria-label",
      `vector in row ${i}, column ${j}: ${written(down)} down, ${written(right)} right. ` +
      "Arrow keys move it by a pixel.");
  });
}

function eachHand(use) {
  for (let i = 0; i < GRID; i++) for (let j = 0; j < GRID; j++) use(i, j);
}

/** Made once, so that the point in the hand is never replaced under it. */
function makeHands() {
  const { height, width } = state.image;
  const svg = byId("hands");
  svg.setAttribute("viewBox",
    `${-BORDER - 0.5} ${-BORDER - 0.5} ${width + 2 * BORDER} ${height + 2 * BORDER}`);
  svg.append(shape("rect", { x: -0.5, y: -0.5, width, height }), shape("g", { id: "bent" }));
  eachHand((i, j) => svg.append(shape("line", { id: `vector-${i}${j}` })));
  eachHand((i, j) => {
    const hand = shape("g", { id: `hand-${i}${j}`, tabindex: 0, role: "button" },
      shape("circle", { r: 28, class: "reach" }), shape("circle", { r: 5.5, class: "hand" }));
    svg.append(hand);
    onDrag(hand, (event) => setVector(i, j, ...vectorTo(event, i, j)));
    onArrows(hand, (down, right) =>
      setVector(i, j, state.vectors[0][i][j] + down, state.vectors[1][i][j] + right));
  });
}

/** The vector from control point (i, j) to the pointer, in pixels. */
function vectorTo(event, i, j) {
  const at = new DOMPoint(event.clientX, event.clientY)
    .matrixTransform(byId("hands").getScreenCTM().inverse());
  const [row, column] = controlPoint(i, j);
  return [at.y - row, at.x - column];
}

/** Vectors end where the mirrored world that is shown ends. */
function setVector(i, j, down, right) {
  const { height, width } = state.image;
  const [row, column] = controlPoint(i, j);
  state.vectors[0][i][j] = clamp(row + down, -BORDER, height - 1 + BORDER) - row;
  state.vectors[1][i][j] = clamp(column + right, -BORDER, width - 1 + BORDER) - column;
  drawSoon(`vector (${i}, ${j}): ${written(state.vectors[0][i][j])} down, ` +
    `${written(state.vectors[1][i][j])} right. `);
}

let waiting = false;

/** Many pointer events may come between two frames of the screen; one drawing serves them all. */
function drawSoon(said = "") {
  state.said = said;
  if (waiting) return;
  waiting = true;
  requestAnimationFrame(() => {
    waiting = false;
    draw();
  });
}

function draw() {
  const { height, width } = state.image;
  const source = sourceCoordinates(state.vectors, height, width);
  drawHands(source);
  drawResult(source);
  drawLines();
  const [least, most] = areas(source, height, width);
  const folded = least <= 0 ? [element("span", { class: "folded" }, " Folded over itself!")] : [];
  byId("said").replaceChildren(
    `${state.said ?? ""}A pixel of the result covers ${least.toFixed(2)} to ${most.toFixed(2)} ` +
    "pixels of the source.", ...folded);
}

function showSigma() {
  byId("sigma-value").textContent = `${byId("sigma").value} pixels`;
}

/** Random numbers that can be repeated, for links such as #seed=3 (mulberry32). */
function seeded(seed) {
  return () => {
    seed = (seed + 0x6d2b79f5) | 0;
    let t = Math.imul(seed ^ (seed >>> 15), 1 | seed);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

function start(image, labels) {
  Object.assign(state, { image, labels });
  const { seed, sigma, labels: asked } = fragment();
  if (sigma) byId("sigma").value = sigma;
  byId("labels").checked = asked === "1";
  state.vectors = drawVectors(Number(byId("sigma").value), seeded(Number(seed ?? 12)));
  makeHands();
  byId("random").addEventListener("click", () => {
    state.vectors = drawVectors(Number(byId("sigma").value));
    drawSoon();
  });
  byId("reset").addEventListener("click", () => { state.vectors = noVectors(); drawSoon(); });
  byId("sigma").addEventListener("input", showSigma);
  byId("grid").addEventListener("change", () => drawSoon());
  byId("labels").addEventListener("change", () => { drawSource(); drawSoon(); });
  showSigma();
  drawSource();
  draw();
}

withMembranes(start);
