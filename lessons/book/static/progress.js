// How far the reader is: lessons that were marked as read, exercises that passed their check. Kept
// in the browser's storage; the page script of `tinyunet book` adds what the files say.

"use strict";

window.bookProgress = (() => {
  const KEY = "book-progress";

  function load() {
    try {
      return JSON.parse(localStorage.getItem(KEY)) ?? {};
    } catch {
      return {};
    }
  }

  /** Remember that a lesson ("01-valid-convolution") or an exercise ("01_conv2d_loops") is done. */
  function set(name, done) {
    const known = load();
    if (done) known[name] = true;
    else delete known[name];
    try {
      localStorage.setItem(KEY, JSON.stringify(known));
    } catch { /* a browser that keeps nothing */ }
    show();
  }

  const nameOf = (address) => /\/lessons\/(\d\d[a-z]?-[\w-]+)\.html/.exec(address)?.[1];

  function show() {
    const known = load();
    for (const link of document.querySelectorAll(".sidebar-tree a, .lessons a")) {
      link.classList.toggle("done", Boolean(known[nameOf(link.href)]));
    }
    for (const link of document.querySelectorAll("article td a, .exercise-title a")) {
      const exercise = /\/(\d\d_\w+)\.py\.html/.exec(link.href)?.[1];
      if (exercise) link.classList.toggle("done", Boolean(known[exercise]));
    }
    const button = document.querySelector(".mark-read");
    if (button) {
      const done = Boolean(known[nameOf(location.href)]);
      button.setAttribute("aria-pressed", done);
      button.textContent = done ? "Read ✓" : "Mark as read";
    }
    const told = document.querySelector(".progress");
    if (!told) return;
    const lessons = new Set([...document.querySelectorAll(".lessons a")].map((a) => nameOf(a.href)));
    const done = [...lessons].filter((name) => known[name]).length;
    const passed = Object.keys(known).filter((name) => /^\d\d_/.test(name)).length;
    told.textContent = done + passed === 0 ? ""
      : `${done} of ${lessons.size} lessons read, ${passed} exercises passed.`;
  }

  document.addEventListener("DOMContentLoaded", () => {
    if (nameOf(location.href)) {
      const button = document.createElement("button");
      button.type = "button";
      button.className = "mark-read";
      button.addEventListener("click", () => {
        set(nameOf(location.href), button.getAttribute("aria-pressed") !== "true");
      });
      document.querySelector("article > section")?.append(button);
    }
    show();
  });

  return { set, load };
})();
