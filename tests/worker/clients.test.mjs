// Every program of docs/clients as it stands, through chains whose first target fails: on policy/demo, which needs no
// key, and on a policy whose second target is a scripted model that calls tools and fills in schemas.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { promisify } from 'node:util';
import { assistant } from './assistant.mjs';
import { javascriptClients, frameworks as pythonFrameworks, sdks as pythonSdks } from './packages.mjs';
import { rig } from './rig.mjs';
import { status } from './upstream.mjs';
import { root } from './worker.mjs';

const { worker, upstream } = await rig();
await worker.put('policy:demo', { chain: ['sim/overloaded', 'sim/echo'] });
// Without a breaker, each request meets the target that is down.
await worker.put('policy:able', { chain: ['acme/down', 'other/able'], breaker: null });
await worker.put('policy:vectors', { chain: ['acme/vectors', 'other/vectors'], breaker: null });
for (const target of ['acme/down', 'acme/vectors']) upstream.on(target, status(503));
for (const target of ['other/able', 'other/vectors']) upstream.on(target, assistant);

const [PLAIN, STREAM, TOOL, OBJECT, EMBEDDING] = [/^Hello/, /\nHello\n|"Hello"|\nHello$/, /^tool: .*Lisbon/m, /^object: Lisbon/m, /^embedding of [1-9]\d* numbers/m];

/** What each program says: on policy/demo, and what more on a model that is able. */
const PROGRAMS = {
  'openai.mjs': [[PLAIN, /answered by sim\/echo/, STREAM, EMBEDDING], [TOOL, OBJECT]],
  'anthropic.mjs': [[PLAIN, STREAM], [TOOL]],
  'vercel-ai.mjs': [[PLAIN, /answered by sim\/echo/, STREAM, EMBEDDING], [TOOL, /^sunny$/m, OBJECT]],
  'langchain.mjs': [[PLAIN, STREAM, EMBEDDING], [TOOL, OBJECT]],
  'with_axios.mjs': [[PLAIN, /answered by sim\/echo/, /"Hello"[\s\S]*\[DONE\]/], []],
  'curl.sh': [[/"Hello"[\s\S]*\[DONE\][\s\S]*"embedding"/], []],
  'openai_sdk.py': [[PLAIN, /answered by sim\/echo/, STREAM, EMBEDDING], []],
  'anthropic_sdk.py': [[PLAIN, STREAM], []],
  'with_requests.py': [[PLAIN, /answered by sim\/echo/, /"Hello"[\s\S]*\[DONE\]/], []],
  'langchain_openai_chat.py': [[PLAIN, STREAM, EMBEDDING], [TOOL, OBJECT]],
  'llamaindex_chat.py': [[PLAIN, STREAM, EMBEDDING], [TOOL]],
  'pydantic_ai_agent.py': [[PLAIN], [TOOL, OBJECT]],
  'haystack_generator.py': [[PLAIN, STREAM, EMBEDDING], []],
  'instructor_object.py': [null, [OBJECT]],
};

const sdks = pythonSdks();
const frameworks = pythonFrameworks();
const OF_THE_SDKS = ['openai_sdk.py', 'anthropic_sdk.py'];

const able = { UNDERSTUDY_MODEL: 'policy/able', UNDERSTUDY_EMBEDDINGS: 'policy/vectors' };
/** How a program is run; the packages of the others do not matter to it. */
function commandOf(name) {
  if (name.endsWith('.mjs')) return [process.execPath, javascriptClients()];
  if (name.endsWith('.sh')) return ['sh', join(root, 'docs/clients')];
  return [(OF_THE_SDKS.includes(name) ? sdks : frameworks).python, join(root, 'docs/clients')];
}

async function run(name, more = {}) {
  const [program, folder] = commandOf(name);
  // Nobody else is asked: a package that looks something up elsewhere fails here.
  const nowhere = 'http://127.0.0.1:9';
  const quiet = { HTTPS_PROXY: nowhere, https_proxy: nowhere, HAYSTACK_TELEMETRY_ENABLED: 'False', LANGSMITH_TRACING: 'false', AI_SDK_LOG_WARNINGS: 'false', PYTHONDONTWRITEBYTECODE: '1' };
  const env = { ...process.env, ...quiet, UNDERSTUDY_URL: worker.url, UNDERSTUDY_KEY: 'none', ...more };
  const { stdout } = await promisify(execFile)(program, [join(folder, name)], { env, timeout: 120_000 });
  return stdout;
}

for (const [name, [plain, more]] of Object.entries(PROGRAMS)) {
  const skip = name.endsWith('.py') && sdks.skip;
  test(`docs/clients/${name}`, { skip }, async () => {
    if (plain) {
      const text = await run(name);
      for (const said of plain) assert.match(text, said);
    }
    const before = upstream.calls('acme/down').length;
    const text = await run(name, able);
    for (const said of more) assert.match(text, said);
    if (more.length) assert.ok(upstream.calls('acme/down').length > before, 'the first target was tried');
  });
}

test('every program of docs/clients is run, and all kinds of calls are among them', () => {
  const files = readdirSync(join(root, 'docs/clients')).filter((name) => !name.endsWith('.md'));
  assert.deepEqual(files.toSorted(), Object.keys(PROGRAMS).toSorted());
  const kinds = Object.values(PROGRAMS).flatMap(([plain, more]) => [...(plain ?? []), ...more]);
  for (const kind of [STREAM, TOOL, OBJECT, EMBEDDING]) assert.ok(kinds.filter((one) => one === kind).length >= 3, String(kind));
});
