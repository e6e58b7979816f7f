// The pane beside a lesson: the whole file of the quote that is on screen, its lines marked.
//
// The listings are scripts (source/PATH.js) that call bookPane.take, because a page opened as
// file:// may load scripts but may not fetch. They are loaded when the pane first shows them.

"use strict";

const bookPane = (() => {
  const root = document.documentElement;
  const base = root.dataset.content_root || "./";
  const wide = window.matchMedia("(min-width: 1400px)");
  const calm = window.matchMedia("(prefers-reduced-motion: reduce)");
  const listings = new Map(); // path → listing, or "" while it is on its way
  let quotes = [], pane = null, shown = null, current = null;

  function remember(open) {
    try {
      localStorage.setItem("book-pane", open ? "open" : "closed");
    } catch { /* a browser that keeps nothing: the pane is open at the next page */ }
  }

  function remembered() {
    try {
      return localStorage.getItem("book-pane") !== "closed";
    } catch {
      return true;
    }
  }

  function take(path, listing) {
    listings.set(path, listing.replaceAll("{root}", base));
    if (current && current.dataset.file === path) show(current);
  }

  function load(path) {
    listings.set(path, "");
    const script = document.createElement("script");
    script.src = `${base}source/${path}.js`;
    document.head.append(script);
  }

  // The quote that the reader is at: the last one that begins above the middle of the screen.
  function atScreen() {
    let found = quotes[0];
    for (const quote of quotes) {
      if (quote.getBoundingClientRect().top < window.innerHeight * 0.55) found = quote;
    }
    return found;
  }

  function show(quote) {
    current = quote;
    const { file, first, last } = quote.dataset;
    if (!listings.has(file)) return load(file);
    if (!listings.get(file)) return; // take() comes back here
    const body = pane.querySelector(".body");
    const fresh = shown !== file;
    if (fresh) {
      body.innerHTML = listings.get(file);
      shown = file;
    }
    const link = pane.querySelector("header a");
    link.textContent = file;
    link.href = quote.querySelector("a.file").href;
    pane.querySelector(".lines").textContent =
      first === last ? `line ${first}` : `lines ${first}–${last}`;
    for (const line of body.querySelectorAll(".marked")) line.classList.remove("marked");
    const lines = [...body.querySelectorAll(".line")].slice(first - 1, last);
    for (const line of lines) line.classList.add("marked");
    const height = lines.at(-1).offsetTop + lines.at(-1).offsetHeight - lines[0].offsetTop;
    const room = Math.max(40, (body.clientHeight - height) / 2);
    const top = lines[0].offsetTop - body.offsetTop - Math.min(room, body.clientHeight / 3);
    body.scrollTo({ top, left: 0, behavior: fresh || calm.matches ? "instant" : "smooth" });
  }

  function follow() {
    if (!wide.matches || !root.classList.contains("pane-open")) return;
    const quote = atScreen();
    if (quote !== current || shown !== quote.dataset.file) show(quote);
  }

  // Opening and closing changes the width of the text: keep the reader at the same paragraph.
  function set(open) {
    const text = document.querySelectorAll("article p, article h2, article pre");
    const kept = [...text].find((element) => element.getBoundingClientRect().bottom > 80);
    const before = kept ? kept.getBoundingClientRect().top : 0;
    root.classList.toggle("pane-open", open);
    if (kept) window.scrollBy({ top: kept.getBoundingClientRect().top - before, behavior: "instant" });
    current = null;
    follow();
  }

  function build() {
    pane = document.createElement("aside");
    pane.className = "pane";
    pane.setAttribute("aria-label", "The source that the lesson quotes");
    pane.innerHTML =
      '<header><a></a><span class="lines"></span><button type="button">close</button></header>' +
      '<div class="body" tabindex="0"></div>';
    const opener = document.createElement("button");
    opener.type = "button";
    opener.className = "pane-opener";
    opener.textContent = "show the source";
    document.body.append(pane, opener);
    pane.querySelector("button").addEventListener("click", () => { set(false); remember(false); });
    opener.addEventListener("click", () => { set(true); remember(true); });
  }

  function start() {
    quotes = [...document.querySelectorAll("figure.quoted")];
    if (!quotes.length) return;
    build();
    root.classList.toggle("pane-open", remembered());
    let waiting = false;
    const later = () => {
      if (waiting) return;
      waiting = true;
      requestAnimationFrame(() => { waiting = false; follow(); });
    };
    for (const event of ["scroll", "resize", "load"]) {
      window.addEventListener(event, later, { passive: true });
    }
    wide.addEventListener("change", later);
    follow();
  }

  document.addEventListener("DOMContentLoaded", start);
  return { take };
})();
