// AUTH=off is for loopback hosts alone, and a known key still says who calls and what it may.
import assert from 'node:assert/strict';
import { request } from 'node:http';
import { test } from 'node:test';
import { refused, rig } from './rig.mjs';

const { worker } = await rig();

/** A request that names another host than the one it goes to, as one through a real domain does. */
function asHost(host, headers = {}) {
  const body = JSON.stringify({ model: 'acme/m', messages: [{ role: 'user', content: 'Hi' }] });
  return new Promise((resolve, reject) => {
    const sent = request(`${worker.base}/chat/completions`, { method: 'POST', headers: { host, 'content-type': 'application/json', ...headers } }, (response) => {
      response.resume();
      response.on('end', () => resolve(response.statusCode));
    });
    sent.on('error', reject);
    sent.end(body);
  });
}

test('a host that is not loopback needs a key, whatever AUTH says', async () => {
  assert.equal(await asHost('gateway.example.com'), 401);
  for (const host of ['127.0.0.1:1', 'localhost', '[::1]:8787', '127.0.0.5']) assert.equal(await asHost(host), 200, host);
  const { key } = await (await worker.admin('/keys', { method: 'POST', body: { name: 'web' } })).json();
  assert.equal(await asHost('gateway.example.com', { authorization: `Bearer ${key}` }), 200);
});

test('a known key gives its name, group and limits', async () => {
  const { key } = await (await worker.admin('/keys', { method: 'POST', body: { name: 'limited', group: 'acme', deny: ['acme/no'], budget_usd_per_day: 5 } })).json();
  const bearer = { authorization: `Bearer ${key}` };
  const response = await worker.chat('acme/m', { metadata: { group: 'claimed' } }, bearer);
  assert.equal(response.status, 200);
  const record = await worker.recorded(response.headers.get('x-understudy-request-id'));
  assert.deepEqual([record.key, record.group], ['limited', 'acme']);
  await refused(await worker.chat('acme/no', {}, bearer), 403, 'model_not_allowed');
  assert.equal((await worker.chat('acme/no', {}, { authorization: 'Bearer sk-anything' })).status, 200);
});
