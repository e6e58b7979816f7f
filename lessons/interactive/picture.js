"use strict";
// The synthetic picture of lesson 09 as {data, height, width}, and pictures onto a canvas.
// Needs membranes.js, which holds it inline: a page opened from a disk may not read other files'
// pixels.

/** Call `use` with (image, labels): grey values 0 … 255, and labels 1 in a cell, 0 membrane. */
function withMembranes(use) {
  const file = new Image();
  file.onload = () => {
    const { width } = file;
    const canvas = element("canvas", { width, height: file.height });
    const context = canvas.getContext("2d");
    context.drawImage(file, 0, 0);
    const colours = context.getImageData(0, 0, width, file.height).data;
    const grey = colours.filter((_, k) => k % 4 === 0); // red, green, blue are the same
    const half = grey.length / 2; // the image above, its labels below
    const part = (values) => ({ data: values, height: file.height / 2, width });
    use(part(grey.slice(0, half)), part(grey.slice(half).map((value) => Number(value > 0))));
  };
  file.src = MEMBRANES;
}

/** Paint height × width pixels: `pixel(at, put)` calls put(red, green, blue, opacity), 0 … 255. */
function paint(canvas, height, width, pixel) {
  canvas.width = width;
  canvas.height = height;
  const pixels = new ImageData(width, height); // rounds and clips, as the package does for uint8
  const { data } = pixels;
  let first = 0;
  const put = (red, green, blue, opacity) => {
    data[first] = red;
    data[first + 1] = green;
    data[first + 2] = blue;
    data[first + 3] = opacity;
  };
  for (let at = 0; at < height * width; at++, first += 4) pixel(at, put);
  canvas.getContext("2d").putImageData(pixels, 0, 0);
}
