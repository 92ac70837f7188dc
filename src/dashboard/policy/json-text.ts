// A JSON text as coloured pieces, and where in it each value stands. Works on a text that does not parse, as far as it goes.
export interface Piece {
  kind: "name" | "string" | "number" | "word" | "mark" | "space" | "wrong";
  text: string;
}

export interface JsonText {
  pieces: Piece[];
  /** Line (from 0) on which the value of a path such as `chain[1].retries` begins. */
  lines: Map<string, number>;
}

const TOKEN = /("(?:\\.|[^"\\\n])*"?)|(-?\d[\d.eE+-]*)|(true|false|null)|([{}[\],:])|(\s+)|([^\s"{}[\],:]+)/g;

export function readJson(text: string): JsonText {
  const pieces: Piece[] = [];
  const lines = new Map<string, number>();
  const stack: { array: boolean; path: string; index: number; name: string | null }[] = [];
  let line = 0;

  const here = () => {
    const top = stack.at(-1);
    if (!top) return "";
    if (top.array) return `${top.path}[${top.index}]`;
    return top.path ? `${top.path}.${top.name ?? ""}` : (top.name ?? "");
  };
  const value = () => {
    const path = here();
    if (!lines.has(path)) lines.set(path, line);
  };

  for (const match of text.matchAll(TOKEN)) {
    const [token, string, number, word, mark, space] = match;
    const top = stack.at(-1);
    if (string !== undefined) {
      const named = top && !top.array && top.name === null;
      if (named) top.name = unquote(string);
      else value();
      pieces.push({ kind: named ? "name" : "string", text: token });
    } else if (number !== undefined || word !== undefined) {
      value();
      pieces.push({ kind: number !== undefined ? "number" : "word", text: token });
    } else if (mark !== undefined) {
      if (mark === "{" || mark === "[") {
        value();
        stack.push({ array: mark === "[", path: here(), index: 0, name: null });
      } else if (mark === "}" || mark === "]") {
        stack.pop();
      } else if (mark === "," && top) {
        if (top.array) top.index++;
        else top.name = null;
      }
      pieces.push({ kind: "mark", text: token });
    } else if (space !== undefined) {
      line += space.split("\n").length - 1;
      pieces.push({ kind: "space", text: token });
    } else {
      pieces.push({ kind: "wrong", text: token });
    }
  }
  return { pieces, lines };
}

/** The line of a path, or of the nearest part of it that is there. */
export function lineOf(lines: Map<string, number>, path: string): number {
  for (let rest = path; rest; rest = rest.replace(/(\.[^.[\]]+|\[\d+\]|^[^.[\]]+)$/, "")) {
    const line = lines.get(rest);
    if (line !== undefined) return line;
  }
  return 0;
}

function unquote(text: string): string {
  try {
    return String(JSON.parse(text));
  } catch {
    return text.slice(1);
  }
}
