"use strict";
// The elastic displacement, as in tinyunet/augment/field.py and plain.py. Needs geometry.js.
// A grid is two matrices, [down, right], in pixels; a picture is {data, height, width}.

/** Solve system · c = right by elimination; the spline's system needs no exchange of rows. */
function solve(system, right) {
  const rows = system.map((row, i) => [...row, right[i]]);
  const n = rows.length;
  for (let i = 0; i < n; i++) {
    for (let k = 0; k < n; k++) {
      if (k === i) continue;
      const part = rows[k][i] / rows[i][i];
      for (let j = i; j <= n; j++) rows[k][j] -= part * rows[i][j];
    }
  }
  return rows.map((row, i) => row[n] / row[i]);
}

/** The coefficients of one line: (c[i−1] + 4·c[i] + c[i+1]) / 6 must be the value drawn. */
function lineCoefficients(values) {
  const n = values.length;
  const system = values.map((_, i) => {
    const row = new Array(n).fill(0);
    row[mirror(i - 1, n)] += 1 / 6;
    row[i] += 4 / 6;
    row[mirror(i + 1, n)] += 1 / 6;
    return row;
  });
  return solve(system, values);
}

function transpose(matrix) {
  return matrix[0].map((_, j) => matrix.map((row) => row[j]));
}

/** field.py::spline_coefficients, for one component: along the columns, then along the rows. */
function splineCoefficients(values) {
  const down = transpose(transpose(values).map(lineCoefficients));
  return down.map(lineCoefficients);
}

/** field.py::axis_basis: the weight of each coefficient in each pixel, [points][frame]. */
function axisBasis(frame, points) {
  const spacing = Math.max(frame - 1, 1) / (points - 1);
  const first = (frame - 1) / 2 - (spacing * (points - 1)) / 2; // where control point 0 sits
  const basis = Array.from({ length: points }, () => new Float64Array(frame));
  for (let pixel = 0; pixel < frame; pixel++) {
    const at = (pixel - first) / spacing;
    const cell = Math.floor(at);
    const t = at - cell;
    const weights = [
      (1 - t) ** 3 / 6,
      (3 * t ** 3 - 6 * t ** 2 + 4) / 6,
      (-3 * t ** 3 + 3 * t ** 2 + 3 * t + 1) / 6,
      t ** 3 / 6,
    ];
    weights.forEach((weight, tap) => {
      basis[mirror(cell + tap - 1, points)][pixel] += weight;
    });
  }
  return basis;
}

/** The displacement of every pixel, one component: rowsᵀ · coefficients · columns. */
function displacement(values, height, width) {
  const coefficients = splineCoefficients(values);
  const rows = axisBasis(height, values.length);
  const columns = axisBasis(width, values[0].length);
  const field = new Float64Array(height * width);
  for (let r = 0; r < height; r++) {
    const along = columns.map((_, g) =>
      coefficients.reduce((sum, line, h) => sum + rows[h][r] * line[g], 0));
    for (let c = 0; c < width; c++) {
      for (let g = 0; g < columns.length; g++) field[r * width + c] += along[g] * columns[g][c];
    }
  }
  return field;
}

/** field.py::source_coordinates without rotation: source(p) = p + u(p), [rows, columns]. */
function sourceCoordinates([down, right], height, width) {
  const rows = displacement(down, height, width);
  const columns = displacement(right, height, width);
  for (let at = 0; at < rows.length; at++) {
    rows[at] += Math.floor(at / width);
    columns[at] += at % width;
  }
  return [rows, columns];
}

/** plain.py::keys_weights: the cubic that reads the picture between its pixels. */
function keysWeights(t) {
  return [
    ((-0.5 * t + 1) * t - 0.5) * t,
    (1.5 * t - 2.5) * t * t + 1,
    ((-1.5 * t + 2) * t + 0.5) * t,
    (0.5 * t - 0.5) * t * t,
  ];
}

/** plain.py::sample_cubic: 4×4 pixels around each point, the outside mirrored. */
function sampleCubic({ data, height, width }, [rows, columns]) {
  return rows.map((row, at) => {
    const [top, left] = [Math.floor(row), Math.floor(columns[at])];
    const down = keysWeights(row - top);
    const across = keysWeights(columns[at] - left);
    let sum = 0;
    for (let i = 0; i < 4; i++) {
      const line = mirror(top + i - 1, height) * width;
      for (let j = 0; j < 4; j++) {
        sum += down[i] * across[j] * data[line + mirror(left + j - 1, width)];
      }
    }
    return sum;
  });
}

/** plain.py::sample_nearest: labels are names, so the nearest pixel is taken as it is. */
function sampleNearest({ data, height, width }, [rows, columns]) {
  return rows.map((row, at) => {
    const line = mirror(Math.floor(row + 0.5), height) * width;
    return data[line + mirror(Math.floor(columns[at] + 0.5), width)];
  });
}

/**
 * The smallest and the largest area that one pixel of the result covers in the source (lesson 09).
 * At or below zero the picture is folded over itself.
 */
function areas([rows, columns], height, width) {
  let [least, most] = [Infinity, -Infinity];
  for (let r = 1; r < height; r++) {
    for (let c = 1; c < width; c++) {
      const [at, up, left] = [r * width + c, (r - 1) * width + c, r * width + c - 1];
      const area =
        (rows[at] - rows[up]) * (columns[at] - columns[left]) -
        (rows[at] - rows[left]) * (columns[at] - columns[up]);
      least = Math.min(least, area);
      most = Math.max(most, area);
    }
  }
  return [least, most];
}
