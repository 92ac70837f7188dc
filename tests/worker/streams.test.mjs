// Streams: what fails before the commit point goes to the next target, what fails after it ends in an error event and
// never looks finished. Each clock closes the upstream. Each commit mode, each dialect.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { QUICK, outcomes, rig, servedBy } from './rig.mjs';
import { CUT, LEAD, RESET, STALL, answer, anthropicError, body, data, event, frames, json, openaiError, sse, status, text } from './upstream.mjs';
import { payloads, saidIn, sleep } from './worker.mjs';

const { worker, upstream, policy, slack } = await rig();

const WORDS = ['one ', 'two ', 'three ', 'four'];
const SAID = WORDS.join('');
const SLACK_MS = 100 + slack;

const ROUTES = {
  chat: { path: '/v1/chat/completions', body: { messages: [{ role: 'user', content: 'Hi' }] }, terminal: '[DONE]' },
  completions: { path: '/v1/completions', body: { prompt: 'Hi' }, terminal: '[DONE]' },
  responses: { path: '/v1/responses', body: { input: 'Hi' }, terminal: 'response.completed' },
  messages: { path: '/v1/messages', provider: 'claude', body: { max_tokens: 9, messages: [{ role: 'user', content: 'Hi' }] }, terminal: 'message_stop' },
};

const ask = (route, model, more = {}, init = {}) => worker.post(ROUTES[route].path, { model, stream: true, ...ROUTES[route].body, ...more }, {}, init);
const policyOn = (route, scripts, more = {}, options = {}) => policy(scripts, { ...QUICK, ...more }, { provider: ROUTES[route].provider, ...options });

/** A good stream's frames up to and with its n-th word. */
const upTo = (route, words) => frames(route, WORDS).slice(0, LEAD[route] + words);
const errorFrame = (route) =>
  route === 'messages' ? event('error', anthropicError('Overloaded', 'overloaded_error'))
  : route === 'responses' ? event('error', { type: 'error', code: 'server_is_overloaded', message: 'Overloaded', param: null, sequence_number: 3 })
  : data(openaiError('Overloaded', 'server_error', 'server_is_overloaded'));
const emptyStream = (route) => sse(frames(route, []));

/** The stream ended in an error event of its dialect with this code, and no terminal event. */
function brokenWith(route, said, code) {
  assert.ok(!said.includes(ROUTES[route].terminal), `it looks finished:\n${said}`);
  const last = JSON.parse(payloads(said).at(-1));
  if (route === 'responses') {
    assert.equal(last.type, 'error', said);
    assert.equal(last.code, code, said);
    assert.equal(last.error.code, code, said);
    assert.equal(typeof last.sequence_number, 'number', said);
  } else if (route === 'messages') {
    assert.equal(last.type, 'error', said);
    assert.equal(typeof last.error.type, 'string');
    assert.ok(said.includes('event: error\n'));
  } else {
    assert.equal(last.error.type, 'upstream_error', said);
    assert.equal(last.error.code, code, said);
    assert.equal(last.error.param, null);
  }
}

const finished = (route, said) => assert.ok(payloads(said).at(-1).includes(ROUTES[route].terminal), `it is not finished:\n${said}`);

for (const route of Object.keys(ROUTES)) {
  const lead = upTo(route, 0);
  const FAILURES = {
    'HTML with 200': [text('<html>hello</html>'), 'malformed'],
    'an error as first event': [sse(errorFrame(route)), 'overloaded'],
    'an error before content': [sse(lead, errorFrame(route)), 'overloaded'],
    'a whole stream that says nothing': [emptyStream(route), 'malformed'],
    'the end before any content': [sse(lead), 'interrupted'],
    'a cut before any content': [sse(lead, CUT), 'interrupted'],
    'a reset before any content': [sse(lead, RESET), 'interrupted'],
    'a frame that is no JSON': [sse(lead, 'data: {"half": \n\n', ...frames(route, WORDS).slice(LEAD[route])), 'malformed'],
    'no headers': [[60_000], 'timeout', { headers_ms: 250 }],
    'no content after the headers': [sse(lead, STALL), 'timeout', { first_token_ms: 250 }],
    'pings but no content': [sse(lead, ...Array(40).fill([': ping\n\n', 50])), 'timeout', { first_token_ms: 300 }],
    'too slow in all': [sse(lead, STALL), 'timeout', { attempt_ms: 250 }],
  };
  describe(`${route}: before the commit the next target answers`, { concurrency: 4 }, () => {
    for (const [name, [behaviour, cls, timeouts]] of Object.entries(FAILURES)) {
      test(name, async () => {
        const p = await policyOn(route, [behaviour, answer(WORDS)], {}, { hops: [timeouts ? { timeouts } : {}] });
        const started = performance.now();
        const response = await ask(route, p.model);
        servedBy(response, p, 2);
        outcomes(response, cls, 'ok');
        const said = await response.text();
        assert.equal(said, frames(route, WORDS, `${p.name}-2`).join(''));
        if (timeouts) {
          const limit = Object.values(timeouts)[0];
          const [call] = p.calls(1);
          await call.ended;
          assert.ok(call.closedEarly, 'the upstream was not closed');
          assert.ok(call.openMs >= limit - 30 && call.openMs < limit + SLACK_MS, `closed after ${call.openMs} ms`);
          assert.ok(performance.now() - started < limit + 3 * SLACK_MS);
        }
      });
    }
  });

  describe(`${route}: after the commit a failure ends in an error event`, { concurrency: 4 }, () => {
    for (const relay of ['pipe', 'inspect']) {
      for (const [name, ending, code] of [['cut', [CUT], 'stream_interrupted'], ['reset', [RESET], 'stream_interrupted'], ['clean end', [], 'stream_interrupted'], ['stall', [STALL], 'stream_timeout']]) {
        test(`${relay}: ${name}`, async () => {
          const p = await policyOn(route, [sse(upTo(route, 2), ...ending), answer(WORDS)], { timeouts: { idle_ms: 400 }, stream: { relay } });
          const response = await ask(route, p.model);
          servedBy(response, p, 1);
          const said = await response.text();
          assert.equal(saidIn(said), WORDS.slice(0, 2).join(''));
          brokenWith(route, said, code);
          assert.equal(p.calls(2).length, 0);
          if (name === 'stall') {
            const [call] = p.calls(1);
            await call.ended;
            assert.ok(call.closedEarly && call.openMs < 700 + slack, `closed after ${call.openMs} ms`);
          }
          const { attempts } = await worker.recorded(response.headers.get('x-understudy-request-id'));
          assert.equal(attempts[0].outcome, name === 'stall' ? 'timeout' : 'interrupted');
        });
      }
      test(`${relay}: an error event of the upstream is passed on, and recorded`, async () => {
        const p = await policyOn(route, [sse(upTo(route, 2), errorFrame(route)), answer(WORDS)], { stream: { relay } });
        const response = await ask(route, p.model);
        const said = await response.text();
        assert.ok(said.includes('Overloaded'), said);
        assert.ok(!said.includes(ROUTES[route].terminal), said);
        const { attempts } = await worker.recorded(response.headers.get('x-understudy-request-id'));
        assert.equal(attempts[0].outcome, 'overloaded');
      });
      test(`${relay}: a good stream comes whole`, async () => {
        const p = await policyOn(route, [answer(WORDS)], { stream: { relay } });
        const said = await (await ask(route, p.model)).text();
        assert.equal(saidIn(said), SAID);
        finished(route, said);
      });
    }
  });

  describe(`${route}: commit modes`, { concurrency: 4 }, () => {
    const whole = async (behaviour, commit, timeouts) => {
      const p = await policyOn(route, [behaviour, answer(WORDS)], { stream: { commit } }, { hops: [timeouts ? { timeouts } : {}] });
      const response = await ask(route, p.model);
      return { p, response, said: await response.text() };
    };
    const broken = { cut: [CUT], stall: [STALL], 'in-band error': [errorFrame(route)], end: [] };
    for (const [name, ending] of Object.entries(broken)) {
      test(`complete: ${name} at any place begins anew, and the client sees one whole answer`, async () => {
        for (const words of [0, 2, 4]) {
          const { p, response, said } = await whole(sse(upTo(route, words), ...ending), 'complete', { first_token_ms: 250, idle_ms: 250 });
          servedBy(response, p, 2);
          assert.equal(saidIn(said), SAID);
          finished(route, said);
        }
      });
      test(`first_content: ${name} after the first word is the client’s to see`, async () => {
        const { p, response, said } = await whole(sse(upTo(route, 1), ...ending), 'first_content', { idle_ms: 250 });
        servedBy(response, p, 1);
        assert.equal(saidIn(said), WORDS[0]);
        assert.ok(!said.includes(ROUTES[route].terminal), said);
      });
    }
    test('first_event: a failure after the first event is the client’s to see, an error as first event is not', async () => {
      const later = await whole(sse(upTo(route, LEAD[route] ? 0 : 1), CUT), 'first_event');
      servedBy(later.response, later.p, 1);
      brokenWith(route, later.said, 'stream_interrupted');
      const first = await whole(sse(errorFrame(route)), 'first_event');
      servedBy(first.response, first.p, 2);
      assert.equal(saidIn(first.said), SAID);
    });
    test('headers: a failure after the 200 is the client’s to see, one before is not', async () => {
      const later = await whole(sse(upTo(route, 0), 20, CUT), 'headers');
      servedBy(later.response, later.p, 1);
      brokenWith(route, later.said, 'stream_interrupted');
      const before = await whole(status(503), 'headers');
      servedBy(before.response, before.p, 2);
    });
    test('an empty answer after the commit: inspected its end is withheld, piped nothing follows it, and both are recorded malformed', async () => {
      for (const [commit, relay] of [['first_event', 'inspect'], ['headers', 'inspect'], ['first_event', 'pipe'], ['headers', 'pipe']]) {
        const p = await policyOn(route, [emptyStream(route), answer(WORDS)], { stream: { commit, relay } });
        const response = await ask(route, p.model);
        const said = await response.text();
        servedBy(response, p, 1);
        if (relay === 'inspect') brokenWith(route, said, 'stream_error');
        else assert.equal(said, frames(route, []).join(''));
        const { attempts } = await worker.recorded(response.headers.get('x-understudy-request-id'));
        assert.equal(attempts[0].outcome, 'malformed', `${commit} ${relay}`);
      }
    });
  });
}

describe('an empty answer after the commit never looks finished across families', { concurrency: 4 }, () => {
  const AT = { chat: 'chatty', responses: 'answers', messages: 'claude' };
  for (const client of Object.keys(AT)) for (const wire of Object.keys(AT).filter((wire) => wire !== client)) {
    test(`${client} client, ${wire} upstream`, async () => {
      if (wire !== 'messages') await worker.put(`provider:${AT[wire]}`, upstream.provider(AT[wire], { routes: [wire] }));
      const p = await policyOn(wire, [emptyStream(wire)], { stream: { commit: 'first_event' } }, { provider: AT[wire] });
      const response = await ask(client, p.model);
      brokenWith(client, await response.text(), 'stream_error');
      const { attempts } = await worker.recorded(response.headers.get('x-understudy-request-id'));
      assert.equal(attempts[0].outcome, 'malformed');
    });
  }
});

describe('details', { concurrency: 4 }, () => {
  test('complete: past the buffer it commits, and a failure after that is seen', async () => {
    const p = await policyOn('chat', [sse(upTo('chat', 4), 50, CUT), answer(WORDS)], { stream: { commit: 'complete', buffer_max_bytes: 300 } });
    const response = await ask('chat', p.model);
    servedBy(response, p, 1);
    brokenWith('chat', await response.text(), 'stream_interrupted');
  });

  for (const route of ['chat', 'completions']) {
    for (const relay of ['pipe', 'inspect']) {
      test(`${route}, ${relay}: a finish reason without [DONE] is completed`, async () => {
        const p = await policyOn(route, [sse(frames(route, WORDS, 'm', { done: false }))], { stream: { relay } });
        const started = performance.now();
        const said = await (await ask(route, p.model)).text();
        finished(route, said);
        assert.ok(performance.now() - started < 2000);
        assert.equal(saidIn(said), SAID);
      });
    }
  }

  test('frames split at every byte, and many frames at once', async () => {
    const all = Buffer.from(frames('chat', ['é', '🌍']).join('').replaceAll('\n', '\r\n'));
    const bytewise = Array.from(all, (_, index) => all.subarray(index, index + 1));
    for (const commit of ['first_content', 'complete']) {
      const p = await policyOn('chat', [sse(bytewise)], { stream: { commit, relay: 'inspect' } });
      assert.equal(saidIn((await (await ask('chat', p.model)).text()).replaceAll('\r', '')), 'é🌍', commit);
      const trickle = await policyOn('chat', [sse(bytewise.flatMap((byte, index) => (index % 50 === 0 ? [5, byte] : [byte])))], { stream: { commit } });
      assert.equal(saidIn((await (await ask('chat', trickle.model)).text()).replaceAll('\r', '')), 'é🌍', commit);
    }
  });

  test('content comes as it is sent, not at the end', async () => {
    for (const relay of ['pipe', 'inspect']) {
      const p = await policyOn('chat', [sse(upTo('chat', 1), 700 + slack, ...frames('chat', WORDS).slice(2))], { stream: { relay } });
      const started = performance.now();
      const response = await ask('chat', p.model);
      const reader = response.body.getReader();
      let said = '';
      while (!said.includes('one ')) said += Buffer.from((await reader.read()).value).toString();
      assert.ok(performance.now() - started < 300 + slack, `${relay}: ${performance.now() - started} ms`);
      while (!(await reader.read()).done);
    }
  });

  test('after the commit only the idle clock holds: attempt_ms and deadline_ms do not', async () => {
    const slow = frames('chat', WORDS).flatMap((frame) => [frame, 150]);
    const p = await policyOn('chat', [sse(slow)], { timeouts: { attempt_ms: 400, idle_ms: 2000 }, deadline_ms: 450 });
    const said = await (await ask('chat', p.model)).text();
    finished('chat', said);
    assert.equal(saidIn(said), SAID);
  });

  test('pipe: an idle clock shorter than the watch beside the pipe is no end of a stream that goes on', async () => {
    const list = frames('chat', Array.from({ length: 30 }, (_, i) => `${i} `));
    const p = await policyOn('chat', [sse(list.flatMap((frame) => [frame, 20]))], { stream: { relay: 'pipe' }, timeouts: { idle_ms: 120 + slack } });
    const said = await (await ask('chat', p.model)).text();
    finished('chat', said);
    assert.ok(!said.includes('error'), said);
    const slow = await policyOn('chat', [sse(list.slice(0, 3), STALL)], { stream: { relay: 'pipe' }, timeouts: { idle_ms: 60 } });
    brokenWith('chat', await (await ask('chat', slow.model)).text(), 'stream_timeout');
  });

  test('pipe: a stream that has ended stays ended, although its upstream never closes it', async () => {
    for (const route of Object.keys(ROUTES)) {
      const p = await policyOn(route, [sse(frames(route, WORDS), STALL)], { stream: { relay: 'pipe' }, timeouts: { idle_ms: 400 } });
      const response = await ask(route, p.model);
      finished(route, await response.text());
      const { outcome } = await worker.recorded(response.headers.get('x-understudy-request-id'));
      assert.equal(outcome, 'ok', route);
    }
  });

  test('inspect, and across families: a stream that has said its end is over for the client, although its upstream never closes it', async () => {
    await worker.put('provider:chatty', upstream.provider('chatty', { routes: ['chat'] }));
    for (const [client, route, provider] of [['chat', 'chat'], ['completions', 'completions'], ['responses', 'responses'], ['messages', 'messages'], ['messages', 'chat', 'chatty'], ['chat', 'messages', 'claude'], ['responses', 'messages', 'claude']]) {
      const more = { stream: { relay: 'inspect' }, timeouts: { idle_ms: 30_000 } };
      const p = await policyOn(route, [sse(frames(route, WORDS), STALL)], more, provider && { provider });
      const started = performance.now();
      const response = await ask(client, p.model);
      finished(client, await response.text());
      assert.ok(performance.now() - started < 10_000, `${client} of ${route}: ${performance.now() - started} ms`);
      const [call] = p.calls(1);
      await Promise.race([call.ended, sleep(2500)]);
      assert.ok(call.closedEarly, `${client} of ${route}: the upstream ran on`);
      assert.equal((await worker.recorded(response.headers.get('x-understudy-request-id'))).outcome, 'ok');
    }
  });

  test('a last event without its blank line reaches the client’s SDK, be it the end or an error', async () => {
    for (const relay of ['pipe', 'inspect']) {
      const on = (route, list) => policyOn(route, [sse([...list.slice(0, -1), 50, list.at(-1).trimEnd()])], { stream: { relay } });
      const message = await worker.anthropic().messages.stream({ model: (await on('messages', frames('messages', WORDS))).model, ...ROUTES.messages.body }).finalMessage();
      assert.deepEqual([message.content[0].text, message.stop_reason], [SAID, 'end_turn']);
      const last = [];
      for await (const item of await worker.openai().responses.create({ model: (await on('responses', frames('responses', WORDS))).model, stream: true, ...ROUTES.responses.body })) last.push(item.type);
      assert.equal(last.at(-1), 'response.completed', relay);
      for (const route of Object.keys(ROUTES)) {
        const p = await on(route, [...upTo(route, 2), errorFrame(route)]);
        const drawn = async () => {
          const { model } = p;
          if (route === 'messages') for await (const item of await worker.anthropic().messages.create({ model, stream: true, ...ROUTES[route].body })) assert.ok(item);
          const made = { chat: (body) => worker.openai().chat.completions.create(body), completions: (body) => worker.openai().completions.create(body), responses: (body) => worker.openai().responses.create(body) }[route];
          if (made) for await (const item of await made({ model, stream: true, ...ROUTES[route].body })) assert.ok(item);
        };
        await assert.rejects(drawn(), /Overloaded/, `${relay} ${route}`);
      }
    }
  });

  test('comments are no content: the idle clock goes on while they come', async () => {
    const pings = Array.from({ length: 60 }, () => [': still here\n\n', 50]).flat();
    for (const relay of ['pipe', 'inspect']) {
      const p = await policyOn('chat', [sse(upTo('chat', 1), pings, frames('chat', WORDS).slice(2))], { stream: { relay }, timeouts: { idle_ms: 300 + slack } });
      brokenWith('chat', await (await ask('chat', p.model)).text(), 'stream_timeout');
    }
  });

  test('a stream that outruns its observer by 1 MiB is relayed whole, its usage estimated', async () => {
    const big = frames('chat', ['y'.repeat(60_000)])[1];
    const list = frames('chat', ['a']);
    const usage = data({ id: 'x', object: 'chat.completion.chunk', choices: [], usage: { prompt_tokens: 7, completion_tokens: 99, total_tokens: 106 } });
    for (const [count, estimated] of [[2, false], [40, undefined], [200, true]]) {
      const p = await policyOn('chat', [sse(list.slice(0, 2), Array(count).fill(big), list[2], usage, list[3])], { stream: { relay: 'pipe' } });
      const response = await ask('chat', p.model);
      const said = await response.text();
      assert.ok(said.endsWith('data: [DONE]\n\n'), `${count}: ${said.slice(-300)}`);
      assert.equal(saidIn(said).length, 1 + count * 60_000);
      const { outcome, attempts } = await worker.recorded(response.headers.get('x-understudy-request-id'));
      assert.equal(outcome, 'ok', String(count));
      if (estimated !== undefined) assert.equal(attempts[0].tokens.estimated, estimated, String(count));
    }
  });

  test('inspect: an error event ends the stream at once, although its upstream neither ends nor closes', async () => {
    for (const [more, last] of [[[...upTo('chat', 1), errorFrame('chat'), data('[DONE]')], 'server_is_overloaded'], [frames('chat', []), 'stream_error']]) {
      const p = await policyOn('chat', [sse(more.join(''), STALL)], { stream: { commit: 'first_event', relay: 'inspect' }, timeouts: { idle_ms: 30_000 } });
      const started = performance.now();
      const said = await (await ask('chat', p.model)).text();
      assert.equal(JSON.parse(payloads(said).at(-1)).error.code, last, said);
      assert.ok(performance.now() - started < 10_000, `${performance.now() - started} ms`);
      const [call] = p.calls(1);
      await Promise.race([call.ended, sleep(2500)]);
      assert.ok(call.closedEarly, `${last}: the upstream ran on`);
    }
  });

  test('inspect drops a frame that is no JSON, pipe passes it', async () => {
    const script = sse(upTo('chat', 1), 30, 'data: {"half": \n\n', ...frames('chat', WORDS).slice(2));
    const inspected = await policyOn('chat', [script], { stream: { relay: 'inspect' } });
    const dropped = await (await ask('chat', inspected.model)).text();
    assert.ok(!dropped.includes('half'), dropped);
    assert.equal(saidIn(dropped), SAID);
    finished('chat', dropped);
    const piped = await policyOn('chat', [script], { stream: { relay: 'pipe' } });
    assert.ok((await (await ask('chat', piped.model)).text()).includes('half'));
  });

  test('the client leaves: the upstream is closed, the attempt is recorded as cancelled', async () => {
    for (const relay of ['pipe', 'inspect']) {
      const p = await policyOn('chat', [sse(upTo('chat', 1), Array(200).fill([frames('chat', WORDS)[1], 20]).flat())], { stream: { relay } });
      const gone = new AbortController();
      const response = await ask('chat', p.model, {}, { signal: gone.signal });
      const reader = response.body.getReader();
      await reader.read();
      gone.abort();
      await reader.read().catch(() => {});
      const [call] = p.calls(1);
      await Promise.race([call.ended, sleep(2500)]);
      assert.ok(call.closedEarly, `${relay}: the upstream ran on`);
      const { attempts } = await worker.recorded(response.headers.get('x-understudy-request-id'));
      assert.equal(attempts[0].outcome, 'cancelled', relay);
    }
  });

  test('usage as sent: what the upstream says is in the ledger', async () => {
    const usage = data({ id: 'chatcmpl-1', object: 'chat.completion.chunk', choices: [], usage: { prompt_tokens: 21, completion_tokens: 8, total_tokens: 29, prompt_tokens_details: { cached_tokens: 5 } } });
    const list = frames('chat', WORDS);
    const p = await policyOn('chat', [sse(list.slice(0, -1), usage, list.at(-1))]);
    const response = await ask('chat', p.model, { stream_options: { include_usage: true } });
    assert.ok((await response.text()).includes('"prompt_tokens":21'));
    const { attempts } = await worker.recorded(response.headers.get('x-understudy-request-id'));
    assert.deepEqual([attempts[0].tokens.input, attempts[0].tokens.output, attempts[0].tokens.cached], [21, 8, 5]);
  });

  test('usage always: asked of the upstream, hidden from a client that did not ask', async () => {
    const usage = data({ id: 'chatcmpl-1', object: 'chat.completion.chunk', choices: [], usage: { prompt_tokens: 21, completion_tokens: 8, total_tokens: 29 } });
    const list = frames('chat', WORDS);
    const p = await policyOn('chat', [sse(list.slice(0, -1), usage, list.at(-1))], { usage: 'always' });
    const response = await ask('chat', p.model);
    const said = await response.text();
    assert.ok(!said.includes('prompt_tokens'), said);
    finished('chat', said);
    assert.equal(p.calls(1)[0].json.stream_options.include_usage, true);
    const { attempts } = await worker.recorded(response.headers.get('x-understudy-request-id'));
    assert.equal(attempts[0].tokens.input, 21);
  });

  test('hedge: the next hop starts alongside, the first to commit wins, the other is closed', async () => {
    const p = await policyOn('chat', [sse(upTo('chat', 0), 3000, ...frames('chat', WORDS).slice(1)), answer(WORDS)], {}, { hops: [{ hedge_after_ms: 200 }] });
    const started = performance.now();
    const response = await ask('chat', p.model);
    servedBy(response, p, 2);
    assert.equal(saidIn(await response.text()), SAID);
    assert.ok(performance.now() - started < 800 + slack);
    const [call] = p.calls(1);
    await Promise.race([call.ended, sleep(1500)]);
    assert.ok(call.closedEarly, 'the loser ran on');
    const { attempts } = await worker.recorded(response.headers.get('x-understudy-request-id'));
    assert.equal(attempts.find((attempt) => attempt.model === p.targets[0]).outcome, 'cancelled');
    const early = await policyOn('chat', [answer(WORDS), answer(WORDS)], {}, { hops: [{ hedge_after_ms: 500 }] });
    servedBy(await ask('chat', early.model), early, 1, { attempts: 1 });
  });

  test('hedge: a hop that failed before its time hedges none of those that follow', async () => {
    const p = await policyOn('chat', [status(503), sse(900, ...frames('chat', WORDS)), answer(WORDS)], {}, { hops: [{ hedge_after_ms: 300 }] });
    const response = await ask('chat', p.model);
    servedBy(response, p, 2, { attempts: 2 });
    assert.equal(saidIn(await response.text()), SAID);
    assert.equal(p.calls(3).length, 0);
  });
});

describe('answers that are no stream', { concurrency: 4 }, () => {
  const askWhole = (route, model) => worker.post(ROUTES[route].path, { model, ...ROUTES[route].body });
  for (const route of Object.keys(ROUTES)) {
    test(`${route}: cut, stalled and empty answers go to the next target`, async () => {
      const half = JSON.stringify(body(route, SAID)).slice(0, -20);
      const type = { status: 200, headers: { 'content-type': 'application/json' } };
      for (const behaviour of [[type, half, CUT], [type, half, STALL], json({}), text('<html>x</html>')]) {
        const p = await policyOn(route, [behaviour, answer(SAID)], {}, { hops: [{ timeouts: { attempt_ms: 300 } }] });
        const response = await askWhole(route, p.model);
        servedBy(response, p, 2);
        assert.ok((await response.text()).includes('three'));
        const [call] = p.calls(1);
        await call.ended;
      }
    });
  }

  test('only the attempt clock holds', async () => {
    const p = await policyOn('chat', [[400, { status: 200, headers: { 'content-type': 'application/json' } }, 300, JSON.stringify(body('chat', SAID))]], { timeouts: { headers_ms: 100, first_token_ms: 100, idle_ms: 100, attempt_ms: 3000 } });
    servedBy(await askWhole('chat', p.model), p, 1);
  });

  test('a JSON answer to a streamed request has until its first content is due, once its head is there', async () => {
    const late = (ms) => [{ status: 200, headers: { 'content-type': 'application/json' } }, ms, JSON.stringify(body('chat', SAID))];
    const p = await policyOn('chat', [late(600)], { timeouts: { headers_ms: 250, first_token_ms: 10_000 } });
    const response = await ask('chat', p.model);
    servedBy(response, p, 1);
    finished('chat', await response.text());
    const slow = await policyOn('chat', [late(60_000), answer(WORDS)], { timeouts: { headers_ms: 250, first_token_ms: 600 } });
    const next = await ask('chat', slow.model);
    servedBy(next, slow, 2);
    outcomes(next, 'timeout', 'ok');
    // The clock starts when the call is sent, which a busy machine's upstream hears of later.
    const [, waited] = next.headers.get('x-understudy-trail').match(/=timeout;[^;]+;(\d+)ms/);
    assert.ok(Number(waited) >= 600, `given up after ${waited} ms`);
    const [call] = slow.calls(1);
    await call.ended;
    assert.ok(call.closedEarly && call.openMs < 600 + SLACK_MS, `closed after ${call.openMs} ms`);
  });

  test('a stream that the upstream answers with JSON is one in the client’s shape, with its time and its usage', async () => {
    const whole = (route) => [{ status: 200, headers: { 'content-type': 'application/json' } }, JSON.stringify(body(route, 'one\ntwo'), null, 2)];
    const chat = await policy([whole('chat')]);
    const chunks = payloads(await (await worker.chat(chat.model, { stream: true, stream_options: { include_usage: true } })).text());
    assert.equal(chunks.at(-1), '[DONE]');
    const read = chunks.slice(0, -1).map((chunk) => JSON.parse(chunk));
    // Within the family it keeps what the upstream said of it.
    assert.ok(read.every(({ id, object, created }) => id === 'chatcmpl-1' && object === 'chat.completion.chunk' && created === 1), chunks[0]);
    assert.deepEqual([read.at(-1).choices, read.at(-1).usage.total_tokens], [[], 12]);
    const said = (route) => ({ ...body(route, 'one\ntwo'), novel: 7 });
    const two = await policy([json({ ...said('chat'), choices: [0, 1].map((index) => ({ index, message: { role: 'assistant', content: `no ${index}`, reasoning_content: 'hm' }, finish_reason: 'stop' })) })]);
    const both = payloads(await (await worker.chat(two.model, { stream: true, n: 2 })).text()).slice(0, -1).map((chunk) => JSON.parse(chunk));
    assert.deepEqual(both[0].choices.map(({ delta }) => [delta.content, delta.reasoning_content]), [['no 0', 'hm'], ['no 1', 'hm']]);
    assert.ok(both.every(({ novel, usage }) => novel === 7 && usage === undefined));
    const responses = await policy([json(said('responses'))]);
    const events = payloads(await (await worker.post('/v1/responses', { model: responses.model, input: 'x', stream: true })).text()).map((event) => JSON.parse(event));
    assert.deepEqual(events.at(-1), { type: 'response.completed', sequence_number: events.length - 1, response: said('responses') });
    const message = await policy([json(said('messages'))], {}, { provider: 'claude' });
    const text = await (await worker.post('/v1/messages', { model: message.model, max_tokens: 9, messages: [{ role: 'user', content: 'x' }], stream: true })).text();
    const [start, ...rest] = payloads(text).map((event) => JSON.parse(event));
    assert.deepEqual([start.message.id, start.message.novel, rest.at(-2).usage.output_tokens, rest.at(-1).type], ['msg_1', 7, 3, 'message_stop']);
    assert.equal(rest.find(({ delta }) => delta?.text)?.delta.text, 'one\ntwo');
    const legacy = await policy([whole('completions')]);
    const response = await worker.post('/v1/completions', { model: legacy.model, prompt: 'x', stream: true });
    assert.match(response.headers.get('content-type'), /^text\/event-stream/);
    const [only, end] = payloads(await response.text());
    assert.equal(end, '[DONE]');
    const { object, choices } = JSON.parse(only);
    assert.deepEqual([object, choices[0].text, choices[0].finish_reason], ['text_completion', 'one\ntwo', 'stop']);
  });

  test('an attempt that broke off keeps the status that its upstream had given', async () => {
    const lead = frames('chat', ['one'])[0];
    const cutWhole = [{ status: 200, headers: { 'content-type': 'application/json', 'content-length': '500' } }, '{"id":', CUT];
    const p = await policy([cutWhole, answer()], { backoff: { initial_ms: 1 } });
    assert.match((await worker.chat(p.model)).headers.get('x-understudy-trail'), /-1=interrupted;200;\d+ms, /);
    const q = await policy([sse(lead, CUT), answer()]);
    assert.match((await worker.chat(q.model, { stream: true })).headers.get('x-understudy-trail'), /-1=interrupted;200;\d+ms, /);
  });

  test('commit headers hands a JSON answer on at its 200', async () => {
    const type = { status: 200, headers: { 'content-type': 'application/json' } };
    const p = await policyOn('chat', [[type, '{"id":', 600 + slack, '"x"}'], answer(SAID)], { stream: { commit: 'headers' } });
    const started = performance.now();
    const response = await askWhole('chat', p.model);
    assert.ok(performance.now() - started < 300 + slack, 'it was held back');
    servedBy(response, p, 1);
    assert.equal(await response.text(), '{"id":"x"}');
  });

  test('commit headers: what a JSON answer said is recorded: its tokens, and a failure inside it', async () => {
    const recorded = async (behaviour) => {
      const p = await policyOn('chat', [behaviour, answer(SAID)], { stream: { commit: 'headers' } });
      const response = await askWhole('chat', p.model);
      servedBy(response, p, 1);
      const text = await response.text();
      return { text, ...(await worker.recorded(response.headers.get('x-understudy-request-id'))).attempts[0] };
    };
    const good = await recorded(answer(SAID));
    assert.equal(good.outcome, 'ok');
    assert.deepEqual(good.tokens, { input: 9, output: 3, cached: 0, estimated: false });
    const failed = await recorded(json(openaiError('Rate limit reached', 'rate_limit_error', 'rate_limit_exceeded')));
    assert.equal(failed.outcome, 'rate_limited');
    assert.match(failed.text, /Rate limit reached/);
    assert.equal((await recorded(text('<html>oops</html>'))).outcome, 'malformed');
  });

  test('commit headers: a JSON answer that stalls or breaks off breaks off at the client too, and is recorded so', async () => {
    const type = { status: 200, headers: { 'content-type': 'application/json' } };
    for (const [ending, outcome] of [[STALL, 'timeout'], [CUT, 'interrupted']]) {
      const p = await policyOn('chat', [[type, '{"id":', ending]], { stream: { commit: 'headers' }, timeouts: { idle_ms: 300 } });
      const response = await askWhole('chat', p.model);
      assert.equal(response.status, 200);
      await assert.rejects(response.text(), undefined, `${outcome}: it looks whole`);
      const [call] = p.calls(1);
      await call.ended;
      const recorded = await worker.recorded(response.headers.get('x-understudy-request-id'));
      assert.equal(recorded.outcome, outcome);
      assert.equal(recorded.attempts[0].outcome, outcome);
    }
  });
});

describe('official SDKs raise on a broken stream', { concurrency: 4 }, () => {
  const draw = async (stream, pick) => {
    let said = '';
    try {
      for await (const item of await stream) said += pick(item) ?? '';
    } catch (error) {
      return { said, error };
    }
    return { said };
  };
  for (const ending of [[CUT], [STALL], []]) {
    const name = ending[0]?.description ?? 'end';
    test(`OpenAI, ${name}`, async () => {
      const on = (route) => policyOn(route, [sse(upTo(route, 2), ...ending)], { timeouts: { idle_ms: 300 } });
      const client = worker.openai();
      const results = [
        await draw(client.chat.completions.create({ model: (await on('chat')).model, stream: true, ...ROUTES.chat.body }), (chunk) => chunk.choices[0]?.delta?.content),
        await draw(client.completions.create({ model: (await on('completions')).model, stream: true, ...ROUTES.completions.body }), (chunk) => chunk.choices[0]?.text),
        await draw(client.responses.create({ model: (await on('responses')).model, stream: true, ...ROUTES.responses.body }), (item) => (item.type === 'response.output_text.delta' ? item.delta : '')),
      ];
      for (const { said, error } of results) {
        assert.equal(said, 'one two ');
        assert.ok(error, 'no error was raised');
      }
    });
    test(`Anthropic, ${name}`, async () => {
      const p = await policyOn('messages', [sse(upTo('messages', 2), ...ending)], { timeouts: { idle_ms: 300 } });
      const { said, error } = await draw(worker.anthropic().messages.create({ model: p.model, stream: true, ...ROUTES.messages.body }), (item) => item.delta?.text);
      assert.equal(said, 'one two ');
      assert.ok(error, 'no error was raised');
      const q = await policyOn('messages', [sse(upTo('messages', 2), ...ending)], { timeouts: { idle_ms: 300 } });
      await assert.rejects(worker.anthropic().messages.stream({ model: q.model, ...ROUTES.messages.body }).finalMessage());
    });
  }
});

test('what the upstream saw is what the ledger recorded', async () => {
  await sleep(2500);
  let recorded = 0;
  let cursor = '';
  do {
    const page = await (await worker.admin(`/requests?limit=100${cursor && `&before=${encodeURIComponent(cursor)}`}`)).json();
    for (const request of page.data) recorded += request.attempts?.filter?.((attempt) => attempt.call !== false).length ?? request.attempts;
    cursor = page.next;
  } while (cursor);
  assert.equal(recorded, upstream.log.length);
});
