"use strict";
// The arithmetic of valid convolutions, as in tinyunet/geometry.py: sizes in pixels along one axis.

/** Where an image of `size` pixels is read for any position: the edge pixel is not repeated. */
function mirror(index, size) {
  if (size === 1) return 0;
  const period = 2 * (size - 1);
  const folded = Math.abs(index) % period;
  return folded < size ? folded : period - folded;
}

/** How many input pixels one pixel at the bottom of the U stands for. */
function scale(depth) {
  return 2 ** (depth - 1);
}

/** How many pixels the output is narrower than the input on each side (92 at depth 5). */
function margin(depth) {
  return 6 * scale(depth) - 4;
}

/** The smallest input that gives any output (188 → 4 at depth 5). */
function smallestSize(depth) {
  const s = scale(depth);
  const bottom = Math.floor((4 * (s - 1)) / s) + 1;
  return s * (bottom + 4) + 4 * (s - 1);
}

/** Whether an input of `size` pixels meets an even size at every pooling. */
function fits(size, depth) {
  return size >= smallestSize(depth) && (size - smallestSize(depth)) % scale(depth) === 0;
}

/** The output size of an input that fits. */
function outputSize(size, depth) {
  if (!fits(size, depth)) throw new RangeError(`size ${size} does not fit depth ${depth}`);
  return size - 2 * margin(depth);
}

/** The smallest input that fits and whose output covers at least `output` pixels. */
function inputSize(output, depth) {
  const smallest = smallestSize(depth);
  const steps = Math.ceil((output + 2 * margin(depth) - smallest) / scale(depth));
  return smallest + Math.max(0, steps) * scale(depth);
}

/** All input sizes up to `atMost` that fit, smallest first. */
function legalSizes(depth, atMost) {
  const sizes = [];
  for (let size = smallestSize(depth); size <= atMost; size += scale(depth)) sizes.push(size);
  return sizes;
}
