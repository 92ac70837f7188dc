// A scripted upstream over real HTTP: each test says what a target answers, byte by byte and wait by wait, and reads
// afterwards what reached it, when, and whether the connection was closed on it.
//
//   const upstream = await startUpstream();
//   upstream.on('acme/m1', status(429, {}, { 'retry-after': '2' }), answer('Hello'));   // first call, then every later one
//   ... the Worker calls `${upstream.url}/acme/v1/chat/completions` with model m1 ...
//   upstream.calls('acme/m1')[0].headers
//
// A behaviour is a list of steps: {status, headers} first, then what to write (string, Buffer, or object as JSON), a
// number of milliseconds to wait, or CUT, RESET, STALL. {raw} goes to the socket as it is, for what no HTTP server would
// say; HANG_UP follows where that was the whole answer. Or a function of the call that answers such a list.
import { createServer } from 'node:http';
import { crc32 } from 'node:zlib';

/** Ends the connection in the middle of the body: the length or the last chunk never comes. */
export const CUT = Symbol('cut');
/** Ends the connection with RST. */
export const RESET = Symbol('reset');
/** Sends nothing more and waits until the other side closes. */
export const STALL = Symbol('stall');
/** Says that nothing more will come (FIN) and goes on listening: half of the connection is closed. */
export const HANG_UP = Symbol('hang up');

/** `otherwise` answers for every target that no test has scripted; `keep` says whether calls are logged. */
export async function startUpstream({ otherwise = (call) => answer('Hello from ' + call.target)(call), keep = true } = {}) {
  const scripts = new Map();
  const log = [];
  const counts = new Map();
  const state = { scripts, counts, otherwise, log: keep ? log : { push() {} } };
  const server = createServer((request, response) => serve(request, response, state));
  // Longer than any test: a connection must not be closed in the moment it is used again.
  server.keepAliveTimeout = 600_000;
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  const url = `http://127.0.0.1:${server.address().port}`;
  return {
    url,
    log,
    /** What a target answers: the behaviours in order, the last one from then on. */
    on: (target, ...behaviours) => scripts.set(target, behaviours),
    /** Every call that reached a target, in order. */
    calls: (target) => log.filter((call) => call.target === target),
    /** A KV document `provider:<name>` that leads here. */
    provider: (name, more = {}) => ({ base_url: `${url}/${name}/v1`, dialect: 'openai', auth: { header: 'authorization', scheme: 'Bearer', secret: 'ACME_API_KEY' }, ...more }),
    close: () => new Promise((resolve) => (server.close(resolve), server.closeAllConnections())),
  };
}

async function serve(request, response, { scripts, counts, otherwise, log }) {
  const at = performance.now();
  const started = Date.now();
  const chunks = [];
  const [, provider, ...path] = request.url.split('/');
  const call = { at, started, provider, path: `/${path.join('/')}`, method: request.method, headers: request.headers, rawHeaders: request.rawHeaders, closedEarly: false, finished: false };
  call.ended = new Promise((resolve) => {
    response.on('close', () => {
      call.closedEarly = !response.writableFinished && !call.brokenOff;
      call.finished = response.writableFinished;
      call.openMs = performance.now() - at;
      resolve(call);
    });
  });
  try {
    for await (const chunk of request) chunks.push(chunk);
  } catch {
    return; // The other side went away before its request was complete.
  }
  call.raw = Buffer.concat(chunks);
  call.body = call.raw.toString();
  call.json = parsed(call.body);
  call.model = call.json?.model ?? call.body.match(/name="model"\r\n\r\n([^\r]*)/)?.[1];
  call.target = `${provider}/${call.model}`;
  call.streaming = call.json?.stream === true;
  const before = counts.get(call.target) ?? 0;
  counts.set(call.target, before + 1);
  log.push(call);
  const behaviours = scripts.get(call.target) ?? [otherwise];
  const behaviour = behaviours[Math.min(before, behaviours.length - 1)];
  await perform(typeof behaviour === 'function' ? await behaviour(call) : behaviour, call, response);
}

async function perform(steps, call, response) {
  for (const step of steps) {
    if (response.destroyed) return;
    if (typeof step === 'number') await wait(step, response);
    else if (step === STALL) return void (await call.ended);
    else if (step === CUT || step === RESET) {
      call.brokenOff = true;
      // What was written must have left before the connection breaks.
      if (response.headersSent) await wait(30, response);
      return step === RESET ? response.socket.resetAndDestroy() : response.socket.destroy();
    } else if (step === HANG_UP) return void response.socket.end();
    else if (step.raw !== undefined) response.socket.write(step.raw);
    else if (step.status !== undefined && step.headers !== undefined) {
      response.writeHead(step.status, step.headers);
      response.flushHeaders();
    } else response.write(typeof step === 'string' || Buffer.isBuffer(step) ? step : JSON.stringify(step));
  }
  response.end();
}

function wait(ms, response) {
  return new Promise((resolve) => {
    const end = () => (clearTimeout(timer), response.off('close', end), resolve());
    const timer = setTimeout(end, ms);
    response.once('close', end);
  });
}

function parsed(text) {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

// ---- behaviours --------------------------------------------------------------------------------------------------

const JSON_TYPE = { 'content-type': 'application/json' };
const SSE_TYPE = { 'content-type': 'text/event-stream; charset=utf-8', 'cache-control': 'no-cache' };

/** An error status. A string body goes as HTML, an object as JSON; none is an OpenAI-shaped error. */
export function status(code, body, headers = {}) {
  const sent = body ?? openaiError(`upstream says ${code}`, 'some_type', null);
  const type = typeof sent === 'string' ? { 'content-type': 'text/html' } : JSON_TYPE;
  return [{ status: code, headers: { ...type, ...headers } }, sent];
}

export const openaiError = (message, type, code) => ({ error: { message, type, param: null, code } });
export const anthropicError = (message, type) => ({ type: 'error', error: { type, message } });

/** A 200 with any JSON, text or bytes. */
export const json = (body, headers = {}) => [{ status: 200, headers: { ...JSON_TYPE, ...headers } }, body];
export const text = (body, type = 'text/html', headers = {}) => [{ status: 200, headers: { 'content-type': type, ...headers } }, body];

/** A 200 event stream of the given steps. */
export const sse = (...steps) => [{ status: 200, headers: SSE_TYPE }, ...steps.flat()];

export const data = (value) => `data: ${typeof value === 'string' ? value : JSON.stringify(value)}\n\n`;
export const event = (name, value) => `event: ${name}\ndata: ${JSON.stringify(value)}\n\n`;

/** A frame of application/vnd.amazon.eventstream: an event, or with `what` `exception` a failure. */
export function frame(type, payload, what = 'event') {
  const header = (name, value) => Buffer.concat([Buffer.from([name.length]), Buffer.from(name), Buffer.from([7, 0, value.length]), Buffer.from(value)]);
  const headers = Buffer.concat([header(':message-type', what), header(`:${what}-type`, type), header(':content-type', 'application/json')]);
  const data = Buffer.from(JSON.stringify(payload));
  const all = Buffer.alloc(12 + headers.length + data.length + 4);
  all.writeUInt32BE(all.length, 0);
  all.writeUInt32BE(headers.length, 4);
  all.writeUInt32BE(crc32(all.subarray(0, 8)), 8);
  headers.copy(all, 12);
  data.copy(all, 12 + headers.length);
  all.writeUInt32BE(crc32(all.subarray(0, all.length - 4)), all.length - 4);
  return all;
}

/** The plain good answer of whichever route was called, as JSON or as a stream: `words` become its deltas. */
export function answer(words = 'Hello', more = {}) {
  return (call) => {
    const route = routeOf(call.path);
    const list = Array.isArray(words) ? words : [words];
    return call.streaming ? sse(frames(route, list, call.model, more)) : json(body(route, list.join(''), call.model, more), more.headers);
  };
}

export const routeOf = (path) =>
  path.endsWith('/chat/completions') ? 'chat'
  : path.endsWith('/completions') ? 'completions'
  : path.endsWith('/responses') ? 'responses'
  : path.endsWith('/messages') ? 'messages'
  : path.endsWith('/embeddings') ? 'embeddings'
  : path.slice(4);

/** The JSON body of a good answer. */
export function body(route, said, model = 'm', { finish, usage = { input: 9, output: 3 } } = {}) {
  const openai = { prompt_tokens: usage.input, completion_tokens: usage.output, total_tokens: usage.input + usage.output };
  switch (route) {
    case 'chat':
      return { id: 'chatcmpl-1', object: 'chat.completion', created: 1, model, choices: [{ index: 0, message: { role: 'assistant', content: said, refusal: null }, logprobs: null, finish_reason: finish ?? 'stop' }], usage: openai };
    case 'completions':
      return { id: 'cmpl-1', object: 'text_completion', created: 1, model, choices: [{ index: 0, text: said, logprobs: null, finish_reason: finish ?? 'stop' }], usage: openai };
    case 'responses':
      return response(said, model, usage, 'completed');
    case 'messages':
      return { id: 'msg_1', type: 'message', role: 'assistant', model, content: [{ type: 'text', text: said }], stop_reason: finish ?? 'end_turn', stop_sequence: null, usage: { input_tokens: usage.input, output_tokens: usage.output } };
    case 'embeddings':
      return { object: 'list', data: [{ object: 'embedding', index: 0, embedding: [0.25, -0.5] }], model, usage: { prompt_tokens: usage.input, total_tokens: usage.input } };
    case 'moderations':
      return { id: 'modr-1', model, results: [{ flagged: false, categories: {}, category_scores: {} }] };
    case 'images/generations':
    case 'images/edits':
      return { created: 1, data: [{ b64_json: 'AAAA' }] };
    case 'audio/transcriptions':
      return { text: said };
    case 'messages/count_tokens':
      return { input_tokens: 14 };
    default:
      return { ok: true, said };
  }
}

function response(said, model, usage, status, id = 'resp_1') {
  const done = status === 'completed';
  return {
    id, object: 'response', created_at: 1, status, model, error: null, incomplete_details: null, instructions: null, metadata: {}, parallel_tool_calls: true, temperature: 1, tool_choice: 'auto', tools: [], top_p: 1,
    output: done ? [{ id: 'msg_1', type: 'message', status: 'completed', role: 'assistant', content: [{ type: 'output_text', text: said, annotations: [] }] }] : [],
    usage: done ? { input_tokens: usage.input, input_tokens_details: { cached_tokens: 0 }, output_tokens: usage.output, output_tokens_details: { reasoning_tokens: 0 }, total_tokens: usage.input + usage.output } : null,
  };
}

/** The frames of a good stream, one string each, so that a test can cut it, or put something between. */
export function frames(route, words, model = 'm', { finish, usage = { input: 9, output: 3 }, done = true } = {}) {
  switch (route) {
    case 'chat': {
      const chunk = (delta, finish_reason = null) => data({ id: 'chatcmpl-1', object: 'chat.completion.chunk', created: 1, model, choices: [{ index: 0, delta, logprobs: null, finish_reason }] });
      return [chunk({ role: 'assistant', content: '' }), ...words.map((word) => chunk({ content: word })), chunk({}, finish ?? 'stop'), ...(done ? [data('[DONE]')] : [])];
    }
    case 'completions': {
      const chunk = (text, finish_reason = null) => data({ id: 'cmpl-1', object: 'text_completion', created: 1, model, choices: [{ index: 0, text, logprobs: null, finish_reason }] });
      return [...words.map((word) => chunk(word)), chunk('', finish ?? 'stop'), ...(done ? [data('[DONE]')] : [])];
    }
    case 'responses': {
      let sequence_number = 0;
      const item = { item_id: 'msg_1', output_index: 0, content_index: 0 };
      const numbered = (type, more) => event(type, { type, sequence_number: sequence_number++, ...more });
      const said = words.join('');
      return [
        numbered('response.created', { response: response('', model, usage, 'in_progress') }),
        numbered('response.output_item.added', { output_index: 0, item: { id: 'msg_1', type: 'message', status: 'in_progress', role: 'assistant', content: [] } }),
        numbered('response.content_part.added', { ...item, part: { type: 'output_text', text: '', annotations: [] } }),
        ...words.map((delta) => numbered('response.output_text.delta', { ...item, delta, logprobs: [] })),
        numbered('response.output_text.done', { ...item, text: said, logprobs: [] }),
        numbered('response.content_part.done', { ...item, part: { type: 'output_text', text: said, annotations: [] } }),
        numbered('response.output_item.done', { output_index: 0, item: response(said, model, usage, 'completed').output[0] }),
        ...(done ? [numbered('response.completed', { response: response(said, model, usage, 'completed') })] : []),
      ];
    }
    case 'messages': {
      const typed = (type, more = {}) => event(type, { type, ...more });
      return [
        typed('message_start', { message: { id: 'msg_1', type: 'message', role: 'assistant', model, content: [], stop_reason: null, stop_sequence: null, usage: { input_tokens: usage.input, output_tokens: 1 } } }),
        typed('content_block_start', { index: 0, content_block: { type: 'text', text: '' } }),
        typed('ping'),
        ...words.map((word) => typed('content_block_delta', { index: 0, delta: { type: 'text_delta', text: word } })),
        typed('content_block_stop', { index: 0 }),
        typed('message_delta', { delta: { stop_reason: finish ?? 'end_turn', stop_sequence: null }, usage: { output_tokens: usage.output } }),
        ...(done ? [typed('message_stop')] : []),
      ];
    }
    default:
      throw new Error(`no stream on ${route}`);
  }
}

/** How many of a route's frames come before its first content. */
export const LEAD = { chat: 1, completions: 0, responses: 3, messages: 3 };
