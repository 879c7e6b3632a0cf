import { createHash } from 'node:crypto';
import { closeSync, fsyncSync, openSync, readdirSync, readFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';

/**
 * A member's program in tests: writes numbered blocks with checksums, each with fsync, and prints the number of every block
 * that was acknowledged. Stops at SIGTERM. An error ends it with exit code 1 and the error on standard error.
 *
 *   writer.ts write DIRECTORY     writer.ts verify DIRECTORY ACKNOWLEDGED
 */
const BLOCK = 8192;
const BLOCKS_A_FILE = 200;
/** At most 2 MiB a second: what a quick machine writes in a minute would fill a test's volume, and leave no room to copy it. */
const PAUSE_MS = 4;

function block(number: number): Buffer {
  const content = Buffer.alloc(BLOCK, `block ${number} `);
  createHash('sha256').update(`seed ${number}`).digest().copy(content, 16);
  createHash('sha256')
    .update(content.subarray(0, BLOCK - 32))
    .digest()
    .copy(content, BLOCK - 32);
  return content;
}

const [mode, directory = '', acknowledged = '0'] = process.argv.slice(2);
if (mode === 'write') {
  let stopping = false;
  process.on('SIGTERM', () => (stopping = true));
  let number = 0;
  let file = -1;
  const step = (): void => {
    if (number % BLOCKS_A_FILE === 0) {
      if (file >= 0) closeSync(file);
      file = openSync(join(directory, `part-${number / BLOCKS_A_FILE}`), 'w');
    }
    writeSync(file, block(number));
    fsyncSync(file);
    process.stdout.write(`${number}\n`);
    number += 1;
    if (stopping) process.exit(0);
    setTimeout(step, PAUSE_MS);
  };
  step();
} else {
  const wanted = Number(acknowledged);
  const parts = new Map(readdirSync(directory).map((name) => [name, readFileSync(join(directory, name))]));
  for (let number = 0; number <= wanted; number += 1) {
    const part = parts.get(`part-${Math.floor(number / BLOCKS_A_FILE)}`);
    const start = (number % BLOCKS_A_FILE) * BLOCK;
    if (part === undefined || !part.subarray(start, start + BLOCK).equals(block(number))) {
      process.stderr.write(`block ${number} of ${wanted} is not what was written\n`);
      process.exit(1);
    }
  }
  process.stdout.write(`${wanted + 1} blocks verified\n`);
}
