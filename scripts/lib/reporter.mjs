// What `npm test` prints of Node's test runner: one line per file as it ends, and all of what failed.
import { basename } from 'node:path';
import { inspect } from 'node:util';

export default async function* reporter(events) {
  const failed = [];
  for await (const { type, data } of events) {
    if (type === 'test:stdout' || type === 'test:stderr') yield data.message;
    else if (type === 'test:fail' && isOwn(data)) {
      failed.push(data);
      yield failure(data);
    } else if (type === 'test:pass' && data.skip) yield `    skipped  ${data.name}${typeof data.skip === 'string' ? `: ${data.skip}` : ''}\n`;
    else if (type === 'test:summary' && data.file) yield line(data, failed.filter(({ file }) => file === data.file).length);
  }
  if (failed.length) yield `\n${failed.map((test) => `FAILED  ${where(test)}  ${test.name}`).join('\n')}\n`;
}

function line({ file, counts, duration_ms }, failed) {
  const said = [`${counts.passed} passed`, failed && `${failed} FAILED`, counts.skipped && `${counts.skipped} skipped`].filter(Boolean);
  return `    ${basename(file, '.test.mjs').padEnd(20)} ${said.join(', ').padEnd(24)} ${(duration_ms / 1000).toFixed(1)} s\n`;
}

/** Not the test around others that failed, nor the file around its tests. */
const isOwn = ({ details }) => details.error?.failureType !== 'subtestsFailed';

function failure(test) {
  const { error } = test.details;
  const text = inspect(error.cause instanceof Error ? error.cause : (error.cause ?? error), { colors: process.stdout.isTTY });
  return `\nFAILED  ${where(test)}  ${test.name}\n${text.replace(/^/gm, '        ')}\n\n`;
}

const where = ({ file, line }) => `${basename(file ?? '')}${line ? `:${line}` : ''}`;
