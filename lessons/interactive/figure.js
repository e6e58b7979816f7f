"use strict";
// What the interactive figures share: making elements, writing numbers, following a pointer.
// Classic scripts instead of modules, so that a page also opens from a file on a disk.

const MINUS = "\u2212";

function byId(id) {
  return document.getElementById(id);
}

/** Make an HTML element with attributes and children (texts or elements). */
function element(tag, attributes = {}, ...children) {
  return dress(document.createElement(tag), attributes, children);
}

/** The same for a shape inside an <svg>. */
function shape(tag, attributes = {}, ...children) {
  return dress(document.createElementNS("http://www.w3.org/2000/svg", tag), attributes, children);
}

function dress(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  node.append(...children);
  return node;
}

/** A number as people write it: at most two decimals, and a minus sign as wide as a plus. */
function written(value) {
  const rounded = Math.round(value * 100) / 100;
  return (rounded < 0 ? MINUS : "") + Math.abs(rounded);
}

/** The same as a factor: negative numbers in parentheses. */
function factor(value) {
  return value < 0 ? `(${written(value)})` : written(value);
}

/** The number in an input, or the one before if it is none. Takes a true minus and a comma. */
function numberIn(input, before) {
  const value = Number(input.value.replace(MINUS, "-").replace(",", "."));
  return input.value.trim() === "" || !Number.isFinite(value) ? before : clamp(value, -99, 99);
}

/** "#mode=input&at=1,1" as an object: a figure can be linked, and looked at, in any state. */
function fragment() {
  return Object.fromEntries(new URLSearchParams(location.hash.slice(1)));
}

/** Call `move` with each event while a finger, pen or mouse button is down on `node`. */
function onDrag(node, move) {
  node.addEventListener("pointerdown", (event) => {
    if (event.target.tagName === "INPUT") return; // a number is being edited
    node.setPointerCapture(event.pointerId);
    move(event);
  });
  node.addEventListener("pointermove", (event) => {
    if (node.hasPointerCapture(event.pointerId)) move(event);
  });
}

const ARROWS = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] };

/** Call `move` with (rows, columns) of −1, 0, 1 for each arrow key pressed on `node`. */
function onArrows(node, move) {
  node.addEventListener("keydown", (event) => {
    if (!ARROWS[event.key] || event.target.tagName === "INPUT") return;
    event.preventDefault(); // the page must not scroll as well
    move(...ARROWS[event.key], event);
  });
}

function clamp(value, low, high) {
  return Math.min(Math.max(value, low), high);
}

// In a page of the book: its theme comes in, the figure's height goes out. Messages, since pages
// opened from a disk may not look into each other.
if (window.parent !== window) {
  const tell = () => window.parent.postMessage({ bookHeight: document.body.offsetHeight }, "*");
  window.addEventListener("message", ({ source, data }) => {
    const theme = data?.bookTheme;
    if (source !== window.parent || !["dark", "light"].includes(theme)) return;
    document.documentElement.dataset.theme = theme;
    window.dispatchEvent(new Event("themechange"));
  });
  new ResizeObserver(tell).observe(document.body);
  window.addEventListener("load", tell);
}
