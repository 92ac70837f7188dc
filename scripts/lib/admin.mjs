// The admin API of a Worker, as the commands use it.
import { devVar } from './project.mjs';
import { Problem } from './steps.mjs';

export const LOCAL = 'http://127.0.0.1:8787';

/** The Worker that a command speaks of: named, or UNDERSTUDY_URL, or the one that `npm start` serves. */
export function workerUrl(named) {
  const text = named ?? (process.env.UNDERSTUDY_URL || LOCAL);
  if (!URL.canParse(text) || !/^https?:/.test(text)) throw new Problem(`"${text}" is no URL. Expected one like https://understudy.example.com`);
  return text.replace(/\/(v1)?\/?$/, '');
}

const isLoopback = (url) => ['127.0.0.1', 'localhost', '[::1]'].includes(new URL(url).hostname);

/** ADMIN_TOKEN of the environment, where it is set (empty: none); else for a local Worker the one in .dev.vars. */
export const adminToken = (url) => process.env.ADMIN_TOKEN ?? (isLoopback(url) ? devVar('ADMIN_TOKEN') : undefined);

/** A function that asks `/admin` and answers `{status, body}`; what keeps every request from being answered ends the command. */
export function admin(url) {
  const token = adminToken(url);
  if (!token) throw new Problem(`The admin token of ${url} is needed: ADMIN_TOKEN=... in the environment.`);
  return async (method, place, body) => {
    const asked = fetch(`${url}/admin/${place}`, { method, body, headers: { authorization: `Bearer ${token}` } });
    const answer = await asked.catch((error) => {
      throw new Problem(`${url} does not answer (${error.cause?.code ?? error.message}). npm start serves one here; --url names another.`);
    });
    const text = await answer.text();
    if (answer.status === 401) throw new Problem(`${url} refuses the admin token. Set ADMIN_TOKEN to the one that it was given.`);
    if (answer.status === 403) throw new Problem(`${url} has no admin token yet: npx wrangler secret put ADMIN_TOKEN`);
    try {
      return { status: answer.status, body: text === '' ? null : JSON.parse(text) };
    } catch {
      throw new Problem(`${url}/admin/${place} answered ${answer.status} with no JSON: is it an Understudy?`);
    }
  };
}
