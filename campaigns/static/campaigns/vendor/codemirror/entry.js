// What the campaign editor needs of CodeMirror, as one file: README.md says how it is built.
import { autocompletion, closeBrackets, closeBracketsKeymap, completionKeymap } from "@codemirror/autocomplete";
import { defaultKeymap, history, historyKeymap, indentWithTab } from "@codemirror/commands";
import { html } from "@codemirror/lang-html";
import { jinja } from "@codemirror/lang-jinja";
import { bracketMatching, indentOnInput, indentUnit, syntaxHighlighting } from "@codemirror/language";
import { highlightSelectionMatches, search, searchKeymap } from "@codemirror/search";
import { EditorState, StateEffect, StateField } from "@codemirror/state";
import {
  Decoration,
  EditorView,
  drawSelection,
  highlightActiveLine,
  highlightActiveLineGutter,
  highlightSpecialChars,
  keymap,
  lineNumbers,
} from "@codemirror/view";
import { classHighlighter } from "@lezer/highlight";

const setMarks = StateEffect.define();
const marks = StateField.define({
  create: () => Decoration.none,
  update(lines, transaction) {
    lines = lines.map(transaction.changes);
    for (const effect of transaction.effects) {
      if (effect.is(setMarks)) lines = effect.value;
    }
    return lines;
  },
  provide: (field) => EditorView.decorations.from(field),
});

// Words to complete: {{ customer. offers its fields.
function wordsOf(placeholders) {
  const tree = new Map();
  for (const { name, description } of placeholders) {
    const [group, field] = name.replace(/\.\*$/, "").split(".");
    if (!tree.has(group)) tree.set(group, []);
    if (field) tree.get(group).push({ label: field, info: description, type: "property" });
    else tree.get(group).info = description;
  }
  return {
    variables: [...tree].map(([label, fields]) => ({ label, info: fields.info, type: "variable" })),
    properties: (path) => (path.length === 1 && tree.get(path[0])) || [],
    tags: ["if", "elif", "else", "endif", "for", "endfor"].map((label) => ({
      label,
      type: "keyword",
    })),
  };
}

// Returns a small object: the rest of the page knows nothing of CodeMirror.
export function create({ parent, text, attributes, placeholders, onChange, onFocus }) {
  const view = new EditorView({
    parent,
    state: EditorState.create({
      doc: text,
      extensions: [
        lineNumbers(),
        highlightActiveLineGutter(),
        highlightSpecialChars(),
        history(),
        drawSelection(),
        indentOnInput(),
        indentUnit.of("  "),
        bracketMatching(),
        closeBrackets(),
        autocompletion(),
        highlightActiveLine(),
        highlightSelectionMatches(),
        search({ top: true }),
        EditorView.lineWrapping,
        EditorView.contentAttributes.of(attributes),
        syntaxHighlighting(classHighlighter),
        jinja({ base: html(), ...wordsOf(placeholders) }),
        marks,
        keymap.of([
          ...closeBracketsKeymap,
          ...defaultKeymap,
          ...searchKeymap,
          ...historyKeymap,
          ...completionKeymap,
          indentWithTab,
        ]),
        EditorView.updateListener.of((update) => {
          if (update.docChanged) onChange(update.state.doc.toString());
          if (update.focusChanged && update.view.hasFocus) onFocus();
        }),
      ],
    }),
  });

  const lineAt = (number) => view.state.doc.line(Math.max(1, Math.min(number, view.state.doc.lines)));

  return {
    text: () => view.state.doc.toString(),
    focus: () => view.focus(),
    // Puts text in the selection's place, in view and with the cursor at its end.
    insert(words) {
      view.dispatch(view.state.replaceSelection(words), { scrollIntoView: true, userEvent: "input" });
      view.focus();
    },
    replaceAll(words) {
      view.dispatch({
        changes: { from: 0, to: view.state.doc.length, insert: words },
        userEvent: "input",
      });
    },
    goTo(number) {
      const line = lineAt(number);
      view.dispatch({
        selection: { anchor: line.from },
        effects: EditorView.scrollIntoView(line.from, { y: "center" }),
      });
      view.focus();
    },
    // Scrolls a line to the top, and leaves the cursor and the focus where they are.
    show(number) {
      view.dispatch({
        effects: EditorView.scrollIntoView(lineAt(number).from, { y: "start" }),
      });
    },
    // lines: [{ line, message, blocking }]
    mark(lines) {
      const seen = new Map();
      for (const { line, message, blocking } of lines) {
        if (line > view.state.doc.lines) continue;
        const known = seen.get(line);
        seen.set(line, {
          message: known ? `${known.message}\n${message}` : message,
          blocking: blocking || Boolean(known && known.blocking),
        });
      }
      const found = [...seen].sort(([a], [b]) => a - b);
      view.dispatch({
        effects: setMarks.of(
          Decoration.set(
            found.map(([number, { message, blocking }]) =>
              Decoration.line({
                attributes: {
                  class: blocking ? "hb-line-error" : "hb-line-warning",
                  title: message,
                },
              }).range(lineAt(number).from),
            ),
          ),
        ),
      });
    },
  };
}
