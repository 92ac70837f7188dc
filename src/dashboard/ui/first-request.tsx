// A line to paste: what a page without figures is waiting for.
import { CopyButton } from "./basics";

export function FirstRequest({ policy = "<name>" }: { policy?: string }) {
  const body = JSON.stringify({ model: `policy/${policy}`, messages: [{ role: "user", content: "Hello" }] });
  const line = `curl ${location.origin}/v1/chat/completions \\\n  -H 'authorization: Bearer <gateway key>' \\\n  -H 'content-type: application/json' \\\n  -d '${body}'`;
  return (
    <div class="first-request">
      <pre class="code">{line}</pre>
      <CopyButton text={line} label="Copy the request" />
    </div>
  );
}
