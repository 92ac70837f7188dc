// State of the editor: document and text in step, the linter asked shortly after each change.
import { useEffect, useRef, useState } from "preact/hooks";
import { ApiError, call } from "../api/client";
import type { LintReport, PolicyDocument } from "../api/types";
import { stringify } from "./draft";

export interface Draft {
  document: PolicyDocument;
  /** What stands in the JSON editor; the document lags behind while it does not parse. */
  text: string;
  parseError: string;
  report: LintReport;
  linting: boolean;
  lintError: Error | undefined;
  dirty: boolean;
  setDocument: (document: PolicyDocument) => void;
  setText: (text: string) => void;
  /** Shows what a save answered; counts as unchanged. */
  reset: (document: PolicyDocument) => void;
  setReport: (report: LintReport) => void;
}

const QUIET: LintReport = { findings: [] };
const PAUSE_MS = 250;

export function useDraft(name: string, initial: PolicyDocument): Draft {
  const [document, keepDocument] = useState(initial);
  const [text, keepText] = useState(() => stringify(initial));
  const [saved, setSaved] = useState(() => stringify(initial));
  const [parseError, setParseError] = useState("");
  const [report, setReport] = useState(QUIET);
  const [linting, setLinting] = useState(false);
  const [lintError, setLintError] = useState<Error>();
  const first = useRef(true);

  useEffect(() => {
    const controller = new AbortController();
    setLinting(true);
    const timer = setTimeout(async () => {
      try {
        const { data } = await call<LintReport>("POST", "/admin/lint", { body: document, query: { name }, signal: controller.signal });
        setReport({ ...data, findings: data.findings ?? [] });
        setLintError(undefined);
      } catch (error) {
        if (controller.signal.aborted) return;
        const findings = error instanceof ApiError ? error.findings : [];
        if (findings.length) setReport({ findings });
        setLintError(findings.length ? undefined : (error as Error));
      }
      setLinting(false);
    }, first.current ? 0 : PAUSE_MS);
    first.current = false;
    return () => {
      clearTimeout(timer);
      controller.abort();
    };
  }, [document, name]);

  const setDocument = (next: PolicyDocument) => {
    keepDocument(next);
    keepText(stringify(next));
    setParseError("");
  };
  const setText = (next: string) => {
    keepText(next);
    try {
      const value: unknown = JSON.parse(next);
      if (!value || typeof value !== "object" || Array.isArray(value)) return setParseError("A policy is a JSON object.");
      keepDocument(value as PolicyDocument);
      setParseError("");
    } catch (error) {
      setParseError((error as Error).message);
    }
  };
  const reset = (next: PolicyDocument) => {
    setDocument(next);
    setSaved(stringify(next));
  };
  return { document, text, parseError, report, linting, lintError, dirty: stringify(document) !== saved || Boolean(parseError), setDocument, setText, reset, setReport };
}
