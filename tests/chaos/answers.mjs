// Is one answer, as a client got it, in good form: one whole answer, or one error, in the dialect of its route; said by one
// target alone; and finished only where it is whole?
import { UNTIDY } from './faults.mjs';

/**
 * What a client's answer says of itself, and what is wrong with it.
 *
 * `calls` are the upstream's records of the request, by attempt. Answers `{kind, by, problems}`: kind is `answer` (finished),
 * `broken` (it says so itself), `error`, or `none`; by is the attempt that said the words.
 */
export function examine(planned, got, calls, version) {
  const found = { kind: 'none', by: null, problems: [] };
  const problem = (text) => found.problems.push(text);
  if (got.status === null) return found;
  headers(got, problem);
  if (got.status >= 400) return { ...found, ...errorAnswer(planned, got, problem) };
  if (got.status > 299) problem(`status ${got.status}`);
  const streamed = /^text\/event-stream/.test(got.headers['content-type'] ?? '');
  const read = planned.stream && streamed ? readStream(planned.route, got.text) : readJson(planned.route, got.text);
  const words = read.said.match(/\d+\.\d+\.(?:\d+|end)/g) ?? [];
  const by = speakers(planned, words, problem);
  const native = isNative(planned, calls, by);
  const served = got.headers['x-understudy-model'];
  const faulty = by === null ? calls.filter((call) => call.target === served) : calls.slice(by, by + 1);
  const untidy = faulty.some((call) => UNTIDY.has(call.fault));
  // Handed on without a look, whatever it is: every answer of a route that is only watched, and any at its 200 where the policy says so.
  const unread = !(planned.stream && streamed) && (planned.route === 'embeddings' || (native && version?.policy.stream?.commit === 'headers')) && faulty.some((call) => call.fault !== 'ok');
  const excused = unread || (native && untidy);
  if (read.bare && !native) problem('an error event that the Python SDK does not raise on');
  if (!excused && got.came === 'whole') read.problems.forEach(problem);
  const finished = got.came === 'whole' && read.finished && !read.failed;
  const empty = finished && planned.stream && streamed && words.length === 0;
  if (empty && native && version?.policy.stream?.relay === 'inspect') problem('a truncated answer looks finished: it is empty, and its end was to be withheld');
  if (finished && !excused && words.at(-1)?.endsWith('.end') !== true) problem(`a truncated answer looks finished: "${read.said.slice(-60)}"`);
  if (got.came === 'whole' && planned.stream && streamed && !read.finished && !read.failed && !excused) problem('a stream that neither ends nor says that it broke');
  return { ...found, kind: finished ? 'answer' : 'broken', by, native, empty, untidy: untidy || unread };
}

/** The words are of one attempt, in order and without a gap. */
function speakers(planned, words, problem) {
  const parts = words.map((word) => word.split('.'));
  const by = parts.length ? Number(parts[0][1]) : null;
  parts.forEach(([request, attempt, place], i) => {
    if (Number(request) !== planned.n) problem(`words of request ${request}`);
    if (Number(attempt) !== by) problem(`words of attempts ${by} and ${attempt} in one answer`);
    if (place !== 'end' && Number(place) !== i) problem(`word ${place} at place ${i}`);
  });
  return by;
}

/** Were the bytes handed on as they came? Then the upstream's own untidiness is the client's. */
function isNative(planned, calls, by) {
  const routes = by === null ? calls.map((call) => call?.route) : [calls[by]?.route];
  return routes.some((route) => route === planned.route);
}

function headers({ headers, status }, problem) {
  const trail = headers['x-understudy-trail'];
  for (const name of ['x-understudy-request-id', 'x-request-id']) if (!headers[name] && !(status < 300 && headers['request-id'])) problem(`no ${name}`);
  if (headers['set-cookie']) problem('a cookie');
  const retryAfter = headers['retry-after'];
  if (retryAfter !== undefined && !(/^\d+$/.test(retryAfter) && Number(retryAfter) <= 60)) problem(`retry-after: ${retryAfter}`);
  if (trail === undefined) return;
  if (trail.length > 4096) problem(`a trail of ${trail.length} bytes`);
  const entries = trail.split(', ').filter(Boolean);
  const calls = entries.filter((entry) => !entry.includes('=skip:'));
  if (!trail.includes('...') && Number(headers['x-understudy-attempts']) !== calls.length) problem(`${headers['x-understudy-attempts']} attempts, but the trail has ${calls.length}`);
  for (const entry of entries) if (entry !== '...' && !/^[A-Za-z0-9._~:/@%-]+=(?:skip:[A-Za-z0-9._~:/@%-]+|[a-z_]+;(?:\d{3}|-);\d+ms)$/.test(entry)) problem(`a trail entry "${entry}"`);
  if ((status < 300) !== (headers['x-understudy-model'] !== undefined)) problem(`status ${status}, x-understudy-model ${headers['x-understudy-model']}`);
  if (status >= 400 && calls.length > 1 && headers['x-should-retry'] !== 'false') problem('SDKs would multiply the retries');
}

function errorAnswer(planned, got, problem) {
  const value = parsed(got.text);
  const { error } = value ?? {};
  if (got.came === 'whole') {
    if (typeof error?.message !== 'string' || typeof error?.type !== 'string') problem(`no error of the API: ${got.text.slice(0, 200)}`);
    if (planned.route === 'messages' && value?.type !== 'error') problem(`no error of Anthropic's API: ${got.text.slice(0, 200)}`);
  }
  return { kind: 'error', code: error?.code ?? null, message: error?.message };
}

function parsed(text) {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

// ---- whole answers ------------------------------------------------------------------------------------------------

const TEXT_OF = {
  chat: (value) => value.object === 'chat.completion' && value.choices?.map((choice) => choice.message.content).join(''),
  completions: (value) => value.object === 'text_completion' && value.choices?.map((choice) => choice.text).join(''),
  responses: (value) => value.object === 'response' && value.output?.flatMap((item) => (item.content ?? []).map((part) => part.text)).join(''),
  messages: (value) => value.type === 'message' && value.role === 'assistant' && value.content?.map((part) => part.text).join(''),
  embeddings: (value) => value.object === 'list' && value.data?.map(({ embedding: [request, attempt] }) => `${request}.${attempt}.end`).join(''),
};

function readJson(route, text) {
  const value = parsed(text);
  let said;
  try {
    said = TEXT_OF[route](value);
  } catch {
    said = undefined;
  }
  const good = typeof said === 'string';
  return { said: good ? said : '', finished: value !== undefined && (value?.error ?? null) === null, failed: false, problems: good ? [] : [`no ${route} answer: ${text.slice(0, 200)}`] };
}

// ---- streams ------------------------------------------------------------------------------------------------------

function readStream(route, text) {
  const state = { said: '', finished: false, failed: false, problems: [], seen: 0, torn: '' };
  for (const block of text.replace(/^\ufeff/, '').replaceAll('\r\n', '\n').split('\n\n')) {
    const lines = block.split('\n');
    const data = lines.filter((line) => line.startsWith('data:')).map((line) => line.slice(5).trimStart()).join('\n');
    if (!data) continue;
    if (state.finished || state.failed) state.problems.push(`more after the end: ${data.slice(0, 80)}`);
    const name = lines.find((line) => line.startsWith('event:'))?.slice(6).trim() ?? '';
    // Bytes go on as they come: an event may be torn where the stream broke off, and nothing but the error comes after it.
    const value = data === '[DONE]' ? null : parsed(data);
    if (value === undefined && !state.torn) {
      state.torn = data;
      continue;
    }
    if (data === '[DONE]') state.finished = true;
    else event(route, name, value, state, data);
    if (state.torn && !state.failed) break;
    state.seen++;
  }
  if (state.torn && !state.failed) state.problems.push(`an event that is no JSON: ${state.torn.slice(0, 80)}`);
  return state;
}

function event(route, name, value, state, data) {
  if (value === undefined || value === null) return void state.problems.push(`an event that is no JSON: ${data.slice(0, 80)}`);
  if (value.error && value.type !== 'response.failed' && (name === 'error' || value.choices === undefined)) return fails(route, name, value, state);
  switch (route) {
    case 'messages':
      if (name !== value.type) state.problems.push(`event ${name} of type ${value.type}`);
      if ((state.seen === 0) !== (value.type === 'message_start')) state.problems.push(`${value.type} at place ${state.seen}`);
      if (value.type === 'content_block_delta') state.said += value.delta.text ?? '';
      if (value.type === 'message_stop') state.finished = true;
      return;
    case 'responses':
      if (typeof value.sequence_number !== 'number') state.problems.push(`${value.type} without a sequence number`);
      if (value.type === 'response.output_text.delta') state.said += value.delta;
      if (value.type === 'response.completed' || value.type === 'response.incomplete') {
        state.finished = true;
        // The last event repeats all of it, or says it for the first time.
        if (state.said === '') state.said = TEXT_OF.responses(value.response ?? {}) || '';
      }
      // An error event as OpenAI sends it has no `error` object; one that is written here has.
      if (value.type === 'error') state.bare = true;
      if (value.type === 'response.failed' || value.type === 'error') state.failed = true;
      return;
    default:
      if (!Array.isArray(value.choices)) state.problems.push(`a chunk without choices: ${data.slice(0, 80)}`);
      else state.said += value.choices.map((choice) => choice.delta?.content ?? choice.text ?? '').join('');
  }
}

/** The stream says that it broke, in its dialect's words. */
function fails(route, name, value, state) {
  state.failed = true;
  if (typeof value.error.message !== 'string') state.problems.push('an error event without a message');
  if (route === 'messages' && (name !== 'error' || value.type !== 'error' || typeof value.error.type !== 'string')) state.problems.push('no error event of Anthropic\'s API');
  if (route === 'responses' && (name !== 'error' || value.type !== 'error' || typeof value.message !== 'string' || typeof value.sequence_number !== 'number')) state.problems.push('no error event of the Responses API');
  if (!['messages', 'responses'].includes(route) && (name !== '' || !('code' in value.error))) state.problems.push('no error event of the Chat API');
}
