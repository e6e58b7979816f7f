"use strict";
// How an image is cut into tiles, as in tinyunet/inference/tiling.py. Needs geometry.js.

/** How far apart tiles lie: what a tile predicts, rounded down to a multiple of 2^(depth−1). */
function tileStep(tile, depth) {
  const s = scale(depth);
  return Math.floor(outputSize(tile, depth) / s) * s;
}

/**
 * Cover `size` pixels along one axis: a list of [start, count, window].
 * Pixels start … start+count−1 come from `window` input pixels, the first one at start − margin.
 * `step` is the package's own by default; another one shows what it would do.
 */
function planAxis(size, tile, depth, step = tileStep(tile, depth)) {
  const inside = outputSize(tile, depth);
  if (inside < size && step === 0) {
    throw new RangeError(`tile ${tile} at depth ${depth} predicts only ${inside} pixels`);
  }
  const plan = [];
  for (let start = 0; start < size; ) {
    const count = size - start <= inside ? size - start : step;
    plan.push([start, count, inputSize(count, depth)]);
    start += count;
  }
  return plan;
}

/** Input pixels computed for each pixel of the image: what the overlaps cost. */
function cost(rows, columns) {
  const total = (plan, k) => plan.reduce((sum, entry) => sum + entry[k], 0);
  return (total(rows, 2) * total(columns, 2)) / (total(rows, 1) * total(columns, 1));
}
