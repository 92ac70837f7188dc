// Something done at the press of a button: whether it is under way, what came of it, why it failed.
import { useState } from "preact/hooks";

export interface Action<A extends unknown[], T> {
  /** What came of the last one; nothing where it failed. */
  data: T | undefined;
  error: Error | undefined;
  busy: boolean;
  run: (...given: A) => Promise<void>;
}

export function useAction<A extends unknown[], T>(act: (...given: A) => Promise<T>): Action<A, T> {
  const [state, setState] = useState<{ data?: T; error?: Error; busy: boolean }>({ busy: false });
  const run = async (...given: A) => {
    setState(({ data }) => ({ data, busy: true }));
    await act(...given).then(
      (data) => setState({ data, busy: false }),
      (error: Error) => setState({ error, busy: false }),
    );
  };
  return { data: state.data, error: state.error, busy: state.busy, run };
}
