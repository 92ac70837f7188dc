// The written pages, and what stands in them to be run: fenced blocks, and commands between backticks.
import { readFileSync, readdirSync } from 'node:fs';
import { join, relative } from 'node:path';
import { root } from '../worker.mjs';

/** Every page that is written for readers. */
export function pages() {
  const docs = readdirSync(join(root, 'docs'), { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile() && entry.name.endsWith('.md'));
  const paths = docs.map((entry) => relative(root, join(entry.parentPath, entry.name)));
  return ['README.md', 'CONTRIBUTING.md', 'SECURITY.md', 'CHANGELOG.md', ...paths.sort()].map((path) => ({ path, text: readFileSync(join(root, path), 'utf8') }));
}

/** Fenced blocks of a page: `{page, heading, language, text, name}`; the name is one to find it by. */
export function blocks({ path, text }) {
  const found = [];
  let heading = '';
  for (const [whole, title, language, body] of text.matchAll(/^#+ (.*)$|^```(.*)\n([\s\S]*?)^```$/gm)) {
    if (title !== undefined) heading = title;
    else found.push({ page: path, heading, language, text: body, name: `${path}, ${heading}: ${language} ${body.trim().split('\n')[0].slice(0, 60)}`, whole });
  }
  return found;
}

/** Commands between backticks in a page's prose. */
export function commands({ path, text }) {
  const prose = text.replace(/^```[\s\S]*?^```$/gm, '');
  const spans = [...prose.matchAll(/`([^`]+)`/g)].map(([, span]) => span.replace(/\s+/g, ' '));
  return [...new Set(spans)].filter((span) => /^([A-Z_]+=\S+ )*(npm|npx|cargo|\.ci\/run)( |$)/.test(span) && span !== 'npx').map((span) => ({ page: path, text: span, name: `${path}: ${span}` }));
}

/** The blocks of one language under a heading of a page, in order. */
export const under = (page, heading, language) => blocks(page).filter((block) => block.heading === heading && block.language === language).map((block) => block.text);
