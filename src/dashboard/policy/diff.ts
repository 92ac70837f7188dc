// Lines added and removed between two texts: the longest common subsequence, enough for documents of a few hundred lines.
export interface Line {
  kind: "same" | "added" | "removed";
  text: string;
}

const MOST_LINES = 1500;

export function diff(before: string, after: string): Line[] {
  const a = before ? before.split("\n").slice(0, MOST_LINES) : [];
  const b = after.split("\n").slice(0, MOST_LINES);
  const common = table(a, b);
  const lines: Line[] = [];
  let i = 0;
  let j = 0;
  while (i < a.length || j < b.length) {
    if (i < a.length && j < b.length && a[i] === b[j]) {
      lines.push({ kind: "same", text: a[i] ?? "" });
      i++;
      j++;
    } else if (j >= b.length || (i < a.length && (common[i + 1]?.[j] ?? 0) >= (common[i]?.[j + 1] ?? 0))) {
      lines.push({ kind: "removed", text: a[i++] ?? "" });
    } else {
      lines.push({ kind: "added", text: b[j++] ?? "" });
    }
  }
  return lines;
}

/** `common[i][j]`: length of the longest common subsequence of what follows `a[i]` and `b[j]`. */
function table(a: string[], b: string[]): Uint16Array[] {
  const common = Array.from({ length: a.length + 1 }, () => new Uint16Array(b.length + 1));
  for (let i = a.length - 1; i >= 0; i--) {
    for (let j = b.length - 1; j >= 0; j--) {
      const row = common[i];
      if (!row) continue;
      row[j] = a[i] === b[j] ? (common[i + 1]?.[j + 1] ?? 0) + 1 : Math.max(common[i + 1]?.[j] ?? 0, row[j + 1] ?? 0);
    }
  }
  return common;
}
