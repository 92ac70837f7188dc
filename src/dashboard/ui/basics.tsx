// The small parts every page is made of.
import type { ComponentChildren, JSX } from "preact";
import { signal } from "@preact/signals";
import { useEffect, useRef, useState } from "preact/hooks";
import { ApiError } from "../api/client";
import { Icon, type IconName } from "./icon";

export function PageHead({ title, note, crumb, children }: { title: ComponentChildren; note?: ComponentChildren; crumb?: ComponentChildren; children?: ComponentChildren }) {
  return (
    <header class="page-head">
      <div>
        {crumb}
        <h1 tabIndex={-1}>{title}</h1>
        {note && <p>{note}</p>}
      </div>
      {children && <div class="actions">{children}</div>}
    </header>
  );
}

export function Card({ title, note, actions, flush, children }: { title?: ComponentChildren; note?: ComponentChildren; actions?: ComponentChildren; flush?: boolean; children: ComponentChildren }) {
  return (
    <section class={flush ? "card flush" : "card"}>
      {title && (
        <div class="card-head">
          <h2>{title}</h2>
          {actions && <div class="push row tight">{actions}</div>}
          {note && <p>{note}</p>}
        </div>
      )}
      <div class="card-body">{children}</div>
    </section>
  );
}

/** A target as written, its provider set back so that the model stands out; it may break behind `/` and before `@`. */
export function Model({ name }: { name: string }) {
  const [provider, rest = ""] = name.includes("/") ? [name.slice(0, name.indexOf("/") + 1), name.slice(name.indexOf("/") + 1)] : ["", name];
  const [model, region] = rest.includes("@") ? [rest.slice(0, rest.lastIndexOf("@")), rest.slice(rest.lastIndexOf("@"))] : [rest, ""];
  return <span class="model"><span class="model-aside">{provider}</span>{provider && <wbr />}{model}{region && <wbr />}<span class="model-aside">{region}</span></span>;
}

export type Tone = "good" | "bad" | "warn" | "accent" | "idle";

export function Badge({ tone = "idle", dot, children, title }: { tone?: Tone; dot?: boolean; children: ComponentChildren; title?: string }) {
  return (
    <span class={`badge ${tone}`} title={title}>
      {dot && <span class={`dot ${tone}`} />}
      {children}
    </span>
  );
}

type ButtonProps = JSX.IntrinsicElements["button"] & { icon?: IconName; kind?: "primary" | "danger" | "ghost"; small?: boolean };

export function Button({ icon, kind, small, children, ...rest }: ButtonProps) {
  return (
    <button type="button" {...rest} class={["btn", kind, small && "small"].filter(Boolean).join(" ")}>
      {icon && <Icon name={icon} size={16} />}
      {children}
    </button>
  );
}

/** An icon alone: its label is read out and shown on hover. */
export function IconButton({ icon, label, danger, ...rest }: JSX.IntrinsicElements["button"] & { icon: IconName; label: string; danger?: boolean }) {
  return (
    <button type="button" aria-label={label} title={label} {...rest} class={`btn ghost icon${danger ? " danger-hover" : ""}`}>
      <Icon name={icon} />
    </button>
  );
}

export function Empty({ icon, title, children, action }: { icon: IconName; title: string; children?: ComponentChildren; action?: ComponentChildren }) {
  return (
    <div class="empty">
      <div class="art"><Icon name={icon} size={24} /></div>
      <h2>{title}</h2>
      {children && <p>{children}</p>}
      {action}
    </div>
  );
}

export function Problem({ error, retry }: { error: Error; retry?: () => void }) {
  const status = error instanceof ApiError ? error.status : 0;
  const title = status === 404 ? "Not found" : status === 0 ? "No answer" : status === 403 ? "Not allowed" : "This did not work";
  return (
    <div class="problem" role="alert">
      <Icon name="error" />
      <div class="stack tight">
        <strong>{title}</strong>
        <span>{error.message.replace(/^./, (first) => first.toUpperCase())}</span>
      </div>
      {retry && <Button small icon="refresh" onClick={retry}>Try again</Button>}
    </div>
  );
}

export function Note({ tone = "info", children }: { tone?: "info" | "warn"; children: ComponentChildren }) {
  return (
    <div class={`problem ${tone}`}>
      <Icon name={tone === "warn" ? "warning" : "info"} />
      <div>{children}</div>
    </div>
  );
}

export function Loading({ shape = "list" }: { shape?: "list" | "page" }) {
  return (
    <div class="stack" role="status" aria-label="Loading">
      {shape === "page" && <div class="skeleton block" />}
      {shape === "page" && <div class="skeleton tall" />}
      {shape === "list" && [0, 1, 2, 3].map((n) => <div key={n} class="skeleton block" />)}
    </div>
  );
}

export function Stat({ label, value, note, tone }: { label: string; value: ComponentChildren; note?: ComponentChildren; tone?: Tone }) {
  return (
    <div class="stat">
      <dt>{label}</dt>
      <dd class={`value ${tone ?? ""}`}>{value}</dd>
      {note && <dd class="note">{note}</dd>}
    </div>
  );
}

export function Segments<T extends string>({ label, value, options, onChange }: { label: string; value: T; options: readonly (readonly [T, string])[]; onChange: (value: T) => void }) {
  return (
    <div class="segments" role="group" aria-label={label}>
      {options.map(([name, text]) => (
        <button key={name} type="button" aria-pressed={name === value} onClick={() => onChange(name)}>{text}</button>
      ))}
    </div>
  );
}

export function Tabs({ label, current, tabs }: { label: string; current: string; tabs: readonly { id: string; text: string; href: string }[] }) {
  const row = useRef<HTMLElement>(null);
  // On a phone the row is wider than the page: the tab that one is on must not stand beyond its edge.
  useEffect(() => row.current?.querySelector("[aria-current]")?.scrollIntoView({ block: "nearest", inline: "nearest" }), [current]);
  return (
    <nav ref={row} class="tabs" aria-label={label}>
      {tabs.map((tab) => (
        <a key={tab.id} href={tab.href} aria-current={tab.id === current ? "page" : undefined}>{tab.text}</a>
      ))}
    </nav>
  );
}

interface Message {
  id: number;
  text: string;
  bad: boolean;
}

const messages = signal<Message[]>([]);
let nextMessage = 0;

/** A short message at the foot of the page, gone after some seconds. */
export function toast(text: string, bad = false): void {
  const id = nextMessage++;
  messages.value = [...messages.value.slice(-2), { id, text, bad }];
  setTimeout(() => (messages.value = messages.value.filter((message) => message.id !== id)), bad ? 8000 : 3500);
}

export function Toasts() {
  return (
    <div class="toasts" role="status" aria-live="polite">
      {messages.value.map((message) => (
        <div key={message.id} class={`toast${message.bad ? " bad" : ""}`}>
          <Icon name={message.bad ? "error" : "check"} size={16} />
          <span>{message.text}</span>
        </div>
      ))}
    </div>
  );
}

export async function copyText(text: string, what = text): Promise<void> {
  try {
    await navigator.clipboard.writeText(text);
    toast(`Copied ${what}`);
  } catch {
    toast("The browser did not allow copying. Select the text and copy it yourself.", true);
  }
}

export function CopyButton({ text, label = "Copy" }: { text: string; label?: string }) {
  const [copied, setCopied] = useState(false);
  const copy = (event: Event) => {
    event.stopPropagation();
    copyText(text).then(() => {
      setCopied(true);
      setTimeout(() => setCopied(false), 1500);
    });
  };
  return <IconButton icon={copied ? "check" : "copy"} label={label} onClick={copy} />;
}
