// What the dashboard offers beside the main road, against the Worker: drills, rules, keys, groups, trials, keyboard.
import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { isDeepStrictEqual } from 'node:util';
import { launch, openPage, signIn, visit } from './dashboard/browser.mjs';
import { QUICK, rig } from './rig.mjs';
import { answer, openaiError, status } from './upstream.mjs';
import { ADMIN_TOKEN } from './worker.mjs';

const KEK = Buffer.alloc(32, 7).toString('base64');
const { worker, upstream, policy } = await rig({ assets: true, secrets: { KEK } });
const browser = await launch();
after(() => browser.close());

/** A page of the dashboard, signed in; whatever it did by the end of the test, nothing may have been complained of. */
async function on(hash, options, use) {
  const page = await openPage(browser, worker.url, ADMIN_TOKEN, options);
  await signIn(page, worker.url, ADMIN_TOKEN, hash);
  await use(page);
  assert.deepEqual(page.complaints(), []);
  await page.context().close();
}

const field = (scope, name) => scope.getByLabel(name, { exact: true });
const press = (scope, name) => scope.getByRole('button', { name, exact: true }).click();

test('a policy is duplicated, balanced by weight, used, and deleted', async () => {
  const p = await policy([answer('one'), answer('two')], { description: 'The one to copy' });
  await on('policies', {}, async (page) => {
    await press(page, `Duplicate ${p.name}`);
    assert.equal(await field(page, 'Name').inputValue(), `${p.name}-copy`);
    assert.equal(await field(page, 'Description').inputValue(), 'The one to copy');
    await press(page, 'Load balance');
    await field(page, 'Weight').nth(0).fill('0');
    const made = page.waitForResponse((response) => response.request().method() === 'PUT');
    await press(page, 'Create policy');
    await made;
    await page.getByText(`policy/${p.name}-copy is live`).waitFor();
    const stored = await (await worker.admin(`/policies/${p.name}-copy`)).json();
    assert.equal(stored.document.type, 'load_balance');
    assert.equal(stored.document.chain[0].weight, 0);
    const response = await worker.chat(`policy/${p.name}-copy`);
    assert.equal(response.headers.get('x-understudy-model'), p.targets[1], 'a hop of weight 0 is never drawn');

    await visit(page, 'policies');
    await press(page, `Delete ${p.name}-copy`);
    await press(page.getByRole('dialog'), 'Delete');
    await page.getByText(`policy/${p.name}-copy is deleted`).waitFor();
    assert.equal((await worker.chat(`policy/${p.name}-copy`)).status, 404);
  });
});

test('a drill from the providers meets its failure, stays out of the figures, and opens into its waterfall', async () => {
  const p = await policy([answer('never asked'), answer('stood by')], QUICK);
  await on('providers', {}, async (page) => {
    await press(page, `Drill ${p.targets[0]}`);
    const dialog = page.getByRole('dialog');
    assert.equal(await field(dialog, 'Target').inputValue(), p.targets[0]);
    const unauthorized = { status: 401, headers: { 'x-understudy-request-id': 'req_refused' }, json: { error: { message: 'no API key' } } };
    await page.route('**/v1/chat/completions', (route) => route.fulfill(unauthorized), { times: 1 });
    await press(dialog, 'Run the drill');
    await dialog.getByText('failed with 401').waitFor();
    assert.equal(await dialog.getByRole('link', { name: 'Open its waterfall' }).count(), 0, 'what was refused is not on record');
    await field(dialog, 'Meets').selectOption('rate_limited');
    await press(dialog, 'Run the drill');
    await dialog.getByText('answered after all').waitFor();
    assert.equal(p.calls(1).length, 0, 'the failure stands in place of the call');
    assert.equal(p.calls(2).length, 1);
    assert.ok(!('max_tokens' in p.calls(2)[0].json), 'reasoning models refuse it');
    await dialog.getByRole('link', { name: 'Open its waterfall' }).click();
    const bars = page.locator('.wf-row');
    await bars.nth(1).waitFor();
    assert.match(await bars.nth(0).textContent(), /rate limited/);
    assert.match(await bars.nth(1).textContent(), /answered/);
    await page.getByRole('dialog').getByText('drill', { exact: true }).waitFor();
    const { totals } = await (await worker.admin(`/analytics?policy=${p.name}`)).json();
    assert.equal(totals.requests, 0);
  });
});

test('which rule would this request hit: as the Worker decides it', async () => {
  upstream.on('acme/ruled', answer('ok'));
  const then = { retries: 0 };
  const document = {
    rules: {
      'one-model': { when: { model: 'acme/ruled' }, then },
      'a-glob': { when: { model: 'acme/ru*', route: 'chat', group: { in: ['gold', 'silver'] } }, then },
      'much-metadata': { when: { 'metadata.seats': { gt: 5 }, 'metadata.plan': { ne: 'free' } }, then },
      'by-header': { when: { any: [{ 'header.x-team': 'web' }, { user: 'user-?' }] }, then },
      'bare-glob': { when: { model: 'gpt-9*' }, then },
      'colon-glob': { when: { model: 'acme:colon*' }, then },
      'who-streams': { when: { stream: true, not: { group: { exists: true } } }, then },
    },
    rulesets: [
      { name: 'first', when: { group: { exists: true } }, rules: ['a-glob', 'much-metadata'] },
      { name: 'second', when: {}, rules: ['much-metadata', 'by-header', 'bare-glob', 'colon-glob', 'who-streams', 'one-model'] },
    ],
  };
  const put = await worker.admin('/rules', { method: 'PUT', body: document });
  assert.equal(put.status, 200, await put.text());
  const cases = [
    [{ model: 'acme/ruled' }, 'one-model'],
    [{ model: 'acme:ruled' }, 'one-model'],
    [{ model: 'acme/ruled', group: 'gold' }, 'a-glob'],
    [{ model: 'acme/ruled', group: 'lead' }, 'one-model'],
    [{ model: 'acme/other', group: 'gold' }, undefined],
    [{ model: 'acme/ruled', metadata: { seats: '6', plan: 'pro' } }, 'much-metadata'],
    [{ model: 'acme/ruled', metadata: { seats: '6', plan: 'free' } }, 'one-model'],
    [{ model: 'acme/ruled', metadata: { seats: '5', plan: 'pro' } }, 'one-model'],
    [{ model: 'acme/other', metadata: { seats: '60' }, group: 'gold' }, 'much-metadata'],
    [{ model: 'acme/other', headers: { 'x-team': 'web' } }, 'by-header'],
    [{ model: 'acme/other', user: 'user-7' }, 'by-header'],
    [{ model: 'acme/other', user: 'user-77' }, undefined],
    [{ model: 'gpt-9-mini' }, 'bare-glob'],
    [{ model: 'openai/gpt-9' }, 'bare-glob'],
    [{ model: 'acme/gpt-9' }, undefined],
    [{ model: 'acme/colon-1' }, 'colon-glob'],
    [{ model: 'acme/other', stream: true }, 'who-streams'],
    [{ model: 'acme/other', stream: true, group: 'gold' }, undefined],
  ];
  const pick = (all, like) => Object.fromEntries(Object.keys(like).map((name) => [name, all[name]]));
  const listed = (fields = {}) => Object.entries(fields).map((pair) => pair.join('=')).join(', ');
  await on('rules', {}, async (page) => {
    const card = page.locator('.card', { hasText: 'Which rule would this request hit?' });
    for (const [{ model, user = '', group = '', metadata, headers, stream = false }, expected] of cases) {
      const said = `${model} ${user} ${group} ${listed(metadata)} ${listed(headers)} ${stream}`;
      const claimed = JSON.stringify({ ...metadata, ...(user && { user }), ...(group && { group }) });
      const response = await worker.chat(model, { stream, metadata: { understudy: claimed } }, headers ?? {});
      await response.text();
      assert.equal(response.headers.get('x-understudy-rule')?.split('/').at(-1), expected, `the Worker, ${said}`);
      const sample = { model, metadata: JSON.parse(claimed), headers: headers ?? {}, stream };
      const judged = page.waitForResponse((answer) => answer.url().endsWith('/rules/match') && isDeepStrictEqual(pick(answer.request().postDataJSON().request, sample), sample));
      await field(card, 'Model').fill(model);
      await field(card, 'User').fill(user);
      await field(card, 'Group').fill(group);
      await field(card, 'Metadata').fill(listed(metadata));
      await field(card, 'Headers').fill(listed(headers));
      await field(card, 'It streams').setChecked(stream);
      assert.equal((await judged).status(), 200, said);
      await card.locator('.hit[aria-busy="false"]').waitFor();
      const hit = await card.locator('.hit').textContent();
      assert.ok(expected ? hit.startsWith(expected) : hit.startsWith('No rule applies'), `the page, ${said}: ${hit}`);
    }
  });
  assert.equal((await worker.admin('/rules', { method: 'DELETE' })).status, 204);
});

test('a key is bounded, gets a provider key of its own, is changed and deleted', async () => {
  await on('keys', {}, async (page) => {
    // The page of no keys offers it twice.
    await press(page.locator('header'), 'Create key');
    const dialog = page.getByRole('dialog');
    await field(dialog, 'Name').fill('mobile');
    await field(dialog, 'May ask for').fill('acme/allowed*');
    await field(dialog, 'Group').fill('apps');
    await field(dialog, 'Budget a day, USD').fill('2.5');
    await field(dialog, 'Expires').fill('2031-05-04T12:30');
    await press(dialog, 'Create key');
    const secret = await field(page, 'The new key').inputValue();
    await press(dialog, 'Copy');
    await page.getByText('Copied the key').waitFor();
    assert.equal(await page.evaluate(() => navigator.clipboard.readText()), secret);
    await press(dialog, 'I have stored it');
    const card = page.locator('.card', { has: page.getByRole('heading', { name: 'mobile' }) });
    await card.getByText('$2.50 a day').waitFor();
    assert.ok(!(await page.content()).includes(secret), 'it is shown once');

    const bearer = { authorization: `Bearer ${secret}` };
    assert.equal((await worker.chat('acme/allowed-1', {}, bearer)).status, 200);
    assert.equal((await worker.chat('acme/barred', {}, bearer)).status, 403);

    await card.getByText('Usage and own provider keys (0)').click();
    await field(card, 'Provider').fill('openai');
    await field(card, 'Its key').fill('sk-own-0123456789abcdef');
    await press(card, 'Store');
    await page.getByText('The openai key is stored').waitFor();
    await card.getByText('Usage and own provider keys (1)').waitFor();
    assert.ok(!(await page.content()).includes('sk-own-'), 'a stored key is not shown again');
    const [stored] = (await (await worker.admin('/keys')).json()).data.filter((key) => key.name === 'mobile');
    assert.equal(Date.parse(stored.expires_at), await page.evaluate(() => Date.parse('2031-05-04T12:30')));

    await press(page, 'Edit key mobile');
    await field(dialog, 'May ask for').fill('acme/*');
    await press(dialog, 'Save key');
    await page.getByText('Key mobile is stored').waitFor();
    assert.equal((await worker.chat('acme/barred', {}, bearer)).status, 200);
    await press(page, 'Delete key mobile');
    await press(dialog, 'Delete');
    await page.getByText('Key mobile is deleted').waitFor();
    await page.getByRole('heading', { name: 'mobile' }).waitFor({ state: 'detached' });
  });
});

test('a key’s patterns are what they were when something else of it is changed', async () => {
  const made = async (fields) => (await worker.admin('/keys', { method: 'POST', body: fields })).json();
  const keys = [await made({ name: 'unbounded' }), await made({ name: 'nothing-at-all', allow: [] }), await made({ name: 'bounded', allow: ['acme/a*', 'policy/*'] })];
  await on('keys', {}, async (page) => {
    const dialog = page.getByRole('dialog');
    for (const { name } of keys) {
      await press(page, `Edit key ${name}`);
      await field(dialog, 'Group').fill('apps');
      await press(dialog, 'Save key');
      await page.getByText(`Key ${name} is stored`).waitFor();
    }
    for (const { id, allow } of keys) {
      const now = await (await worker.admin(`/keys/${id}`)).json();
      assert.deepEqual([now.group, now.allow], ['apps', allow]);
    }
    await press(page, 'Edit key bounded');
    await field(dialog, 'May ask for').fill('');
    await press(dialog, 'Save key');
    await page.getByRole('dialog').waitFor({ state: 'detached' });
  });
  assert.equal((await (await worker.admin(`/keys/${keys[2].id}`)).json()).allow, undefined);
  for (const { id } of keys) await worker.admin(`/keys/${id}`, { method: 'DELETE' });
});

test('documents written by hand are shown as they are meant, and those that do not parse as such', async () => {
  await worker.put('rules', { rules: { typed: { when: { user: 'nobody' }, then: { fallback: 'acme/one -> acme/two (2 retries)' } } }, rulesets: [] });
  const { id } = await (await worker.admin('/keys', { method: 'POST', body: { name: 'spoilt' } })).json();
  await worker.put(`key:${id}`, { name: 'spoilt', allow: 'policy/*' });
  await worker.put('policy:barely', { chain: 'gpt-4o (1 retry)' });
  await on('policies/barely', {}, async (page) => {
    await page.locator('.pic-hop').getByText('OPENAI_API_KEY is not set').waitFor();
    await visit(page, 'policies/barely/simulate');
    await press(page, 'First target overloaded');
    await page.getByText('Chain exhausted').waitFor();
  });
  await worker.remove('policy:barely');
  await on('rules', {}, async (page) => {
    await page.getByText('Falls back to acme/one, then acme/two (2 retries).').waitFor();
    await press(page, 'Edit rule typed');
    const dialog = page.getByRole('dialog');
    assert.deepEqual(await dialog.getByLabel('Model', { exact: true }).evaluateAll((fields) => fields.map(({ value }) => value)), ['acme/one', 'acme/two']);
    await press(dialog, 'Cancel');
    await visit(page, 'keys');
    const card = page.locator('.card', { has: page.getByRole('heading', { name: 'spoilt' }) });
    await card.getByText('does not parse').waitFor();
    await press(page, 'Delete key spoilt');
    await press(dialog, 'Delete');
    await page.getByText('Key spoilt is deleted').waitFor();
    await worker.put('rules', '{"rules": ');
    for (const hash of ['rules', 'rulesets']) {
      await visit(page, hash);
      await page.getByText('The stored rules do not parse').waitFor();
      assert.ok(await page.locator('header').getByRole('button', { name: /^Create / }).isDisabled(), 'nothing may be saved over them');
    }
  });
  await worker.remove('rules');
});

test('groups lead to their requests, a range is chosen, and the figures are those of the ledger', async () => {
  const p = await policy([status(503), answer('saved')], QUICK);
  const claimed = JSON.stringify({ user: 'ada', group: 'north' });
  for (let n = 0; n < 3; n++) assert.equal((await worker.chat(p.model, { metadata: { understudy: claimed } }, { 'x-understudy-request-id': `north-${n}` })).status, 200);
  await worker.recorded('north-2');
  await on('groups', {}, async (page) => {
    const row = page.locator('tbody tr', { hasText: 'north' });
    await row.waitFor();
    assert.match(await row.textContent(), /north3.*100 %.*100 %/);
    await row.getByRole('link', { name: 'north' }).click();
    await page.locator('tbody tr').nth(2).waitFor();
    assert.equal(await page.locator('tbody tr').count(), 3);
    await press(page, 'Take away the filter group north');
    await page.waitForFunction(() => !location.hash.includes('group='));

    await visit(page, `overview?policy=${p.name}`);
    const saved = page.locator('.stat', { hasText: 'Answers saved' });
    await saved.waitFor();
    assert.match(await saved.textContent(), /3/);
    await press(page, 'Custom');
    await field(page, 'To').fill('2020-01-02T00:00');
    await field(page, 'From').fill('2020-01-01T00:00');
    await page.getByText('No requests in this range').waitFor();
    await press(page, '1 h');
    await saved.waitFor();
  });
});

test('explain, compare, and the rehearsal beside the form', async () => {
  const p = await policy([answer('an answer of the first'), status(500, openaiError('out of order', 'server_error', null))], QUICK);
  await on(`policies/${p.name}/explain`, {}, async (page) => {
    await press(page, 'Explain');
    await page.getByText('would be called').nth(1).waitFor();
    await page.getByText('The request as it would go out').first().click();
    assert.match(await page.locator('pre.code').first().textContent(), /\[redacted\]/);

    await visit(page, `policies/${p.name}/compare`);
    await press(page, 'Ask every hop');
    await page.getByText('an answer of the first').waitFor();
    await page.locator('.answers').getByText('server error').waitFor();

    await visit(page, `policies/${p.name}/edit`);
    const rehearsal = page.locator('.card', { hasText: 'Rehearsal' });
    await rehearsal.getByText('Served').waitFor();
    assert.match((await rehearsal.locator('.wf-row').allTextContents()).join(' '), new RegExp(`${p.targets[0]}.*overloaded.*${p.targets[1]}.*answers`));
    await press(page, 'Remove hop 2');
    await rehearsal.getByText('Chain exhausted').waitFor();
    page.once('dialog', (asked) => asked.accept());
  });
});

test('what an upstream says is text, whatever it says', async () => {
  const hostile = '"><img src=x onerror="window.pwned=1"><script>window.pwned=1</script>';
  const p = await policy([status(400, openaiError(hostile, hostile, hostile)), answer('fine')], QUICK);
  await worker.chat(p.model, { metadata: { understudy: JSON.stringify({ user: hostile, group: hostile }) } }, { 'x-understudy-request-id': 'hostile' });
  await worker.recorded('hostile');
  await on('requests?id=hostile', {}, async (page) => {
    const dialog = page.getByRole('dialog');
    await dialog.locator('.wf-row').nth(1).waitFor();
    assert.ok((await dialog.textContent()).includes('<img src=x'), 'the reason is shown as it was written');
    for (const hash of ['requests', 'groups', 'overview']) {
      await visit(page, hash);
      await page.waitForFunction(() => document.querySelector('h1') && !document.querySelector('.skeleton'));
    }
    assert.equal(await page.evaluate(() => window.pwned), undefined);
    assert.equal(await page.locator('#app img, #app script').count(), 0);
  });
});

test('a hop that was passed over says why, in the waterfall and in the picture of its chain', async () => {
  upstream.on('acme/has-a-key', answer('fine'));
  await worker.put('policy:keyless', { chain: ['google/gemini-2.5-flash', 'acme/has-a-key'] });
  assert.equal((await worker.chat('policy/keyless', {}, { 'x-understudy-request-id': 'keyless' })).status, 200);
  await worker.recorded('keyless');
  await on('requests?id=keyless', {}, async (page) => {
    const skipped = page.locator('.wf-row').first();
    await skipped.getByText('skipped').waitFor();
    assert.match(await skipped.textContent(), /no key: GOOGLE_API_KEY/);
    assert.equal(await page.locator('.wf-row .wf-bar.saved').count(), 1, 'the answer of another hop is drawn as saved');
    await visit(page, 'policies/keyless');
    const hops = page.locator('.pic-hop');
    await page.getByText('1 skipped').waitFor();
    await hops.nth(0).getByText('GOOGLE_API_KEY is not set').waitFor();
    assert.match(await hops.nth(0).textContent(), /google\/gemini-2.5-flash.*no key/);
    await hops.nth(1).getByText('breaker closed').waitFor();
    assert.match(await hops.nth(1).textContent(), /acme\/has-a-key.*100 % of 1 call answered/);
  });
});

test('by keyboard alone: in, to a request, into its waterfall, and back to where one was', async () => {
  const p = await policy([status(503), answer('saved')], QUICK);
  await worker.chat(p.model, {}, { 'x-understudy-request-id': 'by-keyboard' });
  await worker.recorded('by-keyboard');
  const page = await openPage(browser, worker.url, ADMIN_TOKEN);
  await page.goto(`${worker.url}/#/overview`);
  await page.waitForFunction(() => document.activeElement?.tagName === 'INPUT');
  await page.keyboard.type(ADMIN_TOKEN);
  await page.keyboard.press('Enter');
  await page.locator('nav[aria-label=Pages]').waitFor();
  const focused = () => page.evaluate(() => document.activeElement.getAttribute('aria-label') ?? document.activeElement.textContent.trim());
  const tabTo = async (name) => {
    for (let n = 0; n < 60; n++) {
      if ((await focused()).startsWith(name)) return;
      await page.keyboard.press('Tab');
    }
    assert.fail(`Tab never came to ${name}`);
  };
  await tabTo('Requests');
  await page.keyboard.press('Enter');
  await page.locator('tbody tr').first().waitFor();
  await tabTo('Open the request');
  await page.keyboard.press('Enter');
  await page.locator('.wf-row').nth(1).waitFor();
  await page.keyboard.press('Escape');
  await page.getByRole('dialog').waitFor({ state: 'detached' });
  assert.match(await focused(), /^Open the request/, 'the focus returns to the row');
  assert.deepEqual(page.complaints(), []);
  await page.context().close();
});
