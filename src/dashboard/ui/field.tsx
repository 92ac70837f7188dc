// Labelled inputs. What the linter says of a field is shown under it and read out with it.
import type { ComponentChildren } from "preact";
import { useId } from "preact/hooks";
import type { Finding } from "../api/types";
import { Icon } from "./icon";

interface Common {
  label: string;
  hint?: ComponentChildren;
  findings?: Finding[];
  hideLabel?: boolean;
  /** For the layout around it. */
  place?: string;
}

function useField({ hint, findings = [] }: Common) {
  const id = useId();
  const invalid = findings.some((finding) => finding.severity === "error");
  const described = [hint && `${id}-hint`, findings.length && `${id}-findings`].filter(Boolean).join(" ");
  return { id, props: { id, "aria-invalid": invalid, "aria-describedby": described || undefined } as const };
}

function Frame({ id, label, hint, findings = [], hideLabel, place, children }: Common & { id: string; children: ComponentChildren }) {
  return (
    <div class={place ? `field ${place}` : "field"}>
      <label for={id} class={hideLabel ? "sr" : ""}>{label}</label>
      {children}
      {hint && <span class="hint" id={`${id}-hint`}>{hint}</span>}
      <Findings id={`${id}-findings`} findings={findings} />
    </div>
  );
}

export function Findings({ findings, id }: { findings: Finding[]; id?: string }) {
  if (!findings.length) return null;
  return (
    <div id={id} class="stack tight">
      {findings.map((finding, n) => (
        <div key={n} class={`field-message ${finding.severity}`}>
          <Icon name={finding.severity === "error" ? "error" : finding.severity === "warning" ? "warning" : "info"} size={14} />
          <span>
            {finding.message}
            {finding.hint && <span class="finding-hint">{finding.hint}</span>}
          </span>
        </div>
      ))}
    </div>
  );
}

interface InputProps extends Common {
  value: string;
  onValue: (value: string) => void;
  type?: "text" | "password" | "number" | "search" | "datetime-local";
  small?: boolean;
  mono?: boolean;
  /** Suggestions; any other value may be typed. */
  options?: string[];
  placeholder?: string;
  autofocus?: boolean;
  autocomplete?: "off" | "current-password";
  min?: number;
  max?: number;
  step?: number | "any";
  readOnly?: boolean;
}

export function TextField({ label, hint, findings, hideLabel, place, onValue, small, mono, options, type = "text", autocomplete = "off", ...rest }: InputProps) {
  const { id, props } = useField({ label, hint, findings });
  return (
    <Frame id={id} label={label} hint={hint} findings={findings} hideLabel={hideLabel} place={place}>
      <input type={type as "text"} spellcheck={false} autocomplete={autocomplete} {...rest} {...props} list={options ? `${id}-list` : undefined} class={`input${small ? " small" : ""}${mono ? " mono" : ""}`} onInput={(event) => onValue(event.currentTarget.value)} />
      {options && (
        <datalist id={`${id}-list`}>
          {options.map((option) => <option key={option} value={option} />)}
        </datalist>
      )}
    </Frame>
  );
}

type SelectProps<T extends string> = Common & { value: T; options: readonly (readonly [T, string])[]; onValue: (value: T) => void; small?: boolean; disabled?: boolean };

export function SelectField<T extends string>({ label, hint, findings, hideLabel, place, value, options, onValue, small, disabled }: SelectProps<T>) {
  const { id, props } = useField({ label, hint, findings });
  return (
    <Frame id={id} label={label} hint={hint} findings={findings} hideLabel={hideLabel} place={place}>
      <select {...props} disabled={disabled} class={`input${small ? " small" : ""}`} value={value} onChange={(event) => onValue(event.currentTarget.value as T)}>
        {options.map(([name, text]) => <option key={name} value={name}>{text}</option>)}
      </select>
    </Frame>
  );
}

export function TextArea({ label, hint, findings, hideLabel, value, onValue, mono, rows = 4 }: Common & { value: string; onValue: (value: string) => void; mono?: boolean; rows?: number }) {
  const { id, props } = useField({ label, hint, findings });
  return (
    <Frame id={id} label={label} hint={hint} findings={findings} hideLabel={hideLabel}>
      <textarea {...props} rows={rows} spellcheck={false} class={`input${mono ? " mono" : ""}`} value={value} onInput={(event) => onValue(event.currentTarget.value)} />
    </Frame>
  );
}

export function Check({ label, checked, onValue }: { label: string; checked: boolean; onValue: (value: boolean) => void }) {
  return (
    <label class="check">
      <input type="checkbox" checked={checked} onChange={(event) => onValue(event.currentTarget.checked)} />
      {label}
    </label>
  );
}
