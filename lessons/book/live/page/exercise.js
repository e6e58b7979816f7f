// An exercise in the page: the reader's own file in an editor, its check, a hint, a solution.

import { makeEditor } from "./editor.js";
import { ask } from "./kernel.js";
import { button, element } from "./output.js";

const PAUSE = 800; // milliseconds after the last key until an answer is kept

export class Exercise {
  constructor(node) {
    this.node = node;
    this.name = node.id.replace("exercise-", "").replaceAll("-", "_");
  }

  async start() {
    const told = await ask(`exercises/${this.name}`);
    this.template = told.template;
    this.editor = makeEditor({
      text: told.text, numbers: true, run: () => this.check(), changed: () => this.later(),
      label: `your answer to exercise ${this.name}`,
    });
    this.checkButton = button("Check", () => this.check(), "run");
    this.hintButton = button("Hint", () => this.more("hint"));
    this.hintButton.hidden = !told.hint;
    this.bar = element("div", "block-bar", this.checkButton, this.hintButton,
      button("Solution", () => this.more("solution")),
      button("Begin anew", () => this.editor.set(this.template)));
    this.told = element("span", "live-told", `kept in ${told.file}`);
    this.told.setAttribute("role", "status");
    this.bar.append(this.told);
    this.result = element("div", "exercise-result");
    this.result.setAttribute("role", "status");
    this.extra = element("div", "exercise-extra");
    this.node.querySelector(".highlight-python").replaceWith(
      this.editor.node, this.bar, this.result, this.extra);
    window.addEventListener("focus", () => this.reload());
  }

  /** Take over what another editor wrote into the file meanwhile. */
  async reload() {
    if (this.waiting) return;
    const { text } = await ask(`exercises/${this.name}`);
    if (!this.waiting && text !== this.editor.text()) this.editor.set(text);
  }

  later() {
    clearTimeout(this.waiting);
    this.waiting = setTimeout(() => this.keep(), PAUSE);
  }

  async keep() {
    clearTimeout(this.waiting);
    this.waiting = null;
    try {
      await ask(`exercises/${this.name}`, "PUT", { text: this.editor.text() });
      this.told.textContent = "kept";
    } catch (error) {
      this.told.textContent = `not kept: ${error.message}`;
    }
  }

  async check() {
    if (this.checkButton.disabled) return;
    clearTimeout(this.waiting);
    this.waiting = null;
    this.checkButton.disabled = true;
    this.told.textContent = "checking …";
    this.editor.mark(null);
    try {
      this.show(await ask(`exercises/${this.name}/check`, "POST", { text: this.editor.text() }));
    } catch (error) {
      this.told.textContent = error.message;
    }
    this.checkButton.disabled = false;
  }

  show({ status, passed, failed, explanation, line }) {
    this.told.textContent = "";
    const good = status === "passed";
    const steps = passed.map((title) => element("li", "right", title));
    if (failed) steps.push(element("li", "wrong", failed));
    this.result.replaceChildren(
      element("ol", "steps", ...steps),
      element("p", good ? "right" : "wrong", good ? "All right." : explanation));
    if (!good && line) this.editor.mark(line, element("div", "diagnosis", explanation));
    if (good) window.bookProgress.set(this.name, true);
  }

  async more(what) {
    try {
      const { text } = await ask(`exercises/${this.name}/${what}`);
      const shown = what === "hint" ? element("p", "", ...marked(text)) : element("pre", "", text);
      const details = element("details", what, element("summary", "", what === "hint" ? "Hint" : "Solution"), shown);
      details.open = true;
      this.extra.querySelector(`.${what}`)?.remove();
      this.extra.append(details);
    } catch (error) {
      this.told.textContent = error.message;
    }
  }
}

/** `code` in a line of Markdown. */
const marked = (text) => text.split("`").map((part, k) => (k % 2 ? element("code", "", part) : part));
