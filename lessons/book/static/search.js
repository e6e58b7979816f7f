// What the search of Sphinx cannot know: lessons before the reference, kernels last; and the text of
// the pages from a script (search-texts.js), since a page opened from a disk may not fetch others.

"use strict";

var Scorer = {
  score: ([docname, , , , score]) => {
    if (docname.startsWith("lessons/")) return score + 30;
    if (docname === "api/backends") return score - 20;
    return score;
  },
  objNameMatch: 11,
  objPartialMatch: 6,
  objPrio: { 0: 15, 1: 5, 2: -5 },
  objPrioDefault: 0,
  title: 15,
  partialTitle: 7,
  term: 5,
  partialTerm: 2,
};

if (document.getElementById("search-results")) {
  const root = document.documentElement.dataset.content_root;
  const texts = new Promise((resolve) => {
    const script = document.createElement("script");
    script.src = `${root}_static/search-texts.js`;
    script.addEventListener("load", () => resolve(bookTexts));
    document.head.append(script);
  });
  const fetchFile = window.fetch.bind(window);
  window.fetch = async (address, ...options) => {
    const [, name] = /^(.+)\.html$/.exec(String(address).replace(root, "")) ?? [];
    const known = await texts;
    if (!(name in known)) return fetchFile(address, ...options);
    return { text: async () => `<div role="main">${known[name]}</div>` };
  };
}
