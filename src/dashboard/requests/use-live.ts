// Requests as they end, newest first. The connection is taken up again when it breaks, a little later each time.
import { useEffect, useState } from "preact/hooks";
import { ApiError, path } from "../api/client";
import { events } from "../api/stream";
import type { RequestSummary } from "../api/types";

export type LiveState = "off" | "connecting" | "live" | "lost";

const FIRST_WAIT_MS = 1000;
const LONGEST_WAIT_MS = 15_000;

export function useLive(on: boolean, filters: Record<string, string>, onRequest: (request: RequestSummary) => void): LiveState {
  const [state, setState] = useState<LiveState>("off");
  useEffect(() => {
    if (!on) {
      setState("off");
      return;
    }
    const controller = new AbortController();
    follow(controller.signal, filters, setState, onRequest);
    return () => controller.abort();
  }, [on, JSON.stringify(filters), onRequest]);
  return state;
}

async function follow(signal: AbortSignal, filters: Record<string, string>, tell: (state: LiveState) => void, onRequest: (request: RequestSummary) => void): Promise<void> {
  let wait = FIRST_WAIT_MS;
  tell("connecting");
  while (!signal.aborted) {
    try {
      for await (const event of events(path("live"), filters, signal, () => tell("live"))) {
        const request = parse(event.data);
        if (!request) continue;
        wait = FIRST_WAIT_MS;
        onRequest(request);
      }
    } catch (error) {
      if (signal.aborted) return;
      if (error instanceof ApiError && error.status >= 400 && error.status < 500) return tell("lost");
      tell("lost");
    }
    await new Promise((resume) => setTimeout(resume, wait));
    wait = Math.min(wait * 2, LONGEST_WAIT_MS);
  }
}

function parse(text: string): RequestSummary | null {
  try {
    const value = JSON.parse(text) as RequestSummary | null;
    return value && typeof value === "object" && value.id ? value : null;
  } catch {
    return null;
  }
}
