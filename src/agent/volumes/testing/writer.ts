import { createHash } from 'node:crypto';
import { closeSync, constants, fsyncSync, openSync, readdirSync, readFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';

/**
 * A member's program in tests: writes numbered blocks with checksums, each with fsync, and prints the number of every block
 * that was acknowledged. Stops at SIGTERM. An error ends it with exit code 1 and the error on standard error. After 100 MiB it begins to write
 * over its oldest blocks, so that no machine is quick enough to fill a test's volume with it.
 *
 *   writer.ts write DIRECTORY     writer.ts verify DIRECTORY ACKNOWLEDGED
 */
const BLOCK = 8192;
const BLOCKS_A_FILE = 200;
const FILES = 64;
const BLOCKS = FILES * BLOCKS_A_FILE;

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
      const name = `part-${(number / BLOCKS_A_FILE) % FILES}`;
      file = openSync(join(directory, name), constants.O_WRONLY | constants.O_CREAT, 0o644);
    }
    writeSync(file, block(number), 0, BLOCK, (number % BLOCKS_A_FILE) * BLOCK);
    fsyncSync(file);
    process.stdout.write(`${number}\n`);
    number += 1;
    if (stopping) process.exit(0);
    setImmediate(step);
  };
  step();
} else {
  const wanted = Number(acknowledged);
  const parts = new Map(readdirSync(directory).map((name) => [name, readFileSync(join(directory, name))]));
  for (let number = Math.max(0, wanted + 1 - BLOCKS); number <= wanted; number += 1) {
    const part = parts.get(`part-${Math.floor(number / BLOCKS_A_FILE) % FILES}`);
    const start = (number % BLOCKS_A_FILE) * BLOCK;
    const found = part?.subarray(start, start + BLOCK);
    // What was written over it may not have been acknowledged any more.
    if (found === undefined || !(found.equals(block(number)) || found.equals(block(number + BLOCKS)))) {
      process.stderr.write(`block ${number} of ${wanted} is not what was written\n`);
      process.exit(1);
    }
  }
  process.stdout.write(`${wanted + 1} blocks verified\n`);
}
