// Code and formulas that fit: long lines of code are wrapped under their own indentation on a narrow
// screen, wide formulas and printed tables get smaller, short formulas keep the full stop behind
// them, and a page of source marks the lines of its address (#L12-L20).

"use strict";

{
  const SMALLEST = 0.8; // of a formula's own size

  /** Put each line of a <pre> into a span, so that it can be marked, and wrapped on its own. */
  function splitLines(pre) {
    if (pre.querySelector(".line")) return;
    const lines = pre.innerHTML.replace(/\n$/, "").split("\n");
    pre.innerHTML = lines.map((line) => {
      const text = line.replace(/<span class="linenos">.*?<\/span>/, "").replace(/<[^>]*>/g, "");
      const indent = text.length - text.trimStart().length;
      // The line feed is there to be copied: shown, it is a line of its own in some styles.
      const end = '<span class="line-feed">\n</span>';
      return `<span class="line" style="--indent: ${indent}ch">${line}${end}</span>`;
    }).join("");
  }

  /** Let a printed table keep its columns: it gets smaller (book.css) and is scrolled (figures.js). */
  function keepColumns() {
    for (const pre of document.querySelectorAll("article div.highlight-text pre")) {
      const lines = pre.textContent.trimEnd().split("\n");
      if (lines.filter((line) => /\S {2,}\S/.test(line)).length < 2) continue;
      pre.classList.add("columns");
      pre.style.setProperty("--columns", Math.max(...lines.map((line) => line.length)));
    }
  }

  /** Mark the lines that the address names, and show them. */
  function markLines() {
    const [, first, last] = /^#L(\d+)(?:-L(\d+))?$/.exec(location.hash) ?? [];
    if (!first) return;
    for (const line of document.querySelectorAll(".line.marked")) line.classList.remove("marked");
    const all = [...document.querySelectorAll("article pre .line")];
    const marked = all.slice(first - 1, last ?? first);
    for (const line of marked) line.classList.add("marked");
    if (!marked.length) return;
    const height = marked.at(-1).getBoundingClientRect().bottom - marked[0].getBoundingClientRect().top;
    const block = height < innerHeight * 0.7 ? "center" : "start";
    const line = marked[Math.floor(block === "center" ? marked.length / 2 : 0)];
    // At once: a smooth scroll on its way ends where it is when the page around it scrolls.
    line.scrollIntoView({ block, behavior: "instant" });
  }

  /** Make a formula that is wider than its column smaller, and break it where that is not enough. */
  function fitFormulas() {
    const formulas = [...document.querySelectorAll(".katex-display")];
    // First all writing, then all reading: in turns, the browser would lay the page out each time.
    for (const formula of formulas) {
      formula.classList.remove("broken");
      formula.style.fontSize = "";
    }
    const shares = formulas.map((formula) => {
      const parts = [...formula.querySelectorAll(".katex-html > .base")];
      const wide = parts.reduce((sum, part) => sum + part.getBoundingClientRect().width, 0);
      const room = formula.clientWidth - 4;
      return room > 0 && wide > room ? room / wide : 1;
    });
    formulas.forEach((formula, place) => {
      const share = shares[place];
      if (share < 1) formula.style.fontSize = `${Math.max(SMALLEST, share * 0.98)}em`;
      formula.classList.toggle("broken", share < SMALLEST);
    });
  }

  /** Keep a full stop, a comma or a bracket on the line of the short formula before it. */
  function keepPunctuation() {
    for (const formula of document.querySelectorAll("article span.math")) {
      const after = formula.nextSibling;
      if (after?.nodeType !== Node.TEXT_NODE || formula.textContent.length > 24) continue;
      const [mark] = /^[.,:;)?!’]+/.exec(after.data) ?? [];
      if (!mark) continue;
      const line = document.createElement("span");
      line.className = "nowrap";
      formula.replaceWith(line);
      line.append(formula, mark);
      after.data = after.data.slice(mark.length);
    }
  }

  /** Let long names in the text be broken behind their dots, slashes and underscores. */
  function breakNames() {
    for (const code of document.querySelectorAll("article :not(pre) > code .pre")) {
      if (code.childElementCount || code.textContent.length < 12) continue;
      const parts = code.textContent.split(/(?<=[._/:](?=\w))/);
      code.replaceChildren(...parts.flatMap((part) => [part, document.createElement("wbr")]));
    }
  }

  document.documentElement.classList.toggle("in-pane", location.search === "?pane");

  document.addEventListener("DOMContentLoaded", () => {
    for (const pre of document.querySelectorAll("article div.highlight pre")) splitLines(pre);
    keepColumns();
    markLines();
    window.addEventListener("hashchange", markLines);
    if (location.search === "?pane") window.addEventListener("resize", markLines); // wrapped anew
    keepPunctuation();
    breakNames();
    fitFormulas();
    new ResizeObserver(fitFormulas).observe(document.querySelector("article"));
    document.fonts?.ready.then(fitFormulas);
  });
}
