// The page script of `tinyunet book`: makes the blocks of a lesson run and its exercises answer.

import { Lesson } from "./blocks.js";
import { Exercise } from "./exercise.js";
import { ask } from "./kernel.js";

// The token did its work when the page came: it need not stay in the address.
const address = new URL(location.href);
if (address.searchParams.has("token")) {
  address.searchParams.delete("token");
  history.replaceState(history.state, "", address);
}

document.documentElement.classList.add("live");

async function start() {
  const lesson = /\/lessons\/(\d\d[a-z]?-[\w-]+)\.html$/.exec(location.pathname)?.[1];
  if (lesson) await new Lesson(lesson).start();
  for (const node of document.querySelectorAll(".exercise")) await new Exercise(node).start();
  for (const [name, status] of Object.entries(await ask("exercises"))) {
    if (status) window.bookProgress.set(name, status === "passed");
  }
}

if (window === window.parent) start(); // not for a page of source in the pane
