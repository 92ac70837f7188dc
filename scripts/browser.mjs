// Finds a Chromium or Chrome for the browser tests; on Debian as root it installs one.
import { accessSync, constants, existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { Problem, say, step } from './lib/steps.mjs';

const NAMES = ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable', 'chrome'];
const MAC_APPS = ['/Applications/Google Chrome.app/Contents/MacOS/Google Chrome', '/Applications/Chromium.app/Contents/MacOS/Chromium'];

/** The path of a browser; throws with the command that installs one. */
export async function findBrowser() {
  const named = process.env.CHROME;
  if (named) {
    if (isExecutable(named)) return named;
    throw new Problem(`CHROME is "${named}", which is no program that can be run`);
  }
  const found = installed();
  if (found) return found;
  if (existsSync('/etc/debian_version') && process.getuid?.() === 0) {
    say('Installing Chromium for the browser tests (1 to 2 minutes, once)');
    await step('apt-update', 'apt-get', ['update']);
    await step('apt-chromium', 'apt-get', ['install', '-y', '--no-install-recommends', 'chromium'], { env: { DEBIAN_FRONTEND: 'noninteractive' } });
    const now = installed();
    if (now) return now;
  }
  const how = process.platform === 'darwin' ? 'brew install --cask google-chrome' : 'sudo apt-get install -y chromium';
  throw new Problem(`The browser tests need Chromium or Chrome. Install one:\n  ${how}\nor name one: CHROME=/path/to/chrome npm test`);
}

function installed() {
  const onPath = (process.env.PATH ?? '').split(delimiter).flatMap((folder) => NAMES.map((name) => join(folder, name)));
  return [...onPath, ...MAC_APPS].find(isExecutable);
}

function isExecutable(path) {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
