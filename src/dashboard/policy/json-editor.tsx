// A text area over its own coloured copy, with line numbers that carry the linter's marks. Tab leaves it, as everywhere.
import { useMemo, useRef } from "preact/hooks";
import type { Finding } from "../api/types";
import { normal } from "./draft";
import { lineOf, readJson } from "./json-text";

interface Props {
  text: string;
  findings: Finding[];
  label: string;
  invalid?: boolean;
  onText: (text: string) => void;
}

const RANK = { error: 2, warning: 1, info: 0 };

export function JsonEditor({ text, findings, label, invalid, onText }: Props) {
  const area = useRef<HTMLTextAreaElement>(null);
  const read = useMemo(() => readJson(text), [text]);
  const marks = useMemo(() => marksOf(findings, read.lines), [findings, read]);
  const count = text.split("\n").length;
  return (
    <div class="json-editor" onClick={(event) => event.target === event.currentTarget && area.current?.focus()}>
      <ol class="json-gutter num" aria-hidden="true">
        {Array.from({ length: count }, (_, n) => {
          const mark = marks.get(n);
          return <li key={n} class={mark ? mark.severity : ""} title={mark?.text}>{n + 1}</li>;
        })}
      </ol>
      <div class="json-layers">
        <pre aria-hidden="true">
          {read.pieces.map((piece, n) => (piece.kind === "space" ? piece.text : <span key={n} class={`j-${piece.kind}`}>{piece.text}</span>))}
          {"\n"}
        </pre>
        <textarea ref={area} aria-label={label} aria-invalid={invalid} spellcheck={false} autocomplete="off" autocapitalize="off" wrap="off" value={text} onInput={(event) => onText(event.currentTarget.value)} />
      </div>
    </div>
  );
}

function marksOf(findings: Finding[], lines: Map<string, number>): Map<number, { severity: Finding["severity"]; text: string }> {
  const marks = new Map<number, { severity: Finding["severity"]; text: string }>();
  for (const finding of findings) {
    const line = lineOf(lines, normal(finding.path));
    const old = marks.get(line);
    const text = [old?.text, finding.message].filter(Boolean).join("\n");
    const severity = old && RANK[old.severity] > RANK[finding.severity] ? old.severity : finding.severity;
    marks.set(line, { severity, text });
  }
  return marks;
}
