"use strict";
// The convolution of lessons 01 and 02 and its gradients, for one image of one channel.
// The same loops as tinyunet/nn/reference.py; images and kernels are arrays of rows.

function zeros(rows, columns) {
  return Array.from({ length: rows }, () => new Array(columns).fill(0));
}

function shapeOf(matrix) {
  return [matrix.length, matrix[0].length];
}

/** All (i, j) of a matrix of rows × columns in reading order, as np.ndindex. */
function ndindex(rows, columns) {
  const all = [];
  for (let i = 0; i < rows; i++) for (let j = 0; j < columns; j++) all.push([i, j]);
  return all;
}

/** Rows and columns of a valid convolution's output: H' = H − k + 1. */
function outputShape(x, weight) {
  const [height, width] = shapeOf(x);
  const [kh, kw] = shapeOf(weight);
  return [height - kh + 1, width - kw + 1];
}

/** tinyunet/nn/reference.py::conv2d */
function conv2d(x, weight, bias) {
  const y = zeros(...outputShape(x, weight));
  for (const [i, j] of ndindex(...shapeOf(y))) {
    y[i][j] = bias;
    for (const [a, b] of ndindex(...shapeOf(weight))) y[i][j] += weight[a][b] * x[i + a][j + b];
  }
  return y;
}

/** tinyunet/nn/reference.py::conv2d_backward */
function conv2dBackward(dy, x, weight) {
  const dx = zeros(...shapeOf(x));
  const dweight = zeros(...shapeOf(weight));
  let dbias = 0;
  for (const [i, j] of ndindex(...shapeOf(dy))) {
    dbias += dy[i][j];
    for (const [a, b] of ndindex(...shapeOf(weight))) {
      dweight[a][b] += dy[i][j] * x[i + a][j + b];
      dx[i + a][j + b] += dy[i][j] * weight[a][b];
    }
  }
  return { dx, dweight, dbias };
}

/** Every product of the convolution links one output, one tap and one pixel (lesson 02). */
function allLinks(x, weight) {
  const links = [];
  for (const [i, j] of ndindex(...outputShape(x, weight))) {
    for (const [a, b] of ndindex(...shapeOf(weight))) {
      links.push({ output: [i, j], tap: [a, b], pixel: [i + a, j + b] });
    }
  }
  return links;
}

/**
 * The links of one output, one pixel or one tap: `end` says which, `at` where.
 * Forward and both backwards are this one list, gathered by another of its three ends.
 */
function linksOf(x, weight, end, at) {
  return allLinks(x, weight).filter((link) => same(link[end], at));
}

function same([i, j], [k, l]) {
  return i === k && j === l;
}

/** The kernel turned by 180°, as it lies on dy when a pixel gathers its gradient. */
function turned(weight) {
  return weight.map((row) => [...row].reverse()).reverse();
}
