// What an upstream does in a campaign: mostly it answers, often it does not, in every way that a server, a proxy or a
// network has of failing. A fault is a name and the steps (see tests/worker/upstream.mjs) with which it is played.
import { gzipSync } from 'node:zlib';
import { CUT, HANG_UP, LEAD, RESET, STALL, anthropicError, body, data, event, frames, json, openaiError, routeOf, sse, status, text } from '../worker/upstream.mjs';

const STREAMED = ['chat', 'completions', 'responses', 'messages'];

/** What a call is answered with: the words name the request and the attempt, so that an answer tells who made it. */
export function wordsOf(request, attempt, count) {
  return [...Array.from({ length: count }, (_, i) => `${request}.${attempt}.${i} `), `${request}.${attempt}.end`];
}

/** A call as its script sees it: the wire it came on, and the words to answer with. */
function scene(call, dice, request, attempt) {
  const route = routeOf(call.path);
  const streaming = call.streaming && STREAMED.includes(route);
  const words = wordsOf(request, attempt, dice.weighted([[6, 1], [6, 3], [3, 8], [1, 60]]));
  return { call, dice, route, streaming, words, frames: streaming ? frames(route, words, call.model) : null, body: answerBody(route, words, call.model, request, attempt) };
}

function answerBody(route, words, model, request, attempt) {
  const good = body(route, words.join(''), model);
  // A vector says who made it as well as a word does.
  return route === 'embeddings' ? { ...good, data: [{ object: 'embedding', index: 0, embedding: [request, attempt] }] } : good;
}

const good = (s) => (s.streaming ? sse(s.frames) : json(s.body));
const bytes = (s) => JSON.stringify(s.body);
const oops = (s, message, type, code) => (s.route === 'messages' ? anthropicError(message, type) : openaiError(message, type, code ?? null));
const fails = (code, message, type, errorCode, headers) => (s) => status(code, oops(s, `${message} ${s.leak}`, type, errorCode), headers?.(s));
const html = (code) => (s) => status(code, `<html><body>${code} ${s.leak}</body></html>`);
const raw = (head, ...rest) => [{ raw: `HTTP/1.1 ${head.join('\r\n')}\r\n\r\n` }, ...rest];
const whole = (text) => [{ raw: text }, HANG_UP];
/** A place in a stream, anywhere from before its first byte to before its last event. */
const place = (s) => s.dice.int(0, s.frames.length - 1);
const upTo = (s, at) => s.frames.slice(0, at);
const between = (s, what, at = place(s)) => [...s.frames.slice(0, at), what, ...s.frames.slice(at)];

/** Faults of any call: [weight, name, steps]. */
const ANY = [
  // Errors by their status.
  [3, '429', fails(429, 'Rate limit reached', 'rate_limit_error', 'rate_limit_exceeded')],
  [3, '429 retry-after', fails(429, 'Rate limit reached', 'rate_limit_error', null, (s) => s.dice.pick([{ 'retry-after': '0' }, { 'retry-after': '1' }, { 'retry-after-ms': '30' }, { 'retry-after': '86400' }, { 'retry-after': 'soon' }, { 'retry-after': '-1' }, { 'retry-after': new Date(Date.now() + 1000).toUTCString() }, { 'retry-after': '9'.repeat(400) }]))],
  [1, '429 quota', fails(429, 'You exceeded your current quota', 'insufficient_quota', 'insufficient_quota')],
  [1, '402', fails(402, 'Insufficient balance', 'unknown_error')],
  [2, '503', fails(503, 'Service unavailable', 'server_error')],
  [2, '529', fails(529, 'Overloaded', 'overloaded_error')],
  [2, '500', fails(500, 'Internal error', 'server_error')],
  [1, '502 HTML', html(502)],
  [1, '424', fails(424, 'An upstream failed with 500', 'server_error')],
  [1, '408', html(408)],
  [1, '504', html(504)],
  [1, '52x', (s) => html(s.dice.pick([520, 521, 522, 523, 524, 525, 526, 527, 530]))(s)],
  [1, '401', fails(401, 'Incorrect API key provided:', 'invalid_request_error', 'invalid_api_key')],
  [1, '403', fails(403, 'Region not supported', 'request_forbidden', 'unsupported_country_region_territory')],
  [1, '404', fails(404, 'The model does not exist', 'invalid_request_error', 'model_not_found')],
  [1, 'context length', fails(400, "This model's maximum context length is 8192 tokens", 'invalid_request_error', 'context_length_exceeded')],
  [1, 'content policy', fails(400, 'Your request was rejected', 'invalid_request_error', 'content_policy_violation')],
  [1, 'unsupported parameter', fails(400, "Unsupported parameter: 'temperature'", 'invalid_request_error', 'unsupported_parameter')],
  [1, '400', fails(400, 'messages must not be empty', 'invalid_request_error')],
  [1, 'other 4xx', (s) => fails(s.dice.pick([405, 409, 410, 418, 422, 431, 451, 499]), 'No', 'invalid_request_error')(s)],
  [1, 'an error without a body', (s) => [{ status: s.dice.pick([400, 429, 500, 503]), headers: {} }]],
  [1, 'an error whose body breaks off', (s) => raw([`${s.dice.pick([400, 429, 500])} No`, 'content-type: application/json', 'content-length: 500'], '{"error": {"message": "half', 20, CUT).map(asRaw)],
  [1, 'an error whose body never ends', (s) => [{ status: 500, headers: { 'content-type': 'application/json' } }, '{"error": {"message": "', STALL]],
  [0.3, 'an error of a megabyte', (s) => status(500, 'x'.repeat(1 << 20))],
  [1, 'a redirect', (s) => [{ status: s.dice.pick([301, 302, 303, 307, 308]), headers: { location: `http://127.0.0.1:1/${s.leak}` } }]],
  [1, '204 or 304', (s) => [{ status: s.dice.pick([204, 304]), headers: {} }]],
  [1, 'an unheard-of status', (s) => whole(`HTTP/1.1 ${s.dice.pick([299, 399, 599, 600, 999])} What\r\ncontent-length: 2\r\nconnection: close\r\n\r\n{}`)],
  // Connections.
  [2, 'reset before headers', () => [RESET]],
  [2, 'closed before headers', () => [CUT]],
  [1, 'reset later', (s) => [s.dice.int(1, 120), RESET]],
  [2, 'no headers', () => [STALL]],
  [1, 'half closed before headers', () => [HANG_UP]],
  [1, 'no HTTP at all', (s) => whole(s.dice.pick(['SSH-2.0-OpenSSH_9.2\r\n', '\x16\x03\x01\x02\x00\x01', 'HTTP/1.1\r\n\r\n', 'HTTP/1.1 2xx OK\r\n\r\n', 'HTTP/9.9 200 OK\r\n\r\n', '\n\n\n']))],
  [1, 'headers that break off', (s) => whole('HTTP/1.1 200 OK\r\ncontent-type: application/js')],
  [1, 'a header that is none', (s) => whole(`HTTP/1.1 200 OK\r\nno colon here\r\ncontent-length: 2\r\n\r\n{}`)],
  [0.5, 'a flood of headers', (s) => [{ status: s.dice.pick([200, 500]), headers: Object.fromEntries(Array.from({ length: s.dice.int(100, 900) }, (_, i) => [`x-flood-${i}`, 'y'.repeat(s.dice.int(1, 60))])) }, s.body]],
  [0.5, 'a header of a megabyte', (s) => whole(`HTTP/1.1 200 OK\r\nx-long: ${'y'.repeat(1 << 20)}\r\ncontent-length: 2\r\n\r\n{}`)],
  [1, '1xx, then the answer', (s) => [{ raw: 'HTTP/1.1 103 Early Hints\r\nlink: </a>; rel=preload\r\n\r\n' }, ...good(s)]],
  [1, '1xx, then nothing', (s) => [{ raw: `HTTP/1.1 ${s.dice.pick(['100 Continue', '102 Processing', '103 Early Hints'])}\r\n\r\n` }, s.dice.pick([CUT, STALL, RESET])]],
  [0.5, '101', () => whole('HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: upgrade\r\n\r\n')],
  [1, 'two lengths', (s) => whole(`HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 2\r\ncontent-length: 3\r\n\r\n{}`)],
  [1, 'a length that is none', () => whole('HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: many\r\n\r\n{}')],
  [1, 'a length that is too long', (s) => whole(`HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: ${bytes(s).length + 9}\r\n\r\n${bytes(s)}`)],
  [1, 'a length that is too short, and a second answer behind it', (s) => whole(`HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: ${bytes(s).length - 9}\r\n\r\n${bytes(s)}HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: ${bytes(s).length}\r\n\r\n${bytes(s)}`)],
  [1, 'a chunk that is none', (s) => whole(`HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n${bytes(s)}\r\n0\r\n\r\n`)],
  [0.5, 'gzip that is none', (s) => [{ status: 200, headers: { 'content-type': 'application/json', 'content-encoding': 'gzip' } }, 'this is no gzip']],
  [0.5, 'gzip that is one', (s) => [{ status: 200, headers: { 'content-type': s.streaming ? 'text/event-stream' : 'application/json', 'content-encoding': 'gzip' } }, gzipSync(s.streaming ? s.frames.join('') : bytes(s))]],
  // Answers that are none.
  [1, 'HTML with a 200', () => text('<!doctype html><html><body>Welcome to nginx!</body></html>')],
  [1, 'HTML called JSON', () => json('<html>oops</html>')],
  [1, 'nothing with a 200', () => json('')],
  [1, 'half a JSON', (s) => json(bytes(s).slice(0, s.dice.int(1, bytes(s).length - 1)))],
  [1, 'an error in a 200', (s) => json(oops(s, `The engine is overloaded ${s.leak}`, s.dice.pick(['server_error', 'rate_limit_error', 'overloaded_error', 'invalid_request_error']), s.dice.pick(['server_is_overloaded', 'rate_limit_exceeded', null])))],
  [1, 'another shape', (s) => json(s.dice.pick(['null', '[]', '0', '"text"', '{}', '{"choices": []}', '{"choices": null}', '{"choices": [{}]}', '{"content": []}', '{"output": []}', '{"choices": [{"message": null, "finish_reason": "stop"}]}']))],
  [1, 'bytes that are no UTF-8', (s) => json(Buffer.concat([Buffer.from('{"choices": "'), Buffer.from([0xff, 0xfe, 0xc3, 0x28]), Buffer.from('"}')]))],
  [0.5, 'a depth of 20,000', () => json('['.repeat(20000))],
  [1, 'JSON called text', (s) => text(bytes(s), s.dice.pick(['text/plain', 'application/octet-stream', 'text/event-stream', 'image/png', 'garbage/;;;']))],
  [1, 'an answer without a type', (s) => whole(`HTTP/1.1 200 OK\r\ncontent-length: ${bytes(s).length}\r\nconnection: close\r\n\r\n${bytes(s)}`)],
  [1, 'an answer in pieces', (s) => [{ status: 200, headers: { 'content-type': 'application/json' } }, ...bytes(s).match(/.{1,40}/gs).flatMap((piece) => [piece, 1])]],
  [1, 'an answer that breaks off', (s) => [{ status: 200, headers: { 'content-type': 'application/json' } }, bytes(s).slice(0, -20), s.dice.pick([CUT, RESET])]],
  [1, 'an answer that never ends', (s) => [{ status: 200, headers: { 'content-type': 'application/json' } }, bytes(s).slice(0, -20), STALL]],
  [0.02, 'an answer of 50 MB', (s) => [{ status: 200, headers: { 'content-type': 'application/json' } }, ...Array.from({ length: 50 }, () => ' '.repeat(1 << 20)), s.body]],
  [0.2, 'a length of a terabyte', () => whole('HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 1099511627776\r\n\r\n{}')],
];

/** Faults of streams alone. */
const STREAMS = [
  [3, 'cut', (s) => sse(upTo(s, place(s)), CUT)],
  [2, 'reset', (s) => sse(upTo(s, place(s)), RESET)],
  [3, 'ended early', (s) => sse(upTo(s, place(s)))],
  [3, 'stalled', (s) => sse(upTo(s, place(s)), STALL)],
  [1, 'half closed', (s) => [{ raw: `HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n${upTo(s, place(s)).join('')}` }, HANG_UP]],
  [1, 'cut inside an event', (s) => sse(upTo(s, place(s)), s.frames.at(-1).slice(0, 9), CUT)],
  [1, 'cut inside a chunk', (s) => [{ raw: `HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\nfff\r\n${upTo(s, place(s)).join('')}` }, HANG_UP]],
  [3, 'an error first', (s) => sse(errorEvent(s))],
  [2, 'an error after a while', (s) => sse(upTo(s, place(s)), errorEvent(s, ''))],
  [1, 'an error, then more', (s) => sse(upTo(s, LEAD[s.route] + 1), errorEvent(s, ''), s.frames.slice(LEAD[s.route] + 1))],
  [2, 'garbage between', (s) => sse(between(s, s.dice.pick(['data: {"broken\n\n', 'data: \x00\x01\n\n', 'data: [1,2\n\n', 'data: null\n\n', 'data: <html>\n\n'])))],
  [1, 'lines that mean nothing', (s) => sse(s.frames.flatMap((frame) => [s.dice.pick([': ping\n\n', ':\n\n', 'id: 7\n\n', 'retry: 10\n\n', '\n\n', 'unknown: x\n\n']), frame]))],
  [1, 'CRLF and a byte order mark', (s) => sse('\ufeff', s.frames.map((frame) => frame.replaceAll('\n', '\r\n')))],
  [1, 'byte by byte', (s) => sse(s.frames.slice(0, 8).join('').split('').concat(s.frames.slice(8)))],
  [2, 'a slow trickle', (s) => sse(s.frames.flatMap((frame) => [s.dice.int(1, 60), frame]))],
  [1, 'pings, no content', (s) => sse(upTo(s, Math.min(1, LEAD[s.route])), ...Array.from({ length: 40 }, () => [': ping\n\n', 40]).flat(), STALL)],
  [2, 'no last event', (s) => sse(s.frames.slice(0, -1))],
  [1, 'the last event twice', (s) => sse(s.frames, s.frames.at(-1))],
  [1, 'more after the end', (s) => sse(s.frames, ': bye\n\n', s.dice.pick([STALL, CUT, 300]))],
  [1, 'no content at all', (s) => sse(upTo(s, LEAD[s.route]), s.frames.slice(-2))],
  [1, 'a stream called JSON', (s) => json(s.frames.join(''))],
  [1, 'JSON where a stream was asked for', (s) => json(s.body)],
  [1, 'HTML where a stream was asked for', () => text('<html>hello</html>', 'text/event-stream')],
  [0.2, 'a comment of a megabyte', (s) => sse(upTo(s, 1), `: ${'x'.repeat(1 << 20)}\n\n`, s.frames.slice(1))],
  [0.05, 'an event of 17 MB', (s) => sse('data: ', ...Array.from({ length: 17 }, () => 'x'.repeat(1 << 20)), '\n\n', s.frames)],
  [0.3, 'words faster than they can be watched', (s) => sse(frames(s.route, wordsOf(s.request, s.attempt, 60).map((word) => word + 'x'.repeat(40_000)), s.call.model))],
  [0.3, 'many words', (s) => sse(frames(s.route, wordsOf(s.request, s.attempt, 3000), s.call.model))],
];

const asRaw = (step) => (typeof step === 'string' ? { raw: step } : step);

/** An error as an event. After the commit such an event is passed on as it is: nothing secret is put in it then. */
function errorEvent(s, leak = s.leak) {
  const message = `The server is overloaded ${leak}`;
  switch (s.route) {
    case 'messages':
      return event('error', anthropicError(message, s.dice.pick(['overloaded_error', 'api_error', 'rate_limit_error'])));
    case 'responses':
      return s.dice.chance(0.5)
        ? event('error', { type: 'error', code: 'server_error', message, param: null, sequence_number: 99 })
        : event('response.failed', { type: 'response.failed', sequence_number: 99, response: { ...s.body, status: 'failed', error: { code: 'server_error', message }, output: [] } });
    default:
      return data(openaiError(message, 'server_error', s.dice.pick(['server_is_overloaded', null])));
  }
}

/** How well a target is: the share of its calls that it answers. */
const HEALTH = { fine: 1, soak: 0.99, well: 0.9, shaky: 0.5, sick: 0.05 };

/**
 * Draws what one call is answered with. `leak` is a planted secret: whatever an upstream says in an error may hold it.
 * With `turn` it is no draw but the fault of that turn. Answers the fault's name (`ok` for none) and its steps.
 */
export function play(call, dice, { request, attempt, leak, health, turn }) {
  const s = { ...scene(call, dice, request, attempt), leak, request, attempt };
  const wait = dice.weighted([[12, 0], [4, dice.int(1, 40)], [1, dice.int(100, 400)]]);
  const pause = wait > 0 ? [wait] : [];
  const faults = (s.streaming ? [...ANY, ...STREAMS, ...STREAMS] : ANY).map(([weight, ...fault]) => [weight, fault]);
  if (turn === undefined && dice.chance(HEALTH[health])) return { name: 'ok', steps: [...pause, ...good(s)] };
  const [name, steps] = turn === undefined ? dice.weighted(faults) : faults[turn % faults.length][1];
  return { name, steps: [...pause, ...steps(s)] };
}

/** Streams that are not in good form themselves: handed on natively, they need not be so at the client either. */
export const UNTIDY = new Set(['an error after a while', 'an error, then more', 'garbage between', 'the last event twice', 'more after the end', 'no content at all', 'cut inside an event', 'JSON called text', 'HTML where a stream was asked for', 'an event of 17 MB', 'bytes that are no UTF-8', 'another shape', 'an answer without a type', 'a stream called JSON']);

/** Every fault there is, by name. */
export const FAULTS = [...ANY, ...STREAMS].map(([, name]) => name);
