// The pane beside a lesson: the page of the file that is quoted on screen, its lines marked.

"use strict";

{
  const root = document.documentElement;
  const wide = window.matchMedia("(min-width: 1400px)");
  let quotes = [], pane = null, current = null;

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
    const link = quote.querySelector("a");
    const [page, lines] = link.href.split("#");
    const address = `${page}?pane#${lines}`;
    const frame = pane.querySelector("iframe");
    if (frame.dataset.page === page) frame.contentWindow.location.replace(address);
    else {
      frame.style.visibility = "hidden"; // until its scripts have made lines of it
      frame.src = address;
    }
    frame.dataset.page = page;
    const title = pane.querySelector("header a");
    title.textContent = link.textContent;
    title.href = link.href;
    pane.querySelector(".lines").textContent = lines.replace("L", "").replace("-L", "–");
  }

  function follow() {
    if (!wide.matches || !root.classList.contains("pane-open")) return;
    const quote = atScreen();
    if (quote !== current) show(quote);
  }

  // Opening and closing changes the width of the text: keep the reader at the same paragraph.
  function set(open) {
    const text = document.querySelectorAll("article p, article h2, article pre");
    const kept = [...text].find((element) => element.getBoundingClientRect().bottom > 80);
    const before = kept ? kept.getBoundingClientRect().top : 0;
    root.classList.toggle("pane-open", open);
    if (kept) {
      window.scrollBy({ top: kept.getBoundingClientRect().top - before, behavior: "instant" });
    }
    current = null;
    follow();
  }

  function build() {
    pane = document.createElement("aside");
    pane.className = "pane";
    pane.setAttribute("aria-label", "The source that the lesson quotes");
    pane.innerHTML =
      '<header><a></a><span class="lines"></span><button type="button">close</button></header>' +
      '<iframe title="The source that the lesson quotes"></iframe>';
    const opener = document.createElement("button");
    opener.type = "button";
    opener.className = "pane-opener";
    opener.textContent = "show the source";
    document.body.append(pane, opener);
    const frame = pane.querySelector("iframe");
    frame.addEventListener("load", () => { frame.style.visibility = ""; });
    pane.querySelector("button").addEventListener("click", () => { set(false); remember(false); });
    opener.addEventListener("click", () => { set(true); remember(true); });
  }

  document.addEventListener("DOMContentLoaded", () => {
    quotes = [...document.querySelectorAll(".quoted")];
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
  });
}
