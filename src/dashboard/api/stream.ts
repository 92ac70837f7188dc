// Server-sent events over fetch: EventSource cannot send the token as a header, and a token in a URL ends up in logs.
import { open } from "./client";

export interface ServerEvent {
  event: string;
  data: string;
}

/** Reads events until the server ends the stream or `signal` aborts it. */
export async function* events(url: string, query: Record<string, string>, signal: AbortSignal, onOpen: () => void = () => {}): AsyncGenerator<ServerEvent> {
  const response = await open(url, { query, signal });
  if (!response.body) return;
  onOpen();
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  try {
    for (;;) {
      const { value, done } = await reader.read();
      if (done) return;
      rest += value;
      const blocks = rest.split(/\r?\n\r?\n/);
      rest = blocks.pop() ?? "";
      for (const block of blocks) {
        const event = parseBlock(block);
        if (event) yield event;
      }
    }
  } finally {
    reader.cancel().catch(() => {});
  }
}

function parseBlock(block: string): ServerEvent | null {
  let event = "message";
  const data: string[] = [];
  for (const line of block.split(/\r?\n/)) {
    if (line.startsWith("event:")) event = line.slice(6).trim();
    else if (line.startsWith("data:")) data.push(line.slice(5).replace(/^ /, ""));
  }
  return data.length ? { event, data: data.join("\n") } : null;
}
