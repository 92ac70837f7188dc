// Form and JSON side by side, the linter's word on both, and saving that never overwrites what another has changed.
import { useEffect, useMemo, useState } from "preact/hooks";
import { ApiError } from "../api/client";
import { hopsOf, policy, savePolicy, targets } from "../api/read";
import type { Finding, PolicyDocument, Stored } from "../api/types";
import { count, ms, usd } from "../lib/format";
import { useResource } from "../lib/resource";
import { unsaved } from "../lib/router";
import { Button, Card, Note, Problem, toast } from "../ui/basics";
import { Findings, TextField } from "../ui/field";
import { NAME, at, normal, withoutUnfilled } from "./draft";
import { JsonEditor } from "./json-editor";
import { PolicyForm } from "./policy-form";
import { Rehearsal } from "./rehearsal";
import { useDraft } from "./use-draft";

interface Props {
  /** Empty for a new policy. */
  name: string;
  initial: PolicyDocument;
  version: string;
  suggestedName?: string;
  /** Every stored policy: names that are taken, and chains that a hop may lead to. */
  all: Stored<PolicyDocument>[];
  onSaved: (stored: Stored<PolicyDocument>) => void;
}

export function PolicyEditor({ name, initial, version, suggestedName = "", all, onSaved }: Props) {
  const [typedName, setTypedName] = useState(suggestedName);
  const draft = useDraft(name || (NAME.test(typedName) ? typedName : ""), initial);
  const [base, setBase] = useState(version);
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState<Error>();
  const [conflict, setConflict] = useState<Stored<PolicyDocument>>();
  const known = useResource("known targets", (signal) => targets(signal));
  const models = useMemo(() => [...new Set([...(known.data ?? []).map((target) => target.model), ...all.map((one) => `policy/${one.name}`)])].sort(), [known.data, all]);

  useEffect(() => {
    unsaved.value = draft.dirty ? "This policy has changes that are not saved." : null;
    return () => void (unsaved.value = null);
  }, [draft.dirty]);

  const nameFindings = name || !typedName ? [] : nameProblems(typedName, all);
  const hops = hopsOf(draft.document);
  const unfilled = hops.some((hop) => !hop.model.trim());
  const shown = useMemo(() => (name ? draft.report.findings : withoutUnfilled(draft.report.findings, hopsOf(draft.document))), [name, draft.report, draft.document]);
  const errors = draft.report.findings.filter((finding) => finding.severity === "error");
  const blocked = Boolean(draft.parseError) || errors.length > 0 || nameFindings.length > 0 || (!name && !typedName);

  const save = async (ifMatch: string) => {
    setBusy(true);
    setProblem(undefined);
    const target = name || typedName;
    try {
      const saved = await savePolicy(target, draft.document, ifMatch);
      setConflict(undefined);
      setBase(saved.version);
      draft.reset(saved.document ?? draft.document);
      unsaved.value = null;
      toast(`policy/${target} is live at version ${saved.version}`);
      onSaved({ ...saved, name: target });
    } catch (caught) {
      const error = caught as Error;
      if (error instanceof ApiError && error.status === 412) setConflict(await policy(target).catch(() => undefined));
      if (error instanceof ApiError && error.findings.length) draft.setReport({ ...draft.report, findings: error.findings });
      setProblem(error);
    } finally {
      setBusy(false);
    }
  };

  return (
    <div class="stack">
      {conflict && (
        <Note tone="warn">
          <div class="stack tight">
            <strong>Someone changed this policy while you were editing.</strong>
            <span>It is now at version <code>{conflict.version}</code>; {base ? <>yours began at <code>{base}</code></> : "when you began there was none of that name"}.</span>
            <div class="row">
              <Button small onClick={() => { draft.reset(conflict.document); setBase(conflict.version); setConflict(undefined); setProblem(undefined); }}>Take theirs</Button>
              <Button small kind="danger" onClick={() => save(conflict.version)}>Save mine over it</Button>
            </div>
          </div>
        </Note>
      )}
      {problem && !conflict && <Problem error={problem} />}
      <div class="editor">
        <Card>
          <div class="stack wide">
            {!name && <TextField label="Name" autofocus placeholder="sonnet" mono value={typedName} findings={nameFindings} hint={typedName ? <>Used as <code>policy/{typedName}</code></> : "Letters, digits, dots, dashes; this is what clients put in the model field."} onValue={setTypedName} />}
            <PolicyForm document={draft.document} findings={shown} models={models} onChange={draft.setDocument} />
          </div>
        </Card>
        <div class="editor-side">
          <Card title="JSON" actions={<span class="small muted">what is stored</span>}>
            <JsonEditor label="The policy as JSON" text={draft.text} findings={shown} invalid={Boolean(draft.parseError)} onText={draft.setText} />
            {draft.parseError && <Findings findings={[{ severity: "error", path: "", message: draft.parseError }]} />}
          </Card>
          <Card title="Linter" actions={<LintState draft={draft} errors={shown.filter((finding) => finding.severity === "error").length} unfilled={unfilled} />}>
            <LintList findings={shown} unfilled={unfilled} hops={hops.length} />
            {draft.report.worst_case && !unfilled && (
              <dl class="facts worst">
                <div><dt>Calls at worst</dt><dd class="num strong">{count(draft.report.worst_case.calls)}</dd></div>
                <div><dt>Time at worst</dt><dd class="num strong">{ms(draft.report.worst_case.ms)}</dd></div>
                <div><dt>Cost at worst</dt><dd class="num strong">{usd(draft.report.worst_case.cost_usd)}</dd></div>
              </dl>
            )}
          </Card>
          <Rehearsal name={name || typedName} document={draft.document} all={all} ready={!draft.linting && !unfilled && !errors.length && !draft.parseError} />
        </div>
      </div>
      <div class="save-bar">
        <span class="small muted">{draft.dirty ? "Changes are not saved yet." : name ? `Version ${base}` : ""}</span>
        <Button kind="primary" disabled={busy || blocked || (Boolean(name) && !draft.dirty)} onClick={() => save(base)}>
          {busy ? "Saving…" : name ? "Save" : "Create policy"}
        </Button>
      </div>
    </div>
  );
}

function nameProblems(name: string, all: Stored<PolicyDocument>[]): Finding[] {
  if (!NAME.test(name)) return [{ severity: "error", path: "name", message: "Begin with a letter or digit; then letters, digits, dots, dashes and underscores, at most 64 in all." }];
  if (all.some((one) => one.name === name)) return [{ severity: "error", path: "name", message: `There is already a policy named ${name}.` }];
  return [];
}

function LintState({ draft, errors, unfilled }: { draft: ReturnType<typeof useDraft>; errors: number; unfilled: boolean }) {
  if (draft.lintError) return <span class="small bad">{draft.lintError.message}</span>;
  if (draft.linting) return <span class="small muted">checking…</span>;
  if (!errors && unfilled) return null;
  return errors ? <span class="small bad">{errors === 1 ? "1 error" : `${errors} errors`}</span> : <span class="small good">no errors</span>;
}

function LintList({ findings, hops, unfilled }: { findings: Finding[]; hops: number; unfilled: boolean }) {
  if (!findings.length) return <p class="small muted">{!hops ? "Add a hop to begin." : unfilled ? "Give each hop a model, or remove it." : "Nothing to say."}</p>;
  const paths = [...new Set(findings.map((finding) => normal(finding.path)))];
  return (
    <ul class="stack tight">
      {paths.map((path) => (
        <li key={path} class="lint-entry">
          <code class="small">{path || "policy"}</code>
          <Findings findings={path ? at(findings, path) : findings.filter((finding) => !finding.path)} />
        </li>
      ))}
    </ul>
  );
}
