import { autocompletion, closeBrackets, closeBracketsKeymap, completionKeymap } from '@codemirror/autocomplete';
import { defaultKeymap, history, historyKeymap, indentWithTab } from '@codemirror/commands';
import { css } from '@codemirror/lang-css';
import { html } from '@codemirror/lang-html';
import { javascript } from '@codemirror/lang-javascript';
import { json, jsonParseLinter } from '@codemirror/lang-json';
import { markdown } from '@codemirror/lang-markdown';
import { python } from '@codemirror/lang-python';
import {
  bracketMatching,
  foldGutter,
  foldKeymap,
  HighlightStyle,
  indentOnInput,
  indentUnit,
  syntaxHighlighting,
} from '@codemirror/language';
import { linter, lintGutter, lintKeymap } from '@codemirror/lint';
import { unifiedMergeView } from '@codemirror/merge';
import { highlightSelectionMatches, searchKeymap } from '@codemirror/search';
import { EditorState, type Extension } from '@codemirror/state';
import {
  drawSelection,
  dropCursor,
  EditorView,
  highlightActiveLine,
  highlightActiveLineGutter,
  highlightSpecialChars,
  keymap,
  lineNumbers,
  rectangularSelection,
} from '@codemirror/view';
import { tags } from '@lezer/highlight';
import { type JSX, useEffect, useLayoutEffect, useRef } from 'react';
import { checkPython } from './python-checks.ts';

/** Colours come from the design's own names, so the editor follows light and dark without being told. */
const look = EditorView.theme({
  '&': { height: '100%', backgroundColor: 'var(--surface-1)', color: 'var(--text)', fontSize: '13.5px' },
  '&.cm-focused': { outline: 'none' },
  '.cm-scroller': { fontFamily: 'var(--mono)', lineHeight: '1.55', fontVariantLigatures: 'none' },
  '.cm-content': { caretColor: 'var(--text)', padding: '8px 0' },
  '.cm-cursor': { borderLeftColor: 'var(--text)', borderLeftWidth: '2px' },
  '.cm-gutters': {
    backgroundColor: 'var(--surface-2)',
    color: 'var(--text-faint)',
    borderRight: '1px solid var(--line)',
  },
  '.cm-activeLine, .cm-activeLineGutter': { backgroundColor: 'color-mix(in srgb, var(--accent) 7%, transparent)' },
  '&.cm-focused > .cm-scroller > .cm-selectionLayer .cm-selectionBackground, .cm-selectionBackground': {
    backgroundColor: 'var(--code-selection)',
  },
  '.cm-selectionMatch': { backgroundColor: 'var(--accent-wash)' },
  '&.cm-focused .cm-matchingBracket': { backgroundColor: 'var(--accent-wash)', outline: '1px solid var(--accent)' },
  '.cm-panels': { backgroundColor: 'var(--surface-2)', color: 'var(--text)', borderColor: 'var(--line)' },
  '.cm-panel.cm-search': { padding: '8px 36px 8px 12px', fontFamily: 'var(--font)', fontSize: '13px' },
  '.cm-panel.cm-search label, .cm-panel.cm-search .cm-textfield, .cm-panel.cm-search .cm-button': {
    fontSize: '13px',
    fontFamily: 'var(--font)',
  },
  '.cm-panel.cm-search [name=close]': { fontSize: '18px', right: '10px', color: 'var(--text-soft)', cursor: 'pointer' },
  '.cm-textfield': {
    backgroundColor: 'var(--surface-1)',
    color: 'var(--text)',
    border: '1px solid var(--line-strong)',
    borderRadius: '4px',
    padding: '3px 6px',
  },
  '.cm-button': {
    backgroundColor: 'var(--surface-1)',
    backgroundImage: 'none',
    color: 'var(--text)',
    border: '1px solid var(--line-strong)',
    borderRadius: '4px',
  },
  '.cm-tooltip': {
    backgroundColor: 'var(--surface-1)',
    color: 'var(--text)',
    border: '1px solid var(--line-strong)',
    borderRadius: '6px',
  },
  '.cm-tooltip-autocomplete ul li[aria-selected]': { backgroundColor: 'var(--accent)', color: 'var(--accent-text)' },
  '.cm-foldPlaceholder': {
    backgroundColor: 'var(--surface-3)',
    border: 'none',
    color: 'var(--text-soft)',
    padding: '0 6px',
  },
  '&.cm-merge-b .cm-changedLine': { backgroundColor: 'var(--good-wash)' },
  '.cm-deletedChunk': { backgroundColor: 'var(--bad-wash)' },
  '&.cm-merge-b .cm-changedText, .cm-deletedChunk .cm-deletedText': { background: 'none', fontWeight: '650' },
  '.cm-collapsedLines': { background: 'var(--surface-2)', color: 'var(--text-soft)' },
  '.cm-searchMatch': { backgroundColor: 'var(--warn-wash)', outline: '1px solid var(--warn-mark)' },
});

const colours = HighlightStyle.define([
  {
    tag: [tags.keyword, tags.operatorKeyword, tags.controlKeyword, tags.definitionKeyword, tags.moduleKeyword],
    color: 'var(--code-keyword)',
  },
  { tag: [tags.string, tags.special(tags.string), tags.regexp, tags.attributeValue], color: 'var(--code-string)' },
  { tag: [tags.number, tags.bool, tags.null, tags.atom, tags.unit, tags.color], color: 'var(--code-number)' },
  { tag: [tags.comment, tags.meta, tags.processingInstruction], color: 'var(--code-comment)', fontStyle: 'italic' },
  {
    tag: [
      tags.function(tags.definition(tags.variableName)),
      tags.definition(tags.className),
      tags.className,
      tags.tagName,
      tags.propertyName,
      tags.attributeName,
      tags.heading,
    ],
    color: 'var(--code-name)',
  },
  { tag: tags.heading, fontWeight: '650' },
  { tag: tags.strong, fontWeight: '650' },
  { tag: tags.emphasis, fontStyle: 'italic' },
  { tag: [tags.link, tags.url], color: 'var(--accent)', textDecoration: 'underline' },
  { tag: tags.invalid, color: 'var(--bad)' },
]);

/** The language of a file, by its name; plain text when it is none of these. */
function languageOf(name: string, firstLine: string): { words: string; extension: Extension } {
  const ending = /\.([^.]+)$/.exec(name)?.[1]?.toLowerCase();
  if (ending === 'py' || ending === 'pyi' || ending === 'wsgi' || /^#!.*python/.test(firstLine)) {
    return {
      words: 'Python',
      extension: [
        python(),
        indentUnit.of('    '),
        linter((view) => checkPython(view.state.doc.toString()), { delay: 600 }),
        lintGutter(),
      ],
    };
  }
  if (
    ending === 'html' ||
    ending === 'htm' ||
    ending === 'jinja' ||
    ending === 'jinja2' ||
    ending === 'xml' ||
    ending === 'svg'
  )
    return { words: 'HTML', extension: html() };
  if (ending === 'css') return { words: 'CSS', extension: css() };
  if (ending === 'json')
    return { words: 'JSON', extension: [json(), linter(jsonParseLinter(), { delay: 600 }), lintGutter()] };
  if (ending === 'md' || ending === 'markdown') return { words: 'Markdown', extension: markdown() };
  if (ending !== undefined && ['js', 'mjs', 'cjs', 'jsx', 'ts', 'tsx'].includes(ending)) {
    return {
      words: 'JavaScript',
      extension: javascript({ jsx: ending.endsWith('x'), typescript: ending.startsWith('t') }),
    };
  }
  return { words: 'Plain text', extension: [] };
}

export interface EditorHandle {
  text: () => string;
  /** Another text in its place; what was there can be had back with Ctrl-Z. */
  replace: (text: string) => void;
}

/**
 * CodeMirror in a shadow root of its own. There its styles become constructed style sheets, which the content security
 * policy `style-src 'self'` allows; in the document they would be inline <style> elements, which it does not.
 */
export function Editor(props: {
  name: string;
  text: string;
  readOnly: boolean;
  onReady: (handle: EditorHandle) => void;
  onChange: () => void;
  onSave: () => void;
  onLanguage: (words: string) => void;
  onCursor: (line: number, column: number) => void;
}): JSX.Element {
  const host = useRef<HTMLDivElement>(null);
  const latest = useRef(props);
  useLayoutEffect(() => {
    latest.current = props;
  });
  const { name, text, readOnly } = props;
  useEffect(() => {
    const element = host.current;
    if (element === null) return;
    const root = element.shadowRoot ?? element.attachShadow({ mode: 'open' });
    const parent = document.createElement('div');
    parent.style.height = '100%';
    root.append(parent);
    const language = languageOf(name, text.slice(0, text.indexOf('\n') === -1 ? 200 : text.indexOf('\n')));
    latest.current.onLanguage(language.words);
    const view = new EditorView({
      parent,
      root,
      state: EditorState.create({
        doc: text,
        extensions: [
          lineNumbers(),
          highlightActiveLineGutter(),
          highlightSpecialChars(),
          history(),
          foldGutter(),
          drawSelection(),
          dropCursor(),
          indentOnInput(),
          bracketMatching(),
          closeBrackets(),
          autocompletion(),
          rectangularSelection(),
          highlightActiveLine(),
          highlightSelectionMatches(),
          syntaxHighlighting(colours),
          look,
          language.extension,
          EditorState.readOnly.of(readOnly),
          // Typing works without the index, but who moves by Tab, and what tests accessibility, look for it.
          EditorView.contentAttributes.of({ 'aria-label': `Content of ${name}`, tabindex: '0' }),
          keymap.of([
            {
              key: 'Mod-s',
              preventDefault: true,
              run: () => {
                latest.current.onSave();
                return true;
              },
            },
            ...closeBracketsKeymap,
            ...defaultKeymap,
            ...searchKeymap,
            ...historyKeymap,
            ...foldKeymap,
            ...completionKeymap,
            ...lintKeymap,
            indentWithTab,
          ]),
          EditorView.updateListener.of((update) => {
            if (update.docChanged) latest.current.onChange();
            if (update.selectionSet || update.docChanged) {
              const at = update.state.selection.main.head;
              const line = update.state.doc.lineAt(at);
              latest.current.onCursor(line.number, at - line.from + 1);
            }
          }),
        ],
      }),
    });
    latest.current.onReady({
      text: () => view.state.doc.toString(),
      replace: (next) => view.dispatch({ changes: { from: 0, to: view.state.doc.length, insert: next } }),
    });
    if (!readOnly) view.focus();
    return () => {
      view.destroy();
      parent.remove();
    };
  }, [name, text, readOnly]);
  return <div ref={host} className="editor-host" />;
}

/** One text with what distinguishes it from another: in a shadow root, as the editor. */
export function Comparison({ name, mine, theirs }: { name: string; mine: string; theirs: string }): JSX.Element {
  const host = useRef<HTMLDivElement>(null);
  useEffect(() => {
    const element = host.current;
    if (element === null) return;
    const root = element.shadowRoot ?? element.attachShadow({ mode: 'open' });
    const parent = document.createElement('div');
    parent.style.height = '100%';
    root.append(parent);
    const view = new EditorView({
      parent,
      root,
      state: EditorState.create({
        doc: mine,
        extensions: [
          lineNumbers(),
          syntaxHighlighting(colours),
          look,
          languageOf(name, mine.split('\n', 1)[0] ?? '').extension,
          EditorState.readOnly.of(true),
          EditorView.lineWrapping,
          EditorView.contentAttributes.of({ 'aria-label': `Your ${name} beside the saved one`, tabindex: '0' }),
          unifiedMergeView({ original: theirs, mergeControls: false, collapseUnchanged: { margin: 3, minSize: 8 } }),
        ],
      }),
    });
    return () => {
      view.destroy();
      parent.remove();
    };
  }, [name, mine, theirs]);
  return <div ref={host} className="comparison" />;
}
