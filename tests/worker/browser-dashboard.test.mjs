// The dashboard against the Worker: a fallback is watched as it happens, a policy is made, mended, used and rolled back.
import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { launch, openPage, saidAt, signIn, visit } from './dashboard/browser.mjs';
import { QUICK, rig } from './rig.mjs';
import { answer, status } from './upstream.mjs';
import { ADMIN_TOKEN } from './worker.mjs';

const { worker, upstream, policy } = await rig({ assets: true });
const browser = await launch();
after(() => browser.close());

const open = async (hash, options) => {
  const page = await openPage(browser, worker.url, ADMIN_TOKEN, options);
  await signIn(page, worker.url, ADMIN_TOKEN, hash);
  return page;
};

test('the page is served under a strict policy', async () => {
  const response = await worker.fetch('/');
  assert.equal(response.status, 200);
  const csp = response.headers.get('content-security-policy') ?? '';
  for (const part of ["default-src 'none'", "script-src 'self'", "style-src 'self'", "connect-src 'self'", "frame-ancestors 'none'", "form-action 'none'"]) assert.ok(csp.includes(part), csp);
  assert.equal(response.headers.get('x-content-type-options'), 'nosniff');
  assert.equal(response.headers.get('referrer-policy'), 'no-referrer');
});

test('a wrong token is told so, the right one opens the overview', async () => {
  const page = await openPage(browser, worker.url, ADMIN_TOKEN);
  await page.goto(worker.url);
  await page.getByLabel('Admin token').fill('wrong');
  await page.getByRole('button', { name: 'Sign in' }).click();
  await page.getByText('not the Worker’s admin token').waitFor();
  await page.getByLabel('Admin token').fill('tök€n');
  await page.getByRole('button', { name: 'Sign in' }).click();
  await page.getByText('no header can hold').waitFor();
  await page.getByLabel('Admin token').fill(ADMIN_TOKEN);
  await page.getByRole('button', { name: 'Sign in' }).click();
  await page.getByRole('heading', { name: 'Overview', level: 1 }).waitFor();
  await page.reload();
  await page.getByRole('heading', { name: 'Overview', level: 1 }).waitFor();
  await page.getByRole('button', { name: 'Sign out' }).click();
  await page.getByLabel('Admin token').waitFor();
  assert.deepEqual(page.complaints(), []);
  await page.context().close();
});

test('a fallback that just happened appears live and opens into its waterfall', async () => {
  const p = await policy([status(503), answer('saved')], QUICK);
  const page = await open('requests');
  await page.locator('.live-state').getByText('live', { exact: true }).waitFor();
  await page.waitForTimeout(300);
  const response = await worker.chat(p.model, {}, { 'x-understudy-request-id': 'seen-live' });
  assert.equal(response.status, 200);
  const row = page.locator('tbody tr', { hasText: p.name });
  await row.getByText('saved by fallback').waitFor();
  assert.ok((await row.textContent()).includes(p.targets[1]));
  await row.getByRole('button', { name: /Open the request/ }).click();
  const dialog = page.getByRole('dialog');
  const bars = dialog.locator('.wf-row');
  await bars.nth(1).waitFor();
  assert.equal(await bars.count(), 2);
  assert.match(await bars.nth(0).textContent(), new RegExp(`${p.targets[0]}.*(overloaded|server error).*503`));
  assert.match(await bars.nth(1).textContent(), new RegExp(`${p.targets[1]}.*answered`));
  assert.ok((await dialog.textContent()).includes('seen-live'));
  await page.keyboard.press('Escape');
  await dialog.waitFor({ state: 'hidden' });
  assert.deepEqual(page.complaints(), []);
  await page.context().close();
});

test('a policy may stand in the filter as clients name it, and requests that end are shown all the same', async () => {
  const p = await policy([answer('one')]);
  const page = await open(`requests?policy=${encodeURIComponent(p.model)}`);
  await page.locator('.live-state').getByText('live', { exact: true }).waitFor();
  await page.waitForTimeout(300);
  await worker.chat(p.model);
  await page.locator('tbody tr', { hasText: p.targets[0] }).waitFor();
  assert.deepEqual(page.complaints(), []);
  await page.context().close();
});

test('a policy is created with a mistake, mended at the field, saved, used, and rolled back', async () => {
  upstream.on('acme/first', ...Array(4).fill(answer('from the first')));
  upstream.on('acme/second', ...Array(4).fill(answer('from the second')));
  const page = await open('policies');
  await page.getByRole('button', { name: 'Create policy' }).first().click();
  await page.getByLabel('Name', { exact: true }).fill('made-here');
  const models = page.getByLabel('Model', { exact: true });
  await models.nth(0).fill('acme/first');
  await models.nth(1).fill('acme/second');

  const retries = page.getByLabel('Retries', { exact: true }).nth(1);
  await retries.fill('11');
  assert.match(await saidAt(retries), /11/);
  assert.equal(await retries.getAttribute('aria-invalid'), 'true');
  const create = page.getByRole('button', { name: 'Create policy' });
  assert.ok(await create.isDisabled());
  await retries.fill('1');
  await page.waitForFunction(() => !document.querySelector('[aria-invalid="true"]'));
  await create.click();
  await page.getByText(/is live at version/).waitFor();
  const first = await worker.chat('policy/made-here');
  assert.equal(first.headers.get('x-understudy-model'), 'acme/first');

  await visit(page, 'policies/made-here/edit');
  const handle = page.getByRole('button', { name: /^Hop 1 of 2, acme\/first/ });
  await handle.focus();
  await page.keyboard.press('ArrowDown');
  await page.getByRole('button', { name: /^Hop 1 of 2, acme\/second/ }).waitFor();
  // The first version's message may still be on the page: the second's is told by its version.
  const answered = page.waitForResponse((response) => response.request().method() === 'PUT' && response.url().endsWith('/policies/made-here'));
  await page.getByRole('button', { name: 'Save', exact: true }).click();
  const { version } = await (await answered).json();
  await page.getByText(`is live at version ${version}`).waitFor();
  const second = await worker.chat('policy/made-here');
  assert.equal(second.headers.get('x-understudy-model'), 'acme/second');
  assert.notEqual(second.headers.get('x-understudy-policy'), first.headers.get('x-understudy-policy'));

  await visit(page, 'policies/made-here/versions');
  await page.getByRole('button', { name: 'What changed' }).first().click();
  await page.locator('.diff .added').first().waitFor();
  await page.getByRole('button', { name: 'Roll back' }).first().click();
  await page.getByRole('dialog').getByRole('button', { name: 'Roll back' }).click();
  await page.getByText(/is back at version/).waitFor();
  const third = await worker.chat('policy/made-here');
  assert.equal(third.headers.get('x-understudy-policy'), first.headers.get('x-understudy-policy'));
  assert.equal(third.headers.get('x-understudy-model'), 'acme/first');
  assert.deepEqual(page.complaints(), []);
  await page.context().close();
});

test('an edit that another made meanwhile is not overwritten', async () => {
  await worker.put('policy:shared', { chain: ['acme/a', 'acme/b'] });
  const page = await open('policies/shared/edit');
  await page.getByLabel('Description').fill('mine');
  const theirs = await worker.admin('/policies/shared', { method: 'PUT', body: { description: 'theirs', chain: ['acme/a'] } });
  assert.equal(theirs.status, 200);
  await page.getByRole('button', { name: 'Save', exact: true }).click();
  await page.getByText('Someone changed this policy while you were editing.').waitFor();
  await page.getByRole('button', { name: 'Take theirs' }).click();
  assert.equal(await page.getByLabel('Description').inputValue(), 'theirs');
  assert.deepEqual(page.complaints(), []);
  await page.context().close();
});

test('a policy that another made meanwhile under the same name is not overwritten', async () => {
  const page = await open('policies/~new');
  await page.getByLabel('Name', { exact: true }).fill('taken-meanwhile');
  await page.getByLabel('The policy as JSON').fill('{"chain": ["acme/a", "other/b"]}');
  await page.getByText('no errors').waitFor();
  const theirs = await (await worker.admin('/policies/taken-meanwhile', { method: 'PUT', body: { description: 'theirs', chain: ['acme/a'] } })).json();
  await page.getByRole('button', { name: 'Create policy' }).click();
  await page.getByText('when you began there was none of that name').waitFor();
  assert.equal((await (await worker.admin('/policies/taken-meanwhile')).json()).version, theirs.version);
  assert.deepEqual(page.complaints(), []);
  await page.context().close();
});

test('a key is shown once, and every page opens without a complaint', async () => {
  const page = await open('keys');
  await page.getByRole('button', { name: 'Create key' }).first().click();
  await page.getByLabel('Name', { exact: true }).fill('from-the-page');
  await page.getByRole('dialog').getByRole('button', { name: 'Create key' }).click();
  assert.match(await page.getByLabel('The new key').inputValue(), /^us-[A-Za-z0-9]{40}$/);
  await page.getByRole('button', { name: 'I have stored it' }).click();
  await page.getByRole('heading', { name: 'from-the-page' }).waitFor();
  for (const hash of ['overview', 'requests', 'policies', 'rules', 'rulesets', 'keys', 'groups', 'providers', 'audit']) {
    await visit(page, hash);
    await page.waitForFunction(() => document.querySelector('h1') && !document.querySelector('.skeleton'));
    assert.equal(await page.locator('.problem[role=alert]').count(), 0, `${hash}: ${await page.locator('main').textContent()}`);
  }
  assert.deepEqual(page.complaints(), []);
  await page.context().close();
});

test('rules made on the page route the next request', async () => {
  upstream.on('acme/asked', status(500));
  upstream.on('acme/stands-by', answer('stood by'));
  const page = await open('rules');
  await page.getByRole('button', { name: 'Create rule' }).first().click();
  const dialog = page.getByRole('dialog');
  await dialog.getByLabel('Name', { exact: true }).fill('stand-by');
  await dialog.getByLabel('Value').fill('acme/asked');
  await dialog.getByLabel('Model', { exact: true }).fill('acme/stands-by');
  await dialog.getByRole('button', { name: 'Create rule' }).click();
  await page.getByText('in no ruleset').waitFor();
  await visit(page, 'rulesets');
  await page.getByRole('button', { name: 'Create ruleset' }).first().click();
  await dialog.getByLabel('Name', { exact: true }).fill('everyone');
  await dialog.getByRole('button', { name: 'Always' }).click();
  await dialog.getByRole('button', { name: 'stand-by', exact: true }).click();
  await dialog.getByRole('button', { name: 'Create ruleset' }).click();
  await page.getByRole('heading', { name: 'everyone' }).waitFor();
  const response = await worker.chat('acme/asked');
  assert.equal(response.headers.get('x-understudy-model'), 'acme/stands-by', response.headers.get('x-understudy-trail'));
  assert.deepEqual(page.complaints(), []);
  await page.context().close();
});
