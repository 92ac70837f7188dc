// What a process of this machine spent: processor time and memory, from /proc (Linux).
import { readFileSync, readdirSync } from 'node:fs';
import { cpus, totalmem } from 'node:os';
import { workerdVersion } from './workerd.mjs';

/** Processor seconds of a process so far, all its threads; in nanoseconds where the kernel counts them, for those that live. */
export function cpuSeconds(pid) {
  let nanoseconds = 0;
  for (const thread of readdirSync(`/proc/${pid}/task`)) {
    nanoseconds += Number(readFileSync(`/proc/${pid}/task/${thread}/schedstat`, 'utf8').split(' ')[0]);
  }
  return nanoseconds / 1e9;
}

const status = (pid, field) => Number(new RegExp(`^${field}:\\s+(\\d+) kB`, 'm').exec(readFileSync(`/proc/${pid}/status`, 'utf8'))[1]) * 1024;

/** Bytes of memory that a process holds now. */
export const memoryBytes = (pid) => status(pid, 'VmRSS');

/** The share of all processors that somebody else, neither of `pids` nor us, uses between two calls. */
export function machineBusy() {
  const [, ...fields] = readFileSync('/proc/stat', 'utf8').split('\n')[0].trim().split(/\s+/).map(Number);
  const all = fields.slice(0, 8).reduce((sum, value) => sum + value, 0);
  return { busy: (all - fields[3] - fields[4]) / 100, all: all / 100 };
}

export const machine = () => ({
  cpu: cpus()[0].model,
  cores: cpus().length,
  memory_gib: Math.round(totalmem() / 2 ** 30),
  node: process.versions.node,
  workerd: workerdVersion(),
});
