// A real browser for the dashboard's tests, and what every page of it must hold to: no error, no blocked content, no
// request to another origin, no token in a URL.
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { chromium } from 'playwright-core';

const FLAGS = ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync'];
const PLACES = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome', '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome', '/Applications/Chromium.app/Contents/MacOS/Chromium'];

export async function launch() {
  const executablePath = process.env.CHROME ?? PLACES.find(existsSync);
  assert.ok(executablePath, 'no Chromium or Chrome found: CHROME=/path/to/chrome names one');
  return chromium.launch({ executablePath, args: FLAGS });
}

/** A page at `origin`; `page.complaints()` lists what went wrong on it so far. */
export async function openPage(browser, origin, token, { width = 1440, height = 900, ...more } = {}) {
  const context = await browser.newContext({ viewport: { width, height }, permissions: ['clipboard-read', 'clipboard-write'], ...more });
  const page = await context.newPage();
  page.setDefaultTimeout(30_000);
  const complaints = [];
  page.on('pageerror', (error) => complaints.push(`error: ${error.message}`));
  page.on('console', (message) => message.type() === 'error' && !/status of (401|404|412|422|503)/.test(message.text()) && complaints.push(`console: ${message.text()}`));
  page.on('request', (request) => {
    const url = request.url();
    if (!url.startsWith(origin) && !url.startsWith('data:')) complaints.push(`request to another origin: ${url}`);
    if (url.includes(token)) complaints.push(`the token is in a URL: ${url}`);
  });
  page.complaints = () => complaints;
  await context.addInitScript(() => document.addEventListener('securitypolicyviolation', (event) => console.error(`blocked by the policy: ${event.violatedDirective} ${event.blockedURI}`)));
  return page;
}

export async function signIn(page, origin, token, hash = 'overview') {
  await page.goto(`${origin}/#/${hash}`);
  await page.getByLabel('Admin token').fill(token);
  await page.getByRole('button', { name: 'Sign in' }).click();
  await page.locator('nav[aria-label=Pages]').waitFor({ state: 'attached' });
}

/** Goes to another page of the dashboard as its links do. */
export const visit = (page, hash) => page.evaluate((to) => (location.hash = `#/${to}`), hash);

/** What is said at a field: the text its input is described by. */
export async function saidAt(input) {
  await input.page().waitForFunction((element) => element.getAttribute('aria-describedby'), await input.elementHandle());
  return input.evaluate((element) => element.getAttribute('aria-describedby').split(' ').map((id) => document.getElementById(id)?.textContent ?? '').join(' '));
}
