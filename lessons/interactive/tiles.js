"use strict";
// The figure of lesson 10: which pixels each tile reads and predicts, at any size and depth.
// Needs figure.js, geometry.js, tiling.js, picture.js.

const DEEPEST = 5; // the paper's
const LARGEST = 1024; // pixels of image and tile that the figure offers
const DOTS = 440; // pixels of the canvas along its longer side

const state = { height: 512, width: 512, depth: 5, tile: 572, naive: false, at: [0, 0] };

/** Tiles that fit the depth and can be laid side by side: they predict at least 2^(depth−1). */
function tilesOf(depth) {
  return legalSizes(depth, LARGEST).filter((size) => tileStep(size, depth) > 0);
}

/** The plan of both axes. As figure 2 draws it: as far apart as they predict, in any phase. */
function plans() {
  const { height, width, depth, tile, naive } = state;
  const step = naive ? outputSize(tile, depth) : tileStep(tile, depth);
  return [height, width].map((size) => planAxis(size, tile, depth, step));
}

/** What is drawn of the world: all that any tile reads, as {top, left, height, width}. */
function world(rows, columns) {
  const border = margin(state.depth);
  const end = (plan) => Math.max(...plan.map(([start, , window]) => start - border + window));
  const [bottom, right] = [end(rows), end(columns)];
  return { top: -border, left: -border, height: bottom + border, width: right + border };
}

/** tiling.py::read_window, for the whole world: mirrored outside the image, and paler there. */
function drawWorld({ top, left, height, width }) {
  const { data, height: tall, width: wide } = state.picture;
  const dot = Math.max(height, width) / DOTS; // image pixels a pixel of the canvas stands for
  const across = Math.max(1, Math.round(width / dot));
  const longer = Math.max(state.height, state.width);
  // never higher than wide
  byId("pane").style.width = `${(100 * Math.min(width, height)) / height}%`;
  paint(byId("world"), Math.max(1, Math.round(height / dot)), across, (at, put) => {
    const row = Math.floor(top + (Math.floor(at / across) + 0.5) * dot);
    const column = Math.floor(left + ((at % across) + 0.5) * dot);
    const inside = row === clamp(row, 0, state.height - 1) &&
      column === clamp(column, 0, state.width - 1);
    // The picture, as large as the image's longer side.
    const y = Math.floor((mirror(row, state.height) * tall) / longer);
    const x = Math.floor((mirror(column, state.width) * wide) / longer);
    const grey = data[y * wide + x];
    put(grey, grey, grey, inside ? 255 : 130);
  });
}

/** A rectangle of the drawing, in image pixels. */
function box(name, top, left, height, width) {
  return shape("rect", { class: name, x: left, y: top, width, height });
}

function drawTiles(rows, columns, { top, left, height, width }) {
  const [[start, count, tall], [begin, number, wide]] = [rows[state.at[0]], columns[state.at[1]]];
  const border = margin(state.depth);
  byId("tiles").setAttribute("viewBox", `${left} ${top} ${width} ${height}`);
  byId("tiles").replaceChildren(
    box("image", 0, 0, state.height, state.width),
    box("window", start - border, begin - border, tall, wide),
    ...rows.flatMap(([y, h]) => columns.map(([x, w]) =>
      box(inPhase(y) && inPhase(x) ? "part" : "part phase", y, x, h, w))),
    box("output", start, begin, count, number));
}

/** Whether a tile that starts here pools the pairs of pixels that the whole image would pool. */
function inPhase(start) {
  return start % scale(state.depth) === 0;
}

function say(rows, columns) {
  const { depth, tile, at } = state;
  const [row, column] = [rows[at[0]], columns[at[1]]];
  const [s, border, inside] = [scale(depth), margin(depth), outputSize(tile, depth)];
  const index = at[0] * columns.length + at[1] + 1;
  const span = (from, count) => `${written(from)} to ${written(from + count - 1)}`;
  const wrong = !(inPhase(row[0]) && inPhase(column[0]));
  byId("said").replaceChildren(
    `Tile ${index} of ${rows.length * columns.length}\n` +
    `predicts rows ${span(row[0], row[1])},\n  columns ${span(column[0], column[1])}\n` +
    `reads rows ${span(row[0] - border, row[2])},\n  columns ` +
    `${span(column[0] - border, column[2])} (${row[2]}×${column[2]})`,
    ...(wrong ? [element("span", { class: "warning" },
      `\nIt does not start on a multiple of ${s}: ` +
      "it pools other pairs than the whole image.")] : []));
  byId("sums").textContent =
    `s = 2^(${depth} − 1) = ${s}\nmargin = 6·${s} − 4 = ${border}\n` +
    `output = ${tile} − 2·${border} = ${inside}\n` +
    `step = ⌊${inside} / ${s}⌋·${s} = ${tileStep(tile, depth)}\n` +
    `${cost(rows, columns).toFixed(1)} pixels read for each pixel of the image`;
  byId("naive-text").textContent =
    `lay them ${inside} apart, all that a tile predicts, instead of ${tileStep(tile, depth)}`;
}

function draw() {
  const [rows, columns] = plans();
  state.at = [clamp(state.at[0], 0, rows.length - 1), clamp(state.at[1], 0, columns.length - 1)];
  const all = world(rows, columns);
  // Painted only when the world changes, not for each tile that is visited.
  const key = JSON.stringify([all, state.height, state.width]);
  if (key !== state.painted) drawWorld(all);
  state.painted = key;
  drawTiles(rows, columns, all);
  say(rows, columns);
}

function move(down, right) {
  state.at = [state.at[0] + down, state.at[1] + right];
  draw();
}

/** On to the next tile in reading order, or back. */
function step(by) {
  const [rows, columns] = plans();
  const all = rows.length * columns.length;
  const index = (state.at[0] * columns.length + state.at[1] + by + all) % all;
  state.at = [Math.floor(index / columns.length), index % columns.length];
  draw();
}

/** Go to the tile that predicts the pixel under the pointer. */
function pickUnder(event) {
  const at = new DOMPoint(event.clientX, event.clientY)
    .matrixTransform(byId("tiles").getScreenCTM().inverse());
  const last = (plan, pixel) => Math.max(0, plan.findLastIndex(([start]) => start <= pixel));
  const [rows, columns] = plans();
  state.at = [last(rows, at.y), last(columns, at.x)];
  draw();
}

/** Offer the tiles of a depth; keep the one chosen, or take the nearest. */
function offerTiles() {
  const sizes = tilesOf(state.depth);
  const off = (size) => Math.abs(size - state.tile);
  state.tile = sizes.reduce((best, size) => (off(size) < off(best) ? size : best));
  byId("tile").replaceChildren(...sizes.map((size) =>
    element("option", { value: size }, `${size} → ${outputSize(size, state.depth)}`)));
  byId("tile").value = state.tile;
}

/** Take over what was chosen; a size that is no number, or none that fits, stays as it was. */
function choose(name, value) {
  const [low, high] = name === "depth" ? [1, DEEPEST] : [1, LARGEST];
  if (Number.isInteger(value)) state[name] = clamp(value, low, high);
  if (name === "depth") offerTiles();
  byId(name).value = state[name];
}

function start(picture) {
  state.picture = picture;
  for (let depth = 1; depth <= DEEPEST; depth++) {
    byId("depth").append(element("option", { value: depth }, depth));
  }
  const given = fragment();
  for (const name of ["height", "width", "depth"]) choose(name, Number(given[name] || NaN));
  state.tile = Number(given.tile) || state.tile;
  offerTiles();
  state.naive = byId("naive").checked = given.naive === "1";
  if (/^\d+,\d+$/.test(given.at ?? "")) state.at = given.at.split(",").map(Number);
  for (const name of ["height", "width", "depth", "tile"]) {
    byId(name).addEventListener("change", (event) => {
      choose(name, event.target.value === "" ? NaN : Number(event.target.value));
      draw();
    });
  }
  byId("naive").addEventListener("change", (event) => {
    state.naive = event.target.checked;
    draw();
  });
  byId("back").addEventListener("click", () => step(-1));
  byId("step").addEventListener("click", () => step(1));
  onDrag(byId("pane"), pickUnder);
  onArrows(byId("pane"), move);
  draw();
}

withMembranes(start);
