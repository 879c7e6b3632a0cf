import { writeFileSync, writeSync } from 'node:fs';
import { setPriority } from 'node:os';
import { LogDestination } from '../../../runtime/log-destination.ts';
import { bootId } from '../../../runtime/monotonic.ts';
import { outliveStreams } from '../../../runtime/warnings.ts';
import { FirstSigns } from './first-signs.ts';
import { lineSplitter } from './lines.ts';
import type { WatcherOrders, WatcherReport } from './messages.ts';
import { Prober } from './prober.ts';
import { Watcher } from './watcher.ts';

/**
 * The watcher of a host's disks: a process of its own, so that nothing that waits for a volume can hold it up. It ends when
 * the agent's pipe closes.
 *
 *   watcher/main.ts DIRECTORY RECORD   DIRECTORY is the platform's own; a file in it is written to see whether the host's disk is well.
 *                                      RECORD is the file that names the process which probes
 *
 * Its modules are few on purpose (types only from the protocol): it is small, and it starts quickly.
 */
const [directory = '', proberRecord = ''] = process.argv.slice(2);

// A busy processor must not look like a slow disk; and whoever repairs goes last when memory runs out. Where it is not
// allowed, the watcher is as quick as everybody else, and its gaps say when that was not enough.
for (const favour of [() => setPriority(-10), () => writeFileSync('/proc/self/oom_score_adj', '-900')]) {
  try {
    favour();
  } catch {
    continue;
  }
}

// Standard output is for reports; its words go where the agent's go.
const words = new LogDestination((text) => writeSync(2, text));
outliveStreams((warning) => words.write(`${warning.stack ?? String(warning)}\n`));

const prober = new Prober(directory, proberRecord);
const watcher = new Watcher(prober, new FirstSigns(directory, bootId()), (report: WatcherReport) => {
  process.stdout.write(`${JSON.stringify(report)}\n`);
});

function end(): void {
  watcher.stop();
  prober.stop();
  process.exit(0);
}

process.stdin.setEncoding('utf8');
process.stdin.on(
  'data',
  // What comes here was written by the agent that started us, from its own types.
  lineSplitter((line) => watcher.obey(JSON.parse(line) as WatcherOrders)),
);
process.stdin.on('end', end).on('error', end);
process.stdout.on('error', end);
process.on('SIGTERM', end);
// Ctrl-C in a terminal reaches the whole group; the agent decides when we end.
process.on('SIGINT', () => undefined);

prober.start();
watcher.start();
