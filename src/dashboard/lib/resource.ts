// Something loaded from the API: what it is, whether it is on its way, why it failed.
import { useCallback, useEffect, useRef, useState } from "preact/hooks";

export interface Resource<T> {
  data: T | undefined;
  error: Error | undefined;
  /** On its way, whether or not older data is still shown. */
  loading: boolean;
  reload: () => void;
  /** Puts in what a save just answered, without another read. */
  set: (data: T) => void;
}

/**
 * Loads when `key` changes, again on `reload`, and every `every` ms while the tab is visible. Data of the same key stays
 * while a reload runs, so that the page does not flicker.
 */
export function useResource<T>(key: string, load: (signal: AbortSignal) => Promise<T>, every = 0): Resource<T> {
  const [state, setState] = useState<{ key: string; data?: T; error?: Error; loading: boolean }>({ key, loading: true });
  const [turn, setTurn] = useState(0);
  const latest = useRef(load);
  latest.current = load;

  useEffect(() => {
    const controller = new AbortController();
    setState((old) => (old.key === key ? { ...old, loading: true } : { key, loading: true }));
    latest.current(controller.signal).then(
      (data) => controller.signal.aborted || setState({ key, data, loading: false }),
      (error: Error) => controller.signal.aborted || setState((old) => ({ ...old, error, loading: false })),
    );
    return () => controller.abort();
  }, [key, turn]);

  const reload = useCallback(() => setTurn((n) => n + 1), []);

  useEffect(() => {
    if (!every) return;
    const timer = setInterval(() => document.visibilityState === "visible" && reload(), every);
    return () => clearInterval(timer);
  }, [every, reload]);

  const set = useCallback((data: T) => setState({ key, data, loading: false }), [key]);
  const current = state.key === key ? state : { data: undefined, error: undefined, loading: true };
  return { data: current.data, error: current.error, loading: current.loading, reload, set };
}
