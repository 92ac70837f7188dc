// The dashboard in states a Worker is rarely in: nothing there, nothing working, hostile names, a phone's width.
import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { launch, openPage, saidAt, signIn, visit } from './dashboard/browser.mjs';
import { startMock } from './dashboard/mock.mjs';

const PAGES = ['overview', 'requests', 'policies', 'policies/~new', 'rules', 'rulesets', 'keys', 'groups', 'providers', 'audit'];
const POLICY = ['', '/edit', '/simulate', '/explain', '/compare', '/versions'].map((tab) => `policies/sonnet${tab}`);

const browser = await launch();
const mocks = [];
after(async () => {
  await browser.close();
  // Those of tests that failed before their end are still open, and would keep this process.
  for (const mock of mocks) await mock.close();
});

async function open(mode, hash, options, more = {}) {
  const mock = await startMock({ mode, ...more });
  mocks.push(mock);
  const page = await openPage(browser, mock.url, mock.token, options);
  await signIn(page, mock.url, mock.token, hash);
  return { mock, page, close: () => page.context().close() };
}

const settled = (page) => page.waitForFunction(() => document.querySelector('h1') && !document.querySelector('.skeleton'));

test('hostile names are text, wherever they are shown', async () => {
  const { page, close } = await open('hostile', 'overview');
  const name = `"><img src=x onerror="window.pwned=1"><script>window.pwned=1</script>`;
  for (const hash of [...PAGES, `policies/${encodeURIComponent(name)}`, `policies/${encodeURIComponent(name)}/edit`, `policies/${encodeURIComponent(name)}/versions`, 'requests?id=hostile-1', `rules?edit=${encodeURIComponent(name)}`]) {
    await visit(page, hash);
    await settled(page);
    assert.equal(await page.evaluate(() => window.pwned), undefined, hash);
    assert.equal(await page.locator('#app img, #app script').count(), 0, hash);
  }
  await visit(page, 'policies');
  await page.getByText(name, { exact: true }).first().waitFor();
  assert.deepEqual(page.complaints(), []);
  await close();
});

test('the policy of the page blocks what is injected all the same', async () => {
  const { page, close } = await open('full', 'overview');
  await page.evaluate(() => {
    const host = document.createElement('div');
    host.innerHTML = `<img src="x" onerror="window.pwned=1"><b style="color: red">x</b>`;
    document.body.append(host);
    const script = document.createElement('script');
    script.textContent = 'window.pwned = 1';
    document.body.append(script);
  });
  await page.waitForTimeout(200);
  assert.equal(await page.evaluate(() => window.pwned), undefined);
  assert.ok(page.complaints().some((complaint) => complaint.includes('blocked')), 'the violation should be reported');
  await close();
});

test('a name that is not among the busiest leads to its requests all the same', async () => {
  const { page, close } = await open('full', 'groups');
  await page.getByLabel('Search by name').fill('once-seen');
  await page.getByText('Not among the busiest').waitFor();
  await page.getByRole('link', { name: 'Look for its requests' }).click();
  await page.waitForFunction(() => location.hash.includes('requests') && location.hash.includes('group=once-seen'));
  assert.deepEqual(page.complaints(), []);
  await close();
});

test('with nothing there, each page says what to do', async () => {
  const { page, close } = await open('empty', 'overview');
  for (const [hash, words] of [['overview', 'No requests in this range'], ['requests', 'No requests yet'], ['policies', 'No policies yet'], ['rules', 'No rules yet'], ['rulesets', 'No rulesets yet'], ['keys', 'No keys yet'], ['groups', 'Nobody yet'], ['providers', 'No targets in use']]) {
    await visit(page, hash);
    await page.getByText(words).waitFor();
  }
  assert.deepEqual(page.complaints(), []);
  await close();
});

test('with nothing working, each page says so and offers to try again', async () => {
  const { page, close } = await open('failing', 'overview');
  for (const hash of PAGES.filter((hash) => hash !== 'policies/~new')) {
    await visit(page, hash);
    await page.locator('.problem[role=alert]').first().waitFor();
    assert.ok(await page.getByRole('button', { name: 'Try again' }).first().isVisible(), hash);
  }
  assert.deepEqual(page.complaints(), []);
  await close();
});

test('on a phone no page is wider than the screen, and the menu opens and closes', async () => {
  const { page, close } = await open('full', 'overview', { width: 390, height: 844, hasTouch: true });
  for (const hash of [...PAGES, ...POLICY]) {
    await visit(page, hash);
    await settled(page);
    const [content, screen] = await page.evaluate(() => [document.documentElement.scrollWidth, innerWidth]);
    assert.ok(content <= screen, `${hash}: ${content} px`);
  }
  await page.getByRole('button', { name: 'Open the menu' }).click();
  await page.getByRole('link', { name: 'Keys' }).click();
  await page.getByRole('heading', { name: 'Keys', level: 1 }).waitFor();
  await page.getByRole('link', { name: 'Policies' }).waitFor({ state: 'hidden' });
  assert.deepEqual(page.complaints(), []);
  await close();
});

test('no page is wider than a small phone, or than a window just wide enough for the menu, whatever the names', async () => {
  for (const [mode, width] of [['full', 320], ['full', 861], ['hostile', 390], ['hostile', 861]]) {
    const { page, close } = await open(mode, 'overview', { width, height: 844 });
    for (const hash of [...PAGES, ...POLICY.slice(0, 1)]) {
      await visit(page, hash);
      await settled(page);
      const [content, screen] = await page.evaluate(() => [document.documentElement.scrollWidth, innerWidth]);
      assert.ok(content <= screen, `${mode} ${hash}: ${content} px of ${width}`);
    }
    await close();
  }
});

test('a word without an end stays on the page of its policy', async () => {
  const { mock, page, close } = await open('full', 'overview', { width: 390, height: 844 });
  mock.state.policies.get('sonnet').document.description = 'W'.repeat(80);
  await visit(page, 'policies/sonnet');
  await settled(page);
  const [content, screen] = await page.evaluate(() => [document.documentElement.scrollWidth, innerWidth]);
  assert.ok(content <= screen, `${content} px`);
  await close();
});

test('the tab that one is on stands on a phone', async () => {
  const { page, close } = await open('full', 'policies/sonnet/versions', { width: 390, height: 844 });
  const tab = page.getByRole('link', { name: 'Versions' });
  await tab.waitFor();
  const { x, width } = await tab.boundingBox();
  assert.ok(x >= 0 && x + width <= 390, `from ${x} to ${x + width}`);
  await close();
});

test('documents that other hands wrote break no page', async () => {
  const { mock, page, close } = await open('full', 'overview');
  const odd = { description: { a: 1 }, chain: [null, 5, 'openai/gpt-4o'] };
  mock.state.policies.set('odd', { name: 'odd', version: '00000000', document: odd, error: 'policy "odd": description: an object is not a text' });
  mock.state.rules = { rules: { odd: { description: { a: 1 }, when: 5, then: 5 } }, rulesets: [null, { name: 5, description: [], rules: 'x' }] };
  for (const hash of ['policies', 'policies/odd', 'policies/odd/edit', 'policies/odd/versions', 'rules', 'rulesets']) {
    await visit(page, hash);
    await settled(page);
    assert.equal(await page.getByText('Try again').count(), 0, hash);
  }
  mock.state.rules = { rulesets: 5 };
  await visit(page, 'rules');
  await settled(page);
  assert.deepEqual(page.complaints(), []);
  await close();
});

test('everything that can be pressed or filled in has a name', async () => {
  const { page, close } = await open('full', 'overview');
  for (const hash of [...PAGES, ...POLICY]) {
    await visit(page, hash);
    await settled(page);
    const nameless = await page.evaluate(() => [...document.querySelectorAll('button, a[href], input, select, textarea')].filter((element) => !(element.getAttribute('aria-label') || element.textContent.trim() || [...(element.labels ?? [])].some((label) => label.textContent.trim()))).map((element) => element.outerHTML.slice(0, 120)));
    assert.deepEqual(nameless, [], hash);
  }
  await close();
});

test('copy puts the policy’s reference on the clipboard', async () => {
  const { page, close } = await open('full', 'policies');
  await page.getByRole('button', { name: 'Copy policy/sonnet' }).click();
  await page.getByText('Copied policy/sonnet').waitFor();
  assert.equal(await page.evaluate(() => navigator.clipboard.readText()), 'policy/sonnet');
  await close();
});

test('hops are dragged by their handle', async () => {
  const { page, close } = await open('full', 'policies/sonnet/edit');
  const handles = page.locator('.handle');
  await handles.nth(2).waitFor();
  const [from, to] = [await handles.nth(0).boundingBox(), await page.locator('.chain-row').nth(1).boundingBox()];
  await page.mouse.move(from.x + 10, from.y + 20);
  await page.mouse.down();
  await page.mouse.move(from.x + 10, to.y + to.height - 5, { steps: 8 });
  await page.mouse.up();
  assert.equal(await page.getByLabel('Model', { exact: true }).nth(1).inputValue(), 'anthropic/claude-sonnet-4-5');
  const json = JSON.parse(await page.getByLabel('The policy as JSON').inputValue());
  assert.equal(json.chain[1].model, 'anthropic/claude-sonnet-4-5');
  assert.deepEqual(json.chain[1].timeouts, { first_token_ms: 8000 }, 'what the form hides is kept');
  await close();
});

test('hops are moved by the arrow keys, and the focus goes with them', async () => {
  const { page, close } = await open('full', 'policies/sonnet/edit');
  await page.locator('.handle').first().focus();
  await page.keyboard.press('ArrowDown');
  await page.waitForFunction(() => document.activeElement?.getAttribute('aria-label')?.startsWith('Hop 2 of 3, anthropic/claude'));
  await page.keyboard.press('ArrowDown');
  await page.waitForFunction(() => document.activeElement?.getAttribute('aria-label')?.startsWith('Hop 3 of 3, anthropic/claude'));
  await page.getByText('anthropic/claude-sonnet-4-5 is now number 3 of 3').waitFor({ state: 'attached' });
  await close();
});

test('form and JSON stay in step, and a text that does not parse loses nothing', async () => {
  const { page, close } = await open('full', 'policies/sonnet/edit');
  const json = page.getByLabel('The policy as JSON');
  const document = JSON.parse(await json.inputValue());
  document.chain[0].retries = 12;
  await json.fill(JSON.stringify(document, null, 2));
  const retries = page.getByLabel('Retries', { exact: true }).first();
  assert.equal(await retries.inputValue(), '12');
  assert.match(await saidAt(retries), /12 is not in 0..=10/);
  await page.locator('.json-gutter li.error').waitFor();
  await json.fill('{"chain": [');
  await page.locator('.json-editor ~ * .error, .editor-side .field-message.error').first().waitFor();
  assert.ok(await page.getByRole('button', { name: 'Save', exact: true }).isDisabled());
  assert.equal(await page.getByLabel('Model', { exact: true }).count(), 3);
  await close();
});

test('a scene of the simulator is drawn step by step', async () => {
  const { page, close } = await open('full', 'policies/sonnet/simulate');
  await page.getByRole('button', { name: 'First target overloaded' }).click();
  await page.getByText('Served').waitFor();
  const steps = await page.locator('.wf-row').allTextContents();
  assert.match(steps[0], /anthropic.*overloaded/);
  assert.match(steps[1], /waits 500 ms/);
  assert.match(steps.at(-1), /bedrock.*answers/);
  await close();
});

test('while an answer is on its way the page says so, and keeps its head', async () => {
  const { page, close } = await open('full', 'overview', {}, { delay: 1500 });
  for (const hash of ['overview', 'policies', 'keys', 'providers', 'policies/sonnet']) {
    await visit(page, hash);
    await page.getByRole('status', { name: 'Loading' }).first().waitFor();
    assert.ok(await page.locator('h1').isVisible(), hash);
  }
  assert.deepEqual(page.complaints(), []);
  await close();
});

for (const theme of ['light', 'dark']) {
  test(`in the ${theme} theme every text stands out from what is behind it`, async () => {
    const faint = [];
    const { page, close } = await open('full', 'overview', { colorScheme: theme });
    for (const hash of [...PAGES, ...POLICY, 'requests?class=timeout', 'rules?edit=gpt-4o-to-claude']) {
      await visit(page, hash);
      await settled(page);
      assert.equal(await page.evaluate(() => document.documentElement.dataset.theme), theme);
      faint.push(...(await page.evaluate(faintTexts)).map((text) => `${hash}: ${text}`));
    }
    assert.deepEqual(faint, []);
    await close();
  });
}

test('the theme is chosen with a button and kept', async () => {
  const { page, close } = await open('full', 'overview', { colorScheme: 'light' });
  await page.getByRole('button', { name: 'Use the dark theme' }).first().click();
  await page.waitForFunction(() => document.documentElement.dataset.theme === 'dark');
  await page.reload();
  await page.getByRole('button', { name: 'Use the light theme' }).first().waitFor();
  assert.equal(await page.evaluate(() => getComputedStyle(document.documentElement).colorScheme), 'dark');
  await close();
});

/** Runs in the page: texts whose contrast is below WCAG AA, 4.5 (3 for large ones); what is switched off is let be. */
function faintTexts() {
  const canvas = new OffscreenCanvas(1, 1).getContext('2d', { willReadFrequently: true });
  const paint = (colors) => {
    canvas.clearRect(0, 0, 1, 1);
    for (const color of colors) (canvas.fillStyle = color), canvas.fillRect(0, 0, 1, 1);
    return [...canvas.getImageData(0, 0, 1, 1).data].slice(0, 3).map((value) => value / 255);
  };
  const light = (rgb) => rgb.map((value) => (value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4)).reduce((sum, value, n) => sum + value * [0.2126, 0.7152, 0.0722][n], 0);
  const faint = new Map();
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let node = walker.nextNode(); node; node = walker.nextNode()) {
    const element = node.parentElement;
    if (!node.textContent.trim() || !element.checkVisibility({ visibilityProperty: true, opacityProperty: true }) || element.closest('.sr, .toasts, [disabled], [inert], noscript, option, datalist')) continue;
    const style = getComputedStyle(element);
    const behind = [];
    for (let at = element; at; at = at.parentElement) behind.unshift(getComputedStyle(at).backgroundColor);
    const back = paint(['white', ...behind]);
    const [a, b] = [light(paint(['white', ...behind, style.color])), light(back)].sort((x, y) => y - x);
    const size = parseFloat(style.fontSize);
    const least = size >= 24 || (size >= 18.66 && Number(style.fontWeight) >= 700) ? 3 : 4.5;
    const contrast = (a + 0.05) / (b + 0.05);
    if (contrast < least) faint.set(`${element.className} "${node.textContent.trim().slice(0, 40)}"`, contrast.toFixed(2));
  }
  return [...faint].map(([what, contrast]) => `${what} ${contrast}`);
}
