// Children of a benchmark: none outlives it, however it ends.
import { spawn } from 'node:child_process';

const running = new Set();
process.on('exit', () => running.forEach((child) => child.kill('SIGKILL')));
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => process.exit(1));

export function start(command, args, options) {
  const child = spawn(command, args, options);
  running.add(child);
  child.gone = new Promise((done) => child.on('exit', done).on('error', () => done(127)));
  child.gone.then(() => running.delete(child));
  return child;
}
