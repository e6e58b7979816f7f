"use strict";
// Winograd's convolution in one dimension, as in tinyunet/backends/cpu/winograd.py: F(outputs, 3).

/** winograd.py::polynomial: coefficients of Π (x − root), the lowest power first. */
function polynomial(roots) {
  let coefficients = [1];
  for (const root of roots) {
    const scaled = [...coefficients.map((c) => -root * c), 0];
    coefficients = [0, ...coefficients].map((c, k) => c + scaled[k]);
  }
  return coefficients;
}

/** winograd.py::cook_toom: {at, g, bt}, rows of Aᵀ, G and Bᵀ, for `points` and infinity. */
function cookToom(points, outputs, taps = 3) {
  const powers = (p, count) => Array.from({ length: count }, (_, k) => p ** k);
  const infinity = (count) => [...new Array(count - 1).fill(0), 1];
  const others = (p) => points.filter((q) => q !== p);
  const a = [...points.map((p) => powers(p, outputs)), infinity(outputs)];
  const g = points.map((p) => {
    const denominator = others(p).reduce((product, q) => product * (p - q), 1);
    return powers(p, taps).map((power) => power / denominator);
  });
  const bt = points.map((p) => [...polynomial(others(p)), 0]);
  const at = a[0].map((_, k) => a.map((row) => row[k]));
  return { at, g: [...g, infinity(taps)], bt: [...bt, polynomial(points)] };
}

/** Matrix times vector: sums with fixed coefficients, no product of two unknowns. */
function apply(matrix, vector) {
  return matrix.map((row) => row.reduce((sum, c, k) => sum + c * vector[k], 0));
}

/** y = Aᵀ [(G g) ⊙ (Bᵀ d)]: every stage, so that it can be shown. */
function winograd({ at, g, bt }, d, filter) {
  const v = apply(bt, d);
  const u = apply(g, filter);
  const m = v.map((value, k) => value * u[k]); // the only products of an input with a tap
  return { v, u, m, y: apply(at, m) };
}

/** The same outputs as lesson 01 makes them. */
function direct(d, filter) {
  return Array.from({ length: d.length - filter.length + 1 }, (_, i) =>
    filter.reduce((sum, tap, a) => sum + tap * d[i + a], 0));
}
