import { expect, test } from 'vitest';
import { pino } from 'pino';
import { NGINX_TURN_MS, NginxWatch } from './nginx-watch.ts';
import type { ProcessEntry } from './process-table.ts';

const entry = (pid: number, title: string, state = 'S'): ProcessEntry => ({
  pid, parent: 1, startTime: '1', state, processorTicks: 0, name: 'nginx', title,
}); // prettier-ignore

interface NginxBench {
  sent: [number, string][];
  watch: NginxWatch;
  silence: () => void;
  turns: (count: number) => Promise<void>;
}

function bench(states: { master?: string; worker?: string }, idle: boolean, msATurn: number): NginxBench {
  const sent: [number, string][] = [];
  let answers = true;
  let used = 0;
  let now = 0;
  const watch = new NginxWatch({
    processes: () => [
      entry(1, 'nginx: master process nginx', states.master),
      entry(2, 'nginx: worker process', states.worker),
    ],
    answers: async () => await Promise.resolve(answers),
    signal: ({ pid }, signal) => sent.push([pid, signal]),
    idle: () => idle,
    usedMs: () => (used += msATurn),
    log: pino({ level: 'silent' }),
  });
  return {
    sent,
    watch,
    silence: () => void (answers = false),
    turns: async (count: number) => {
      for (let turn = 0; turn < count; turn++) {
        watch.turn((now += NGINX_TURN_MS));
        await new Promise((resolve) => setImmediate(resolve));
      }
    },
  };
}

test('a stopped process is told to go on first, and ended only when it stays stopped', async () => {
  const { sent, turns } = bench({ master: 'T' }, true, 0);
  await turns(4);
  expect(sent).toEqual([[1, 'SIGCONT']]);
  await turns(1);
  expect(sent).toEqual([[1, 'SIGCONT'], [1, 'SIGKILL']]); // prettier-ignore
});

test.each([
  ['loops without an end', 'R', 900],
  ['waits in the kernel for something else than work', 'D', 0],
])('a worker that %s while nobody answers is ended, and only that one', async (_how, state, msATurn) => {
  const { sent, turns, silence } = bench({ worker: state }, false, msATurn);
  await turns(3);
  silence();
  await turns(20);
  expect(new Set(sent.map(([pid, signal]) => `${pid} ${signal}`))).toEqual(new Set(['2 SIGKILL']));
});

test('a worker that waits for its turn on a busy machine is left alone, and so is one that waits for work', async () => {
  for (const [state, idle] of [
    ['R', false],
    ['S', true],
  ] as const) {
    const { sent, turns, silence, watch } = bench({ worker: state }, idle, 30);
    await turns(3);
    silence();
    await turns(60);
    expect(watch.silent).toBe(true);
    expect(sent).toEqual([]);
  }
});

test('nobody is ended while nginx answers', async () => {
  const { sent, turns } = bench({ worker: 'R' }, false, 1000);
  await turns(60);
  expect(sent).toEqual([]);
});
