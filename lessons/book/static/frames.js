// Between a page and its frames: the theme goes in, the height comes out. By messages, for pages
// opened from a disk may not look into each other.

"use strict";

{
  const dark = window.matchMedia("(prefers-color-scheme: dark)");

  function theme() {
    const chosen = document.body.dataset.theme;
    return chosen === "dark" || (chosen !== "light" && dark.matches) ? "dark" : "light";
  }

  function send(frame) {
    frame.contentWindow?.postMessage({ bookTheme: theme() }, "*"); // no secret in it
  }

  const frames = () => document.querySelectorAll(".moving iframe, .pane iframe");

  window.addEventListener("message", (event) => {
    const { bookTheme, bookHeight } = event.data ?? {};
    // A page of source in the pane of a lesson.
    if (event.source === window.parent && ["dark", "light"].includes(bookTheme)) {
      document.body.dataset.theme = bookTheme;
    }
    for (const frame of frames()) {
      if (frame.contentWindow === event.source && bookHeight > 0) {
        if (frame.closest(".moving")) frame.style.height = `${Math.ceil(bookHeight) + 2}px`;
        send(frame);
      }
    }
  });

  document.addEventListener("load", (event) => {
    if (event.target.tagName === "IFRAME") send(event.target);
  }, true);

  document.addEventListener("DOMContentLoaded", () => {
    const tell = () => frames().forEach(send);
    new MutationObserver(tell).observe(document.body, { attributeFilter: ["data-theme"] });
    dark.addEventListener("change", tell);
  });
}
