"use strict";
// The figure of lesson 14: sums of inputs times sums of taps, counted. Needs figure.js, cooktoom.js.

const VERSIONS = {
  two: { title: "F(2, 3): points 0, ±1", points: [0, 1, -1], outputs: 2 },
  usual: { title: "F(4, 3): points 0, ±1, ±2", points: [0, 1, -1, 2, -2], outputs: 4 },
  package: {
    title: "F(4, 3): points 0, ±5/8, ±3/2, the package's",
    points: [0, 5 / 8, -5 / 8, 3 / 2, -3 / 2],
    outputs: 4,
  },
};

// The numbers of lesson 14, and two more inputs for F(4, 3).
const state = { version: "two", d: [1, 2, 3, 4, 0, 2], g: [1, 2, 3], at: 0 };

/** All that is shown: the matrices, and every stage for the numbers of now. */
function stages() {
  const { points, outputs } = VERSIONS[state.version];
  const matrices = cookToom(points, outputs);
  const d = state.d.slice(0, points.length + 1);
  return { matrices, d, g: state.g, ...winograd(matrices, d, state.g) };
}

/** The picked element: first come the products, then the outputs. */
function picked(all) {
  const n = all.m.length;
  return state.at < n ? { line: "m", k: state.at } : { line: "y", k: state.at - n };
}

/** Coefficients with which numbers of other lines go into the picked one: {line: [...]}. */
function goingIn({ line, k }, { matrices, m }) {
  if (line === "y") return { m: matrices.at[k] };
  const here = m.map((_, other) => Number(other === k));
  return { v: here, u: here, d: matrices.bt[k], g: matrices.g[k] };
}

function draw() {
  const all = stages();
  const pick = picked(all);
  const near = goingIn(pick, all);
  for (const line of ["d", "g", "v", "u", "m", "y"]) drawLine(line, all[line], pick, near[line]);
  writeCount(all);
  byId("sum").textContent = pick.line === "m" ? productOf(pick.k, all) : outputOf(pick.k, all);
}

function drawLine(line, values, pick, near = []) {
  const grid = byId(line);
  const editable = line in { d: 1, g: 1 };
  grid.style.setProperty("--columns", values.length);
  while (grid.children.length > values.length) grid.lastChild.remove();
  while (grid.children.length < values.length) {
    const index = grid.children.length;
    grid.append(element("span", { "data-k": index }));
    if (editable) grid.lastChild.append(inputFor(line, index));
  }
  values.forEach((value, k) => {
    const cell = grid.children[k];
    cell.className = line === pick.line && k === pick.k ? "picked" : near[k] ? "near" : "";
    if (editable) cell.firstChild.value = value;
    else cell.textContent = written(value);
  });
}

function inputFor(line, k) {
  const input = element("input", { inputmode: "text", "aria-label": `${line} ${k}` });
  input.addEventListener("change", () => {
    state[line][k] = numberIn(input, state[line][k]);
    draw();
  });
  return input;
}

/** A coefficient as a fraction if it is a simple one: 1/24 says more than 0.04. */
function asFraction(value) {
  for (let below = 2; below <= 24; below++) {
    const above = value * below;
    if (Math.abs(above - Math.round(above)) < 1e-9 && !Number.isInteger(value)) {
      return `${Math.round(above)}/${below}`;
    }
  }
  return written(value);
}

/** "1/2·d0 − d2" for coefficients of d: no ones and no zeros. */
function combination(coefficients, name) {
  const terms = coefficients.map((c, k) => [c, `${name}${k}`]).filter(([c]) => c !== 0);
  return terms.map(([c, symbol], place) => {
    const size = Math.abs(c) === 1 ? "" : `${asFraction(Math.abs(c))}·`;
    const sign = place ? (c < 0 ? ` ${MINUS} ` : " + ") : c < 0 ? MINUS : "";
    return sign + size + symbol;
  }).join("");
}

function productOf(k, { matrices, v, u, m }) {
  return `m${k} = (${combination(matrices.bt[k], "d")}) · (${combination(matrices.g[k], "g")})\n` +
    `= ${factor(v[k])} · ${factor(u[k])} = ${written(m[k])}`;
}

function outputOf(k, { matrices, d, g, y }) {
  const terms = g.map((tap, a) => `${factor(d[k + a])}·${factor(tap)}`).join(" + ");
  return `y${k} = ${combination(matrices.at[k], "m")} = ${written(y[k])}\n` +
    `directly: ${terms} = ${written(direct(d, g)[k])}`;
}

function writeCount({ m, y }) {
  const [few, many] = [m.length, 3 * y.length];
  byId("count").textContent =
    `${y.length} outputs of 3 taps are ${many} products directly and ${few} here; ` +
    `in two dimensions ${many ** 2} and ${few ** 2}, ${written(many ** 2 / few ** 2)} times fewer.`;
}

function step(by) {
  const { m, y } = stages();
  state.at = (state.at + by + m.length + y.length) % (m.length + y.length);
  draw();
}

/** Pick the product or the output under the pointer. */
function pickUnder(line, event) {
  const cell = document.elementFromPoint(event.clientX, event.clientY)?.closest(`#${line} [data-k]`);
  if (!cell) return;
  state.at = Number(cell.dataset.k) + (line === "y" ? stages().m.length : 0);
  draw();
}

function choose(version) {
  state.version = VERSIONS[version] ? version : "two";
  byId("version").value = state.version;
  state.at = 0;
}

function start() {
  for (const [name, { title }] of Object.entries(VERSIONS)) {
    byId("version").append(element("option", { value: name }, title));
  }
  const given = fragment();
  choose(given.version);
  if (/^\d$/.test(given.at ?? "")) state.at = Number(given.at);
  byId("version").addEventListener("change", (event) => { choose(event.target.value); draw(); });
  byId("back").addEventListener("click", () => step(-1));
  byId("step").addEventListener("click", () => step(1));
  for (const line of ["m", "y"]) {
    byId(line).tabIndex = 0;
    byId(line).setAttribute("role", "application");
    byId(line).setAttribute("aria-label",
      `${line === "m" ? "products" : "outputs"}: arrow keys pick one`);
    onDrag(byId(line), (event) => pickUnder(line, event));
    onArrows(byId(line), (down, right) => step(down || right));
  }
  step(0); // draws, with the picked element inside
}

start();
