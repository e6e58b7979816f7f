// Drawn figures and printed tables that are wider than a narrow screen: reached and scrolled by the
// keyboard, too. After code.js, which finds the tables.

"use strict";

{
  /** Say on which sides of a box there is more, and let the keyboard reach a box that scrolls. */
  function mark(box) {
    const room = box.scrollWidth - box.clientWidth;
    box.classList.toggle("more-left", room > 1 && box.scrollLeft > 1);
    box.classList.toggle("more-right", room > 1 && box.scrollLeft < room - 1);
    if (room > 1) box.tabIndex = 0;
    else box.removeAttribute("tabindex");
  }

  document.addEventListener("DOMContentLoaded", () => {
    const sizes = new ResizeObserver((seen) => seen.forEach(({ target }) => mark(target)));
    for (const box of document.querySelectorAll(".figure, pre.columns")) {
      box.setAttribute("role", "group");
      box.setAttribute("aria-label", box.matches("pre") ? "printed table" : "figure");
      box.addEventListener("scroll", () => mark(box), { passive: true });
      sizes.observe(box);
    }
  });
}
