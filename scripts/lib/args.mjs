// Reading a command's arguments: what it does not know is said together with its help.
import { parseArgs } from 'node:util';
import { Problem } from './steps.mjs';

export function readArgs(args, options, help) {
  try {
    return parseArgs({ args, allowPositionals: true, options });
  } catch (error) {
    throw new Problem(`${error.message.split('. ')[0]}.\n\n${help}`);
  }
}
