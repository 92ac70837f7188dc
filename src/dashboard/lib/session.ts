// The admin token: kept for this tab alone, never in a URL, a cookie or local storage.
import { signal } from "@preact/signals";

const KEY = "understudy.token";

function stored(): string {
  try {
    return sessionStorage.getItem(KEY) ?? "";
  } catch {
    return ""; // storage is blocked: the token lives in memory until the tab is reloaded
  }
}

export const token = signal(stored());

/** Why the visitor was sent back to the sign-in page, if they were. */
export const signedOutBecause = signal("");

export function signIn(value: string): void {
  token.value = value;
  signedOutBecause.value = "";
  try {
    sessionStorage.setItem(KEY, value);
  } catch {
    // memory alone will do
  }
}

export function signOut(reason = ""): void {
  token.value = "";
  signedOutBecause.value = reason;
  try {
    sessionStorage.removeItem(KEY);
  } catch {
    // nothing was stored
  }
}
