// The Python blocks of a lesson: Run, Edit, Reset; one namespace; what a block needs runs first.

import { makeEditor } from "./editor.js";
import { ask, execute, kernelOf } from "./kernel.js";
import { Output, button, element } from "./output.js";

export class Lesson {
  constructor(name) {
    this.name = name;
    this.blocks = [];
    this.queue = Promise.resolve();
  }

  async start() {
    const told = await ask(`lessons/${this.name}`);
    const found = [...document.querySelectorAll("article div.highlight-python")].filter(
      (node) => !node.closest(".quoted, .exercise"));
    if (!told.length || told.length !== found.length) return;
    this.blocks = told.map((block, number) => new Block(this, number, block, found[number]));
    this.status = element("span", "live-status", "Python starts with the first block you run");
    this.status.setAttribute("role", "status");
    const bar = element("div", "live-bar",
      button("Run all", () => this.run(this.blocks)),
      button("Restart Python", () => this.restart()),
      this.status);
    document.querySelector("article h1").after(bar);
  }

  /** The numbers of the blocks that ran in this kernel; they outlive a reload of the page. */
  get ran() {
    return new Set(JSON.parse(sessionStorage.getItem(`book-ran-${this.kernel?.id}`) ?? "[]"));
  }

  remember(number, done) {
    const ran = this.ran;
    if (done) ran.add(number);
    else ran.delete(number);
    sessionStorage.setItem(`book-ran-${this.kernel.id}`, JSON.stringify([...ran]));
  }

  async ready() {
    if (this.kernel) return;
    this.status.textContent = "Python is starting …";
    this.kernel = await kernelOf(this.name);
    this.kernel.statusChanged.connect((_, status) => this.show(status));
    this.show(this.kernel.status);
  }

  show(status) {
    const words = { idle: "Python is ready", busy: "Python is computing …", dead: "Python has ended",
      autorestarting: "Python died and starts again: run the blocks anew" };
    this.status.textContent = words[status] ?? `Python: ${status}`;
    if (status === "autorestarting") sessionStorage.removeItem(`book-ran-${this.kernel.id}`);
  }

  /** Run blocks one after the other; the first error ends it. */
  run(blocks) {
    this.queue = this.queue.then(async () => {
      try {
        await this.ready();
      } catch (error) {
        this.status.textContent = `Python did not start: ${error.message}`;
        return;
      }
      for (const block of blocks) {
        if (!(await block.execute())) return;
      }
    });
    return this.queue;
  }

  /** The blocks that must run before `block`, and have not. */
  missing(block) {
    const ran = this.ran;
    return block.needs.filter((number) => !ran.has(number)).map((number) => this.blocks[number]);
  }

  async restart() {
    if (!this.kernel) return;
    await this.kernel.restart();
    sessionStorage.removeItem(`book-ran-${this.kernel.id}`);
    for (const block of this.blocks) block.reset(false);
    this.show("idle");
  }
}

class Block {
  constructor(lesson, number, { text, needs }, node) {
    Object.assign(this, { lesson, number, needs, node, original: text.replace(/\n$/, "") });
    this.output = new Output();
    const next = node.nextElementSibling;
    this.printed = next?.classList.contains("highlight-text") ? next : null;
    this.runButton = button("Run", () => this.start(), "run");
    this.editButton = button("Edit", () => this.edit());
    this.resetButton = button("Reset", () => this.reset(true));
    this.resetButton.hidden = true;
    this.told = element("span", "live-told");
    this.told.setAttribute("role", "status");
    this.bar = element("div", "block-bar", this.runButton, this.editButton, this.resetButton, this.told);
    node.id ||= `block-${number + 1}`;
    node.classList.add("live-block");
    node.append(this.bar);
    node.after(this.output.node);
    node.querySelector("pre").addEventListener("dblclick", () => this.edit());
    const kept = sessionStorage.getItem(this.key);
    if (kept !== null && kept !== this.original) this.edit(kept);
  }

  get key() {
    return `book-edit-${this.lesson.name}-${this.number}-${this.original.length}`;
  }

  get code() {
    return this.editor ? this.editor.text() : this.original;
  }

  edit(text = this.original) {
    if (this.editor) return this.editor.focus();
    this.editor = makeEditor({
      text, run: () => this.start(), label: `block ${this.number + 1}, Python`,
      changed: () => {
        sessionStorage.setItem(this.key, this.code);
        this.resetButton.hidden = false;
      },
    });
    this.node.classList.add("editing");
    this.node.prepend(this.editor.node);
    this.editButton.hidden = true;
    this.resetButton.hidden = false;
    return this.editor.focus();
  }

  /** The block as the lesson shows it; without `edits`, only what it printed. */
  reset(edits) {
    this.output.clear();
    this.told.textContent = "";
    if (this.printed) this.printed.hidden = false;
    if (edits && this.editor) {
      this.editor.node.remove();
      this.editor = null;
      sessionStorage.removeItem(this.key);
      this.node.classList.remove("editing");
      this.editButton.hidden = false;
    }
    this.resetButton.hidden = !this.editor;
  }

  async start() {
    if (this.running) return void this.lesson.kernel.interrupt();
    await this.lesson.ready().catch(() => {});
    const missing = this.lesson.kernel ? this.lesson.missing(this) : [];
    if (!missing.length) return this.lesson.run([this]);
    const names = missing.map((block) => block.number + 1);
    const above = this.lesson.blocks.slice(0, this.number + 1);
    this.told.replaceChildren(
      `needs block${names.length > 1 ? "s" : ""} ${names.join(", ")} above: `,
      button("run them, then this", () => this.lesson.run([...missing, this])),
      button("run all above", () => this.lesson.run(above)));
    return undefined;
  }

  /** Run the block now. Returns whether it ended without an error. */
  async execute() {
    this.output.clear();
    if (this.printed) this.printed.hidden = true;
    this.told.textContent = "running …";
    this.running = true;
    this.runButton.textContent = "Stop";
    let good = false;
    try {
      good = await execute(this.lesson.kernel, this.code, (message) => this.output.take(message));
    } catch {
      this.told.textContent = "Python ended before the block did";
    }
    this.running = false;
    this.runButton.textContent = "Run";
    this.told.textContent = good ? "done" : "stopped by an error";
    this.resetButton.hidden = false;
    this.lesson.remember(this.number, good);
    return good;
  }
}
