// An editor for Python, in the colours of the page.

import {
  Decoration, EditorState, EditorView, HighlightStyle, StateEffect, StateField, WidgetType, bracketMatching,
  defaultKeymap, drawSelection, history, historyKeymap, indentOnInput, indentUnit, indentWithTab,
  keymap, lineNumbers, python, syntaxHighlighting, tags,
} from "./vendor.js";

const colours = HighlightStyle.define([
  { tag: [tags.keyword, tags.operatorKeyword], color: "var(--code-keyword)" },
  { tag: [tags.string, tags.special(tags.string)], color: "var(--code-string)" },
  { tag: [tags.number, tags.bool, tags.null], color: "var(--code-number)" },
  { tag: tags.comment, color: "var(--code-comment)" },
  { tag: tags.function(tags.definition(tags.variableName)), color: "var(--code-name)" },
]);

/** Replaces the marked line: {line, node}, or null for none. */
const mark = StateEffect.define();

const marks = StateField.define({
  create: () => Decoration.none,
  update(value, transaction) {
    let marked = value.map(transaction.changes);
    for (const effect of transaction.effects) {
      if (effect.is(mark)) marked = effect.value ? beside(transaction.state, effect.value) : Decoration.none;
    }
    return marked;
  },
  provide: (field) => EditorView.decorations.from(field),
});

class Note extends WidgetType {
  constructor(node) {
    super();
    this.node = node;
  }

  toDOM() {
    return this.node;
  }
}

/** A line with a colour, and a note below it. */
function beside(state, { line, node }) {
  const at = state.doc.line(Math.min(line, state.doc.lines));
  return Decoration.set([
    Decoration.line({ class: "marked-line" }).range(at.from),
    Decoration.widget({ widget: new Note(node), block: true, side: 1 }).range(at.to),
  ]);
}

/** Make an editor; `run` is called for Ctrl-Enter and Shift-Enter, `changed` for each change. */
export function makeEditor({ text, run, changed = () => {}, numbers = false, label }) {
  const keys = ["Ctrl-Enter", "Cmd-Enter", "Shift-Enter"];
  const view = new EditorView({
    state: EditorState.create({
      doc: text,
      extensions: [
        keymap.of(keys.map((key) => ({ key, run: () => { run(); return true; } }))),
        ...(numbers ? [lineNumbers()] : []),
        history(), drawSelection(), indentOnInput(), bracketMatching(), indentUnit.of("    "),
        keymap.of([...defaultKeymap, ...historyKeymap, indentWithTab]),
        python(), syntaxHighlighting(colours), marks, EditorView.lineWrapping,
        EditorView.contentAttributes.of({ "aria-label": label }),
        EditorView.updateListener.of((update) => { if (update.docChanged) changed(); }),
      ],
    }),
  });
  return {
    node: view.dom,
    text: () => view.state.doc.toString(),
    set: (text) => view.dispatch({
      changes: { from: 0, to: view.state.doc.length, insert: text }, effects: mark.of(null),
    }),
    mark: (line, node) => view.dispatch({ effects: mark.of(line ? { line, node } : null) }),
    focus: () => view.focus(),
  };
}
