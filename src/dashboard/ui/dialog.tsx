// A modal on the browser's own <dialog>: focus stays inside, Escape closes, focus returns to where it was.
import type { ComponentChildren } from "preact";
import { useId, useLayoutEffect, useRef, useState } from "preact/hooks";
import { Button, IconButton, Problem } from "./basics";

export function Dialog({ title, onClose, large, children }: { title: string; onClose: () => void; large?: boolean; children: ComponentChildren }) {
  const ref = useRef<HTMLDialogElement>(null);
  const id = useId();
  useLayoutEffect(() => {
    const dialog = ref.current;
    const before = document.activeElement;
    dialog?.showModal();
    if (!dialog?.querySelector("[autofocus]")) dialog?.querySelector<HTMLElement>("h2")?.focus();
    return () => {
      dialog?.close();
      // The browser gives the focus back to what had it only while the dialog stays in the page.
      if (before instanceof HTMLElement && before.isConnected) before.focus();
    };
  }, []);
  return (
    <dialog
      ref={ref}
      class={large ? "large" : ""}
      aria-labelledby={id}
      onCancel={(event) => { event.preventDefault(); onClose(); }}
      onMouseDown={(event) => event.target === ref.current && onClose()}
    >
      <div class="dialog-head">
        <h2 id={id} tabIndex={-1}>{title}</h2>
        <span class="push"><IconButton icon="close" label="Close" onClick={onClose} /></span>
      </div>
      <div class="dialog-body">{children}</div>
    </dialog>
  );
}

/** Asks before something that cannot be taken back. */
export function Confirm({ title, action, onConfirm, onClose, children }: { title: string; action: string; onConfirm: () => Promise<void>; onClose: () => void; children: ComponentChildren }) {
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<Error>();
  const confirm = async () => {
    setBusy(true);
    setError(undefined);
    try {
      await onConfirm();
      onClose();
    } catch (caught) {
      setError(caught as Error);
      setBusy(false);
    }
  };
  return (
    <Dialog title={title} onClose={onClose}>
      <div>{children}</div>
      {error && <Problem error={error} />}
      <div class="dialog-foot">
        <Button onClick={onClose}>Cancel</Button>
        <Button kind="danger" disabled={busy} onClick={confirm}>{busy ? "Working…" : action}</Button>
      </div>
    </Dialog>
  );
}
