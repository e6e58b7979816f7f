// What a block prints, shows and raises, as it comes.

/** Make an element with a class and children. */
export function element(tag, name = "", ...children) {
  const node = document.createElement(tag);
  if (name) node.className = name;
  node.append(...children);
  return node;
}

export const button = (text, click, name = "") => {
  const node = element("button", name, text);
  node.type = "button";
  node.addEventListener("click", click);
  return node;
};

const plain = (text) => text.replace(/\u001b\[[\d;?]*[A-Za-z]/g, "");

export class Output {
  constructor() {
    this.node = element("div", "live-output");
    this.node.setAttribute("role", "log");
    this.node.setAttribute("aria-label", "output");
    this.clear();
  }

  clear() {
    this.node.replaceChildren();
    this.node.hidden = true;
    this.stale = false;
  }

  /** Take a message of the kernel. */
  take({ header, content }) {
    if (header.msg_type === "clear_output") {
      if (content.wait) this.stale = true;
      else this.clear();
      return;
    }
    const made = {
      stream: () => this.stream(content),
      error: () => this.error(content),
      display_data: () => this.data(content.data),
      execute_result: () => this.data(content.data),
    }[header.msg_type];
    if (!made) return;
    if (this.stale) this.clear();
    made();
    this.node.hidden = false;
  }

  stream({ name, text }) {
    let last = this.node.lastElementChild;
    if (last?.dataset.stream !== name) {
      last = element("pre", name);
      last.dataset.stream = name;
      this.node.append(last);
    }
    // A carriage return begins the line anew, as progress bars want it.
    const all = last.textContent + plain(text);
    last.textContent = all.split("\n").map((line) => line.replace(/^.*\r(?=.)/, "")).join("\n");
  }

  error({ ename, evalue, traceback }) {
    const where = plain(traceback.join("\n"));
    const more = element("details", "", element("summary", "", "Traceback"), element("pre", "", where));
    this.node.append(element("div", "error", element("strong", "", `${ename}: ${evalue}`), more));
  }

  data(data) {
    const text = (value) => (Array.isArray(value) ? value.join("") : value);
    if (data["image/svg+xml"]) {
      const parsed = new DOMParser().parseFromString(text(data["image/svg+xml"]), "image/svg+xml");
      const svg = document.importNode(parsed.documentElement, true);
      svg.setAttribute("class", "drawn");
      svg.setAttribute("role", "img");
      svg.setAttribute("aria-label", "the figure that this block draws");
      this.node.append(svg);
    } else if (data["image/png"]) {
      const image = element("img");
      image.src = `data:image/png;base64,${text(data["image/png"])}`;
      image.alt = "the picture that this block draws";
      this.node.append(image);
    } else {
      this.node.append(element("pre", "result", plain(text(data["text/plain"] ?? ""))));
    }
  }
}
