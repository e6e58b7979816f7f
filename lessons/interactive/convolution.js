"use strict";
// The figure of lessons 01 and 02: one list of products, gathered by output, by pixel or by tap.
// Needs figure.js and conv2d.js.

const EXAMPLES = {
  one: {
    title: "lesson 01: 4×4",
    x: [[1, 2, 0, 1], [0, 1, 3, 1], [2, 1, 0, 0], [1, 0, 1, 2]],
    weight: [[1, 0, -1], [2, 0, -2], [1, 0, -1]],
    bias: 1,
    dy: [[1, 0], [2, -1]],
  },
  two: {
    title: "lesson 02: 3×3",
    x: [[1, 2, 3], [4, 5, 6], [7, 8, 9]],
    weight: [[1, 2], [3, 4]],
    bias: 0,
    dy: [[1, 0], [2, -1]],
  },
  // The image of lesson 01 is its top left corner, so the first outputs are the lesson's.
  seven: {
    title: "7×7",
    x: [
      [1, 2, 0, 1, 3, 2, 0],
      [0, 1, 3, 1, 0, 1, 2],
      [2, 1, 0, 0, 2, 3, 1],
      [1, 0, 1, 2, 1, 0, 0],
      [3, 2, 1, 0, 1, 2, 3],
      [0, 1, 2, 3, 2, 1, 0],
      [1, 3, 0, 1, 2, 0, 1],
    ],
    weight: [[1, 0, -1], [2, 0, -2], [1, 0, -1]],
    bias: 1,
    dy: [
      [1, 0, 2, -1, 0],
      [2, -1, 0, 1, 1],
      [0, 3, -2, 0, 1],
      [-1, 0, 1, 2, 0],
      [1, 1, 0, -1, 2],
    ],
  },
};

// For each mode, what the three grids hold, which of them is computed, and which one is picked in.
// `factors` are the two numbers of every product, in the order in which they are written.
const MODES = {
  output: {
    hint: "Each output is a sum of products: the weights, each times the pixel below it.",
    grids: ["x", "weight", "y"],
    computed: "y",
    picked: "right",
    factors: ["pixel", "tap"],
  },
  pixel: {
    hint: "A pixel went into several outputs. Their gradients come back through the same weights:" +
      " on dy, the kernel lies turned by 180°.",
    grids: ["dx", "turned", "dy"],
    computed: "dx",
    picked: "left",
    factors: ["tap", "output"],
  },
  tap: {
    hint: "A weight met another pixel for every output: each pixel, times that output's gradient.",
    grids: ["x", "dweight", "dy"],
    computed: "dweight",
    picked: "middle",
    factors: ["pixel", "output"],
  },
};

const PICK_HINT = "or drag over the orange one's grid, or use the arrow keys";

const SIDES = ["left", "middle", "right"];
const END_OF = { left: "pixel", middle: "tap", right: "output" }; // the link's end in each grid
const state = { mode: "output", at: [0, 0], edit: false, x: [], weight: [], bias: 0, dy: [] };

function load(name) {
  const { x, weight, bias, dy } = structuredClone(EXAMPLES[name]);
  Object.assign(state, { x, weight, bias, dy, at: [0, 0] });
  byId("example").value = name;
}

/** Every matrix that a grid may show. */
function matrices() {
  const { x, weight, bias, dy } = state;
  const gradients = conv2dBackward(dy, x, weight);
  return { x, weight, dy, turned: turned(weight), y: conv2d(x, weight, bias), ...gradients };
}

/** A tap is drawn elsewhere where the kernel is drawn turned; twice is back again. */
function place(side, [i, j]) {
  if (state.mode !== "pixel" || side !== "middle") return [i, j];
  const [kh, kw] = shapeOf(state.weight);
  return [kh - 1 - i, kw - 1 - j];
}

/** The numbers at one end of the links: pixels of x, taps of weight, or the outputs' dy. */
function numbersOf(end) {
  return { pixel: state.x, tap: state.weight, output: state.dy }[end];
}

function valueAt(end, [i, j]) {
  return numbersOf(end)[i][j];
}

function draw() {
  const mode = MODES[state.mode];
  const all = matrices();
  const links = linksOf(state.x, state.weight, state.mode, state.at);
  SIDES.forEach((side, k) => {
    const [rows, columns] = shapeOf(all[mode.grids[k]]);
    const title = mode.grids[k] === "turned" ? "weight, turned" : mode.grids[k];
    byId(`${side}-title`).textContent = `${title} ${rows}×${columns}`;
    drawGrid(side, all[mode.grids[k]], links, state.edit && mode.grids[k] !== mode.computed);
  });
  byId("hint").textContent = mode.hint;
  byId("bias-label").hidden = !(state.edit && state.mode === "output");
  byId("bias").value = state.bias;
  byId("place").textContent = PICK_HINT;
  for (const button of document.querySelectorAll("button[data-mode]")) {
    button.setAttribute("aria-pressed", button.dataset.mode === state.mode);
  }
  byId("edit").setAttribute("aria-pressed", state.edit);
  writeSum(links, all);
  fitSquares();
}

function drawGrid(side, matrix, links, editable) {
  const grid = byId(side);
  const key = `${state.mode} ${byId("example").value}`;
  const pickable = MODES[state.mode].picked === side;
  const [rows, columns] = shapeOf(matrix);
  grid.style.setProperty("--columns", columns);
  const kept = editable ? [...grid.querySelectorAll("input")] : [];
  // Inputs stay the same elements while they are edited: a new one would lose the cursor.
  const reuse = kept.length === rows * columns && grid.dataset.shows === key;
  if (!reuse) grid.replaceChildren(...emptyCells(rows, columns));
  grid.dataset.shows = key;
  for (const cell of grid.children) {
    const at = cell.dataset.at.split(",").map(Number);
    const link = links.find((one) => same(place(side, one[END_OF[side]]), at));
    cell.className = pickable && same(at, state.at) ? "picked" : link && !pickable ? "near" : "";
    const value = matrix[at[0]][at[1]];
    if (reuse) cell.firstChild.value = value;
    else cell.append(editable ? inputFor(side, at) : written(value));
    if (link && !pickable && !editable && side !== "middle") cell.append(partner(side, link));
  }
  // Only the grid that is picked in can be reached with the tab key and takes the arrows.
  grid.toggleAttribute("tabindex", pickable);
  if (pickable) grid.tabIndex = 0;
  grid.setAttribute("role", pickable ? "application" : "img");
  const use = pickable ? ": arrow keys pick an element" : "";
  grid.setAttribute("aria-label", byId(`${side}-title`).textContent + use);
}

function emptyCells(rows, columns) {
  return ndindex(rows, columns).map((at) => element("span", { "data-at": at }));
}

/** What a highlighted number is multiplied with, written small in its corner. */
function partner(side, link) {
  const other = MODES[state.mode].factors.find((end) => end !== END_OF[side]);
  return element("small", { "aria-hidden": "true" }, `×${written(valueAt(other, link[other]))}`);
}

function inputFor(side, at) {
  const [i, j] = place(side, at);
  const end = END_OF[side];
  const input = element("input", { inputmode: "text", "aria-label": `${end} ${i}, ${j}` });
  input.value = numbersOf(end)[i][j];
  input.addEventListener("change", () => {
    numbersOf(end)[i][j] = numberIn(input, numbersOf(end)[i][j]);
    draw();
  });
  return input;
}

/** The sum of products in full, one line for each row of the window. */
function writeSum(links, all) {
  const { computed, factors } = MODES[state.mode];
  const row = state.mode === "output" ? "tap" : "output";
  const lines = [];
  for (const link of links) {
    const product = factors.map((end) => factor(valueAt(end, link[end]))).join("·");
    const line = link[row][0];
    lines[line] = lines[line] ? `${lines[line]} + ${product}` : product;
  }
  const [i, j] = state.at;
  const terms = lines.filter(Boolean);
  if (state.mode === "output") terms.push(`bias ${factor(state.bias)}`);
  const result = element("b", {}, written(all[computed][i][j]));
  const dbias = state.mode === "tap" ? `\ndbias = sum of dy = ${written(all.dbias)}` : "";
  byId("sum").replaceChildren(
    `${computed}[${state.at}] =\n   ${terms.join("\n+ ")}\n= `, result, dbias);
}

/** As large as there is room for: three grids side by side; on a phone the left one in its own row. */
function fitSquares() {
  const [left, middle, right] = SIDES.map((side) => byId(side).children.length && columnsOf(side));
  const phone = matchMedia("(max-width: 560px)").matches;
  const across = phone ? Math.max(left, middle + right) : left + middle + right;
  const room = Math.min(document.documentElement.clientWidth, 820) - (phone ? 44 : 118) - across;
  const side = clamp(Math.floor(room / across), 20, phone ? 40 : 44);
  document.body.style.setProperty("--side", `${side}px`);
}

function columnsOf(side) {
  return Number(byId(side).style.getPropertyValue("--columns"));
}

/** Move the picked element, within its grid. */
function move(down, right) {
  const [rows, columns] = shapeOf(matrices()[MODES[state.mode].computed]);
  state.at = [clamp(state.at[0] + down, 0, rows - 1), clamp(state.at[1] + right, 0, columns - 1)];
  draw();
}

/** On to the next element in reading order, or back. */
function step(by) {
  const [rows, columns] = shapeOf(matrices()[MODES[state.mode].computed]);
  const index = (state.at[0] * columns + state.at[1] + by + rows * columns) % (rows * columns);
  state.at = [Math.floor(index / columns), index % columns];
  draw();
}

/** Pick what lies under the pointer; in the forward, an input pixel picks the window around it. */
function pickUnder(side, event) {
  const cell = document.elementFromPoint(event.clientX, event.clientY);
  const at = cell?.closest(`#${side} [data-at]`)?.dataset.at.split(",").map(Number);
  if (!at) return;
  if (side === MODES[state.mode].picked) state.at = at;
  else if (state.mode === "output" && side === "left" && !state.edit) {
    const [kh, kw] = shapeOf(state.weight);
    state.at = [at[0] - (kh >> 1), at[1] - (kw >> 1)];
  } else return;
  move(0, 0);
}

function setMode(mode) {
  if (!MODES[mode]) return;
  Object.assign(state, { mode, at: [0, 0] });
}

function start() {
  const given = { ...document.body.dataset, ...fragment() };
  for (const [name, { title }] of Object.entries(EXAMPLES)) {
    byId("example").append(element("option", { value: name }, title));
  }
  load(EXAMPLES[given.example] ? given.example : "seven");
  setMode(given.mode);
  state.edit = given.edit === "1";
  if (/^\d+,\d+$/.test(given.at ?? "")) state.at = given.at.split(",").map(Number);
  for (const button of document.querySelectorAll("button[data-mode]")) {
    button.addEventListener("click", () => { setMode(button.dataset.mode); draw(); });
  }
  byId("example").addEventListener("change", (event) => { load(event.target.value); draw(); });
  byId("edit").addEventListener("click", () => { state.edit = !state.edit; draw(); });
  byId("bias").addEventListener("change", (event) => {
    state.bias = numberIn(event.target, state.bias);
    draw();
  });
  byId("back").addEventListener("click", () => step(-1));
  byId("step").addEventListener("click", () => step(1));
  for (const side of SIDES) {
    onDrag(byId(side), (event) => pickUnder(side, event));
    onArrows(byId(side), move);
  }
  window.addEventListener("resize", fitSquares);
  move(0, 0); // draws, with the picked element inside its grid
}

start();
