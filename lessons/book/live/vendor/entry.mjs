// What page/*.js use of others. `npm install && npm run build` here writes ../page/vendor.js.
export { ServerConnection, KernelManager, SessionManager } from "@jupyterlab/services";
export { EditorState, StateEffect, StateField } from "@codemirror/state";
export {
  EditorView, Decoration, WidgetType, keymap, lineNumbers, drawSelection,
} from "@codemirror/view";
export { defaultKeymap, history, historyKeymap, indentWithTab } from "@codemirror/commands";
export { HighlightStyle, syntaxHighlighting, indentUnit, bracketMatching, indentOnInput } from "@codemirror/language";
export { python } from "@codemirror/lang-python";
export { tags } from "@lezer/highlight";
