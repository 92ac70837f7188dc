// The hops of a chain as rows: typed into, dragged by their handle, moved by arrow keys or buttons.
import { useEffect, useRef, useState } from "preact/hooks";
import { KEY_CHOICES, type Finding, type Hop } from "../api/types";
import { Button, IconButton } from "../ui/basics";
import { Check, Findings, SelectField, TextField } from "../ui/field";
import { Icon } from "../ui/icon";
import { at, isPolicyHop, moved, typedNumber, within } from "./draft";

interface Props {
  hops: Hop[];
  findings: Finding[];
  models: string[];
  balanced?: boolean;
  /** Where these hops stand in the document: `chain`, or `then.fallback` of a rule. */
  path?: string;
  onChange: (hops: Hop[]) => void;
}

const KEY_TEXT: Record<(typeof KEY_CHOICES)[number], string> = {
  managed: "Managed key",
  own: "Caller’s own key",
  managed_then_own: "Managed, then own",
  own_then_managed: "Own, then managed",
};

let nextId = 0;

export function ChainRows({ hops, findings, models, balanced = false, path = "chain", onChange }: Props) {
  const list = useRef<HTMLOListElement>(null);
  const [ids, setIds] = useState<number[]>(() => hops.map(() => nextId++));
  const [said, say] = useState("");
  const [dragged, setDragged] = useState<number | null>(null);

  // The JSON beside may add or remove hops: rows keep their identity by position then.
  const keys = hops.map((_, n) => ids[n] ?? -1 - n);
  useEffect(() => {
    if (ids.length !== hops.length) setIds(hops.map((_, n) => ids[n] ?? nextId++));
  }, [hops.length]);

  const move = (from: number, to: number) => {
    if (to < 0 || to >= hops.length || from === to) return;
    setIds(moved(keys, from, to));
    onChange(moved(hops, from, to));
    say(`${hops[from]?.model || "Hop"} is now number ${to + 1} of ${hops.length}`);
  };
  const remove = (index: number) => {
    setIds(keys.filter((_, n) => n !== index));
    onChange(hops.filter((_, n) => n !== index));
    say(`Hop ${index + 1} removed`);
  };
  const add = () => {
    setIds([...keys, nextId++]);
    onChange([...hops, { model: "" }]);
    requestAnimationFrame(() => list.current?.querySelector<HTMLInputElement>("li:last-child input")?.focus());
  };

  const latest = useRef(move);
  latest.current = move;
  const startDrag = (event: PointerEvent, index: number) => {
    if (event.button !== 0) return;
    event.preventDefault();
    let from = index;
    setDragged(from);
    const follow = (moveEvent: PointerEvent) => {
      const to = rowAt(list.current, moveEvent.clientY, from);
      if (to === from) return;
      latest.current(from, to);
      from = to;
      setDragged(to);
    };
    const end = () => {
      setDragged(null);
      removeEventListener("pointermove", follow);
      removeEventListener("pointerup", end);
      removeEventListener("pointercancel", end);
    };
    addEventListener("pointermove", follow);
    addEventListener("pointerup", end);
    addEventListener("pointercancel", end);
  };

  return (
    <div class="stack tight">
      <ol class="chain-rows" ref={list}>
        {hops.map((hop, n) => (
          <li key={keys[n]} class={dragged === n ? "chain-row dragged" : "chain-row"}>
            <button
              type="button"
              class="handle"
              aria-label={`Hop ${n + 1} of ${hops.length}, ${hop.model || "no model"}. Move with the arrow keys.`}
              onPointerDown={(event) => startDrag(event, n)}
              onKeyDown={(event) => {
                const step = event.key === "ArrowUp" ? -1 : event.key === "ArrowDown" ? 1 : 0;
                if (!step) return;
                event.preventDefault();
                move(n, n + step);
                requestAnimationFrame(() => list.current?.children[n + step]?.querySelector<HTMLElement>(".handle")?.focus());
              }}
            >
              <Icon name="grip" />
              <span class="num">{n + 1}</span>
            </button>
            <Row hop={hop} path={`${path}[${n}]`} findings={findings} models={models} balanced={balanced} onChange={(next) => onChange(hops.map((one, i) => (i === n ? next : one)))} />
            <div class="row-actions">
              <IconButton icon="up" label={`Move hop ${n + 1} up`} disabled={n === 0} onClick={() => move(n, n - 1)} />
              <IconButton icon="down" label={`Move hop ${n + 1} down`} disabled={n === hops.length - 1} onClick={() => move(n, n + 1)} />
              <IconButton icon="trash" danger label={`Remove hop ${n + 1}`} onClick={() => remove(n)} />
            </div>
          </li>
        ))}
      </ol>
      <div><Button icon="plus" small onClick={add} disabled={hops.length >= 16}>Add a hop</Button></div>
      <div class="sr" role="status" aria-live="polite">{said}</div>
    </div>
  );
}

/** The row whose middle the pointer has passed. */
function rowAt(list: HTMLElement | null, y: number, from: number): number {
  const rows = [...(list?.children ?? [])].map((row) => row.getBoundingClientRect());
  let to = from;
  while (to > 0 && y < (rows[to - 1]?.bottom ?? 0) - (rows[to - 1]?.height ?? 0) / 2) to--;
  while (to < rows.length - 1 && y > (rows[to + 1]?.top ?? 0) + (rows[to + 1]?.height ?? 0) / 2) to++;
  return to;
}

const SHOWN = ["model", "retries", "key", "degraded", "weight", "hedge_after_ms", "timeouts.first_token_ms", "timeouts.headers_ms", "timeouts.idle_ms", "timeouts.attempt_ms"];

function Row({ hop, path, findings, models, balanced, onChange }: { hop: Hop; path: string; findings: Finding[]; models: string[]; balanced: boolean; onChange: (hop: Hop) => void }) {
  const nested = isPolicyHop(hop);
  const set = (change: Partial<Hop>) => onChange({ ...hop, ...change });
  const number = (text: string) => typedNumber(text);
  const shown = (value: unknown) => (value === undefined || value === null ? "" : String(value));
  const more = hop.timeouts !== undefined || hop.hedge_after_ms !== undefined;
  return (
    <div class="row-fields">
      <div class="row-main">
        <TextField place="model-field" label="Model" placeholder="provider/model or policy/name" mono value={hop.model} options={models} findings={at(findings, `${path}.model`)} onValue={(model) => set({ model })} />
        {!nested && <TextField label="Retries" type="number" min={0} max={10} step={1} value={shown(hop.retries ?? 0)} findings={at(findings, `${path}.retries`)} onValue={(text) => set({ retries: number(text) })} />}
        {balanced && <TextField label="Weight" type="number" min={0} max={1000} step={1} value={shown(hop.weight ?? 1)} findings={at(findings, `${path}.weight`)} onValue={(text) => set({ weight: number(text) })} />}
        {!nested && <SelectField place="key-field" label="Key" value={hop.key ?? "managed"} options={KEY_CHOICES.map((key) => [key, KEY_TEXT[key]] as const)} findings={at(findings, `${path}.key`)} onValue={(key) => set({ key })} />}
        <Check label="Degraded" checked={Boolean(hop.degraded)} onValue={(on) => set({ degraded: on })} />
      </div>
      {hop.degraded && <TextField label="Notice to the user" placeholder="none" value={typeof hop.degraded === "string" ? hop.degraded : ""} findings={at(findings, `${path}.degraded`)} onValue={(text) => set({ degraded: text || true })} />}
      {!nested && (
        <details class="more" open={more || undefined}>
          <summary>Clocks and hedging, in ms</summary>
          <div class="row-clocks">
            {(["headers_ms", "first_token_ms", "idle_ms", "attempt_ms"] as const).map((name) => (
              <TextField key={name} small label={CLOCKS[name]} type="number" min={1} max={3600000} placeholder="policy’s" value={shown(hop.timeouts?.[name])} findings={at(findings, `${path}.timeouts.${name}`)} onValue={(text) => set({ timeouts: without({ ...hop.timeouts, [name]: number(text) }) })} />
            ))}
            <TextField small label="Hedge after" type="number" min={1} placeholder="never" value={shown(hop.hedge_after_ms)} findings={at(findings, `${path}.hedge_after_ms`)} onValue={(text) => set({ hedge_after_ms: number(text) })} />
          </div>
        </details>
      )}
      <Findings findings={within(findings, path, SHOWN)} />
    </div>
  );
}

const CLOCKS = { headers_ms: "Headers", first_token_ms: "First token", idle_ms: "Idle", attempt_ms: "Attempt" };

function without<T extends object>(value: T): T {
  return Object.fromEntries(Object.entries(value).filter(([, inner]) => inner !== undefined)) as T;
}
