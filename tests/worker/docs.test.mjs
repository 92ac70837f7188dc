// Every fenced block and every command on every page is run: a block that no runner below takes fails its test.
import assert from 'node:assert/strict';
import { execFile, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, symlinkSync, writeFileSync, chmodSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { promisify } from 'node:util';
import { DEMOS } from '../../scripts/start.mjs';
import { assistant } from './assistant.mjs';
import { blocks, commands, pages, under } from './docs/pages.mjs';
import { frameworks as pythonFrameworks } from './packages.mjs';
import { rig } from './rig.mjs';
import { ADMIN_TOKEN, root, unique } from './worker.mjs';

const { worker, upstream } = await rig();
const all = pages();
const page = (path) => all.find((page) => page.path === path);
const python = pythonFrameworks();

// ---- the world that the pages speak of ----------------------------------------------------------------------------

/** Providers whose models the pages ask for lead to a scripted model, and policies that they name are there. */
async function furnish() {
  for (const name of ['openai', 'anthropic', 'google', 'openpipe']) await worker.put(`provider:${name}`, upstream.provider(name));
  for (const model of ['openai/gpt-4o', 'openai/gpt-4o-mini', 'openai/gpt-4-turbo', 'anthropic/claude-sonnet-4-5', 'openpipe/my-ft-model']) upstream.on(model, assistant);
  await worker.put('policy:demo', JSON.stringify(DEMOS.demo, null, 2));
  for (const name of ['cheap', 'code', 'code-small', 'sonnet']) await worker.put(`policy:${name}`, { chain: ['openai/gpt-4o-mini', 'anthropic/claude-sonnet-4-5'] });
  // Something to roll back to.
  for (const model of ['openai/gpt-4o', 'anthropic/claude-sonnet-4-5']) await worker.admin('/policies/sonnet', { method: 'PUT', body: { chain: [model] } });
}

/** A folder with the files that commands name, and a PATH whose npm, npx and cargo are stand-ins. */
function scratch() {
  const folder = mkdtempSync(join(tmpdir(), 'pages-'));
  writeFileSync(join(folder, 'sonnet.json'), under(page('README.md'), 'A policy', 'json')[0]);
  writeFileSync(join(folder, 'rules.json'), under(page('docs/rules.md'), 'Rules', 'json')[0]);
  symlinkSync(join(root, 'docs'), join(folder, 'docs'));
  for (const path of ['bin/npm', 'bin/npx', 'bin/cargo', '.ci/run']) {
    mkdirSync(join(folder, path, '..'), { recursive: true });
    writeFileSync(join(folder, path), `#!/bin/sh\nexec '${process.execPath}' '${join(root, 'tests/worker/docs/stand-in.mjs')}' '${path}' "$@"\n`);
    chmodSync(join(folder, path), 0o755);
  }
  return folder;
}

await furnish();
const folder = scratch();
const requestId = (await worker.chat('policy/demo')).headers.get('x-understudy-request-id');
await worker.recorded(requestId);
const env = {
  ...process.env,
  PATH: `${join(folder, 'bin')}:${process.env.PATH}`,
  REAL_PATH: process.env.PATH,
  ROOT: root,
  STATE: worker.state,
  ADMIN_TOKEN,
  REQUEST_ID: requestId,
  UNDERSTUDY_URL: worker.url,
  UNDERSTUDY_KEY: 'none',
  WRANGLER_SEND_METRICS: 'false',
  WRANGLER_HIDE_BANNER: 'true',
  CLOUDFLARE_CF_FETCH_ENABLED: 'false',
};

/** A page's text with this Worker in place of the one that it speaks of. */
const here = (text) => text.replaceAll(/https:\/\/understudy(-staging)?\.example\.com|http:\/\/127\.0\.0\.1:8787/g, worker.url);

async function sh(text, cwd = folder) {
  const program = text.replaceAll('curl ', 'curl -sS --fail-with-body ');
  return (await promisify(execFile)('sh', ['-ec', here(program)], { cwd, env, timeout: 240_000 })).stdout;
}

// ---- what runs each kind of block ---------------------------------------------------------------------------------

const RUNNERS = {
  sh: ({ text }) => sh(text),
  js: async ({ text }) => assert.equal((await promisify(execFile)(process.execPath, ['--input-type=module', '-e', here(text)], { cwd: root, env, timeout: 60_000 })).stdout.trim(), 'Hello'),
  python: async ({ text }) => void (await promisify(execFile)(python.python, ['-c', here(text)], { env, timeout: 60_000 })),
  json: runDocument,
  yaml: async (block) => {
    const { stdout } = spawnSync(python.python, ['-c', 'import json, sys, yaml; print(json.dumps(yaml.safe_load(sys.stdin)))'], { input: block.text, encoding: 'utf8' });
    await runSettings(JSON.parse(stdout), block);
  },
  text: async (block) => {
    const check = TEXTS[block.page];
    assert.ok(check, 'no test runs this block');
    await check(block.text);
  },
};

/** A JSON document is linted by the Worker as what its fields say it is; a request is sent. */
async function runDocument({ text }) {
  const document = JSON.parse(text);
  const has = (...names) => names.every((name) => name in document);
  const put = async (place) => {
    const answer = await worker.admin(`/${place}?dry_run=1`, { method: 'PUT', body: text });
    assert.equal(answer.status, 200, await answer.text());
  };
  if (has('messages')) {
    const answer = await worker.post('/v1/chat/completions', text);
    assert.equal(answer.status, 200, await answer.text());
  } else if (has('chain')) await put(`policies/${unique('page-')}`);
  else if (has('rules', 'rulesets')) await put('rules');
  else if (has('base_url')) await put('providers/page');
  else if (has('errors')) await put('providers/openai');
  else if (has('name', 'allow')) {
    const { own, ...key } = document;
    const answer = await worker.admin('/keys', { method: 'POST', body: key });
    assert.equal(answer.status, 201, await answer.text());
  } else if (Object.keys(document)[0]?.includes('/')) await put('models');
  else if (has('strategy')) assert.ok(document.targets.length > 1, 'its worked example is run by moving-over.test.mjs');
  else assert.fail('no test runs this block');
}

/** Settings of other tools: what they make the tool ask is asked. */
async function runSettings(settings, block) {
  if (settings.endpoints) {
    const { baseURL, models, titleModel } = settings.endpoints.custom[0];
    await listsAndAnswers(here(baseURL), [...models.default, titleModel]);
  } else if (settings.scrape_configs) {
    const { metrics_path, authorization } = settings.scrape_configs[0];
    assert.ok(authorization.credentials_file);
    const answer = await worker.fetch(metrics_path, { headers: { authorization: `Bearer ${ADMIN_TOKEN}` } });
    assert.match(await answer.text(), /^understudy_requests_total/m);
  } else assert.ok(settings.model_list && block.page === 'docs/moving-over.md', 'no test runs this block');
}

/** What a chat front does with a base URL: it lists the models, and streams an answer of each that it is set to. */
async function listsAndAnswers(base, models) {
  const listed = (await (await fetch(`${base}/models`, { headers: { authorization: 'Bearer us-none' } })).json()).data.map((model) => model.id);
  for (const model of models) {
    assert.ok(listed.includes(model), `${model} is not in ${listed}`);
    const answer = await fetch(`${base}/chat/completions`, { method: 'POST', headers: { 'content-type': 'application/json', authorization: 'Bearer us-none' }, body: JSON.stringify({ model, stream: true, messages: [{ role: 'user', content: 'Hi' }] }) });
    assert.match(await answer.text(), /\[DONE\]/);
  }
}

/** Blocks of plain text, by their page. */
const TEXTS = {
  'README.md': async (text) => {
    const { headers } = await worker.chat('policy/demo');
    const timeless = (value) => value.replace(/\b\d+ms/g, 'ms');
    for (const [, name, value] of text.matchAll(/^([\w-]+): (.*)$/gm)) assert.equal(timeless(headers.get(name)), timeless(value), name);
  },
  'docs/policies.md': async (text) => {
    const said = text.trim().split('\n');
    await worker.put('policy:sonnet-bad', { chain: ['openai/gpt-4o', { model: 'openai/gpt-4o', retries: 11 }] });
    await worker.put('policy:a', { chain: ['policy/b'] });
    await worker.put('policy:b', { chain: ['policy/a'] });
    const refusals = await Promise.all(['sonnet-bad', 'a'].map(async (name) => (await (await worker.chat(`policy/${name}`)).json()).error.message));
    assert.deepEqual(refusals, said.map((line) => line.replace('"sonnet"', '"sonnet-bad"')));
    for (const name of ['sonnet-bad', 'a', 'b']) await worker.remove(`policy:${name}`);
  },
  'docs/keys.md': async (text) => {
    assert.match(text, /^v1\.<key id>\.<nonce>\.<data>$/m);
    const sealed = under(page('docs/keys.md'), 'Gateway keys', 'json')[0].match(/"anthropic": "([^"]+)"/)[1];
    assert.match(sealed, /^v1\.[0-9a-f]{8}\.[\w-]{16}\.[\w-]+$/);
  },
  'CONTRIBUTING.md': (text) => {
    // Below a folder that ends in a slash, the names of a line are in that folder; the words after three spaces say what they are.
    let base = '';
    const missing = [];
    for (const line of text.trim().split('\n')) {
      const [first] = line.trim().split(/ {3,}/);
      const names = first.split(/[ ,;]+/).filter(Boolean);
      if (!line.startsWith(' ')) base = names[0];
      for (const name of line.startsWith(' ') ? names.map((name) => base + name) : names) if (!existsSync(join(root, name)) && !existsSync(join(root, `${name}.rs`))) missing.push(name);
    }
    assert.deepEqual(missing, []);
    const folders = readdirSync(join(root, 'src'), { withFileTypes: true }).filter((entry) => entry.isDirectory()).map((entry) => `src/${entry.name}/`);
    for (const folder of folders) assert.ok(text.includes(folder), `${folder} is not on the map`);
  },
};

// ---- the tests ----------------------------------------------------------------------------------------------------

for (const block of all.flatMap(blocks)) {
  const needsPython = ['python', 'yaml'].includes(block.language) && python.skip;
  test(block.name, { skip: needsPython }, async () => {
    const run = RUNNERS[block.language];
    assert.ok(run, `no test runs a block of "${block.language}"`);
    await run(block);
  });
}

for (const command of all.flatMap(commands)) test(command.name, () => sh(command.text));

test('Claude Code’s settings: its calls and its count of tokens are answered', async () => {
  const [settings] = under(page('docs/clients/README.md'), 'Claude Code', 'sh');
  const said = await sh(`${settings}\nenv | grep ^ANTHROPIC_`);
  const set = Object.fromEntries(said.trim().split('\n').map((line) => line.split(/=(.*)/)));
  const headers = { 'content-type': 'application/json', authorization: `Bearer ${set.ANTHROPIC_AUTH_TOKEN}`, 'anthropic-version': '2023-06-01' };
  const models = Object.keys(set).filter((name) => name.endsWith('_MODEL')).map((name) => set[name]);
  assert.ok(models.length >= 4);
  for (const model of new Set(models)) {
    const body = JSON.stringify({ model, max_tokens: 64, stream: true, messages: [{ role: 'user', content: 'Hi' }] });
    const answer = await fetch(`${set.ANTHROPIC_BASE_URL}/v1/messages?beta=true`, { method: 'POST', headers, body });
    assert.match(await answer.text(), /message_stop/, model);
  }
});

test('Cline, Roo Code, Open WebUI: the base URL and model that each is set to answer', async () => {
  const text = page('docs/clients/README.md').text;
  for (const tool of ['Cline', 'Roo Code']) {
    const section = text.split(`### ${tool}\n`)[1].split('\n### ')[0];
    const cell = (name) => section.match(new RegExp(`\\| ${name} \\| \`([^\`]+)\``))[1];
    await listsAndAnswers(here(cell('Base URL')), [cell(tool === 'Cline' ? 'Model ID' : 'Model')]);
  }
  const [settings] = under(page('docs/clients/README.md'), 'Open WebUI', 'sh');
  await listsAndAnswers(here(settings.match(/OPENAI_API_BASE_URL=(\S+)/)[1]), ['policy/sonnet']);
});

test('what the pages link by name is in the index for machines', () => {
  const index = readFileSync(join(root, 'docs/llms.txt'), 'utf8');
  for (const { path } of all.filter(({ path }) => path.startsWith('docs/'))) assert.ok(index.includes(`](${path.slice(5)})`), `${path} is not in docs/llms.txt`);
});
