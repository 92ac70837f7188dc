// Saying what is being done, running children quietly with a sign of life, and never leaving one behind.
import { spawn } from 'node:child_process';
import { createWriteStream, mkdirSync, readFileSync } from 'node:fs';
import { childEnv, inRoot, root } from './project.mjs';

/** An error whose message is all the user needs: printed without a stack. */
export class Problem extends Error {}

export const say = (text) => console.log(`\x1b[1m==>\x1b[0m ${text}`.replace(/\x1b\[\d+m/g, process.stdout.isTTY ? '$&' : ''));

const SIGN_OF_LIFE_MS = 15_000;
const running = new Set();

/**
 * Runs a long step: its output goes to target/logs/<name>.log, its last line is shown every 15 s,
 * and the end of the log is shown when it fails.
 */
export async function step(name, command, args, options = {}) {
  mkdirSync(inRoot('target', 'logs'), { recursive: true });
  const logPath = inRoot('target', 'logs', `${name}.log`);
  const log = createWriteStream(logPath);
  const started = Date.now();
  let lastLine = '...';
  let rest = '';
  const keep = (chunk) => {
    log.write(chunk);
    const lines = (rest + chunk).split('\n');
    rest = lines.pop();
    lastLine = lines.map((line) => line.trim()).filter(Boolean).at(-1) ?? lastLine;
  };
  const child = start(command, args, { ...options, stdio: ['ignore', 'pipe', 'pipe'] });
  child.stdout.on('data', keep);
  child.stderr.on('data', keep);
  const sign = setInterval(() => {
    console.log(`    ${Math.round((Date.now() - started) / 1000)} s  ${lastLine.slice(0, 100)}`);
  }, SIGN_OF_LIFE_MS);
  const code = await ended(child);
  clearInterval(sign);
  await new Promise((done) => log.end(done));
  if (code !== 0) {
    const tail = readFileSync(logPath, 'utf8').trimEnd().split('\n').slice(-60).join('\n');
    throw new Problem(`${tail}\n\n${name} failed (${command} ${args.join(' ')}); the whole log: ${logPath}`);
  }
  return Date.now() - started;
}

/** Runs a child whose output is the user's to read; answers its exit code. */
export const show = (command, args, options = {}) => ended(start(command, args, { stdio: 'inherit', ...options }));

/** Runs a child and answers what it printed, or null when it cannot be run or fails. */
export async function output(command, args, options = {}) {
  const { code, stdout } = await outcome(command, args, options);
  return code === 0 ? stdout : null;
}

/** Runs a child and answers its exit code, what it printed, and `text`, which has its complaints too. */
export async function outcome(command, args, options = {}) {
  const child = start(command, args, { ...options, stdio: ['ignore', 'pipe', 'pipe'] });
  let [stdout, text] = ['', ''];
  child.stdout.on('data', (chunk) => ((stdout += chunk), (text += chunk)));
  child.stderr.on('data', (chunk) => (text += chunk));
  const code = await ended(child);
  return { code, stdout: stdout.trim(), text: text.trim() };
}

/** Starts a child that ends with us, in a process group of its own when `group` is set (for those with children). */
export function start(command, args, { env, group = false, ...options } = {}) {
  const child = spawn(command, args, { cwd: root, ...options, detached: group, env: childEnv(env) });
  const entry = { child, group };
  running.add(entry);
  const drop = () => running.delete(entry);
  child.on('error', drop);
  if (!group) child.on('exit', drop);
  return child;
}

export function ended(child) {
  return new Promise((done) => {
    child.on('error', (error) => done(error.code === 'ENOENT' ? 127 : 1));
    child.on('close', (code, signal) => done(code ?? (signal ? 128 : 1)));
  });
}

export function stopChildren(signal = 'SIGTERM') {
  for (const { child, group } of running) {
    try {
      if (group) process.kill(-child.pid, signal);
      else child.kill(signal);
    } catch {
      // It has ended already.
    }
  }
}

/** Ctrl-C, a closed terminal, or a killed parent end every child, and then us. */
export function endTogether() {
  const parent = process.ppid;
  let ending = false;
  const end = (code) => {
    if (ending) return;
    ending = true;
    stopChildren('SIGTERM');
    setTimeout(() => {
      stopChildren('SIGKILL');
      process.exit(code);
    }, 1500);
  };
  process.on('SIGINT', () => end(130));
  process.on('SIGTERM', () => end(143));
  process.on('SIGHUP', () => end(129));
  process.on('exit', () => stopChildren('SIGKILL'));
  setInterval(() => process.ppid !== parent && end(1), 1000).unref();
}
