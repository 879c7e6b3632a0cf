import { expect, test } from 'vitest';
import { ChildWatch } from './child-watch.ts';

interface Bench {
  child: { pid: number | undefined; ended: number; endHung(): Promise<void> };
  answers: boolean;
  told: (string | null)[];
  said: string[];
  turn: (gapMs?: number) => Promise<void>;
}

function bench(): Bench {
  const made: Bench = {
    child: {
      pid: 1,
      ended: 0,
      async endHung() {
        made.child.ended += 1;
        made.child.pid = (made.child.pid ?? 0) + 1;
        await Promise.resolve();
      },
    },
    answers: true,
    told: [],
    said: [],
    turn: async (gapMs = 1000) => {
      now += gapMs;
      watch.turn(now, new Date(now).toISOString());
      // The question is asked and answered in the turns of the event loop that follow.
      await new Promise((resolve) => setImmediate(resolve));
    },
  };
  let now = 0;
  const watch = new ChildWatch({
    name: 'control',
    child: made.child,
    answers: async () => await Promise.resolve(made.answers),
    say: (line) => made.said.push(line),
    onChange: (since) => made.told.push(since),
  });
  return made;
}

async function turns(made: Bench, count: number, gapMs?: number): Promise<void> {
  for (let turn = 0; turn < count; turn++) await made.turn(gapMs);
}

test('one that hangs is told of after 3 turns, ended after 7, and told of again when its successor answers', async () => {
  const made = bench();
  await turns(made, 5);
  made.answers = false;
  await turns(made, 2);
  expect(made.told).toHaveLength(0);
  await turns(made, 1);
  expect(made.told).toEqual([expect.any(String)]);
  expect(made.child.ended).toBe(0);
  await turns(made, 4);
  expect(made.child.ended).toBe(1);
  expect(made.said.join()).toContain('hangs');
  made.answers = true;
  await turns(made, 2);
  expect(made.told.at(-1)).toBeNull();
});

test('one that has just been started has the time it needs', async () => {
  const made = bench();
  made.answers = false;
  await turns(made, 100);
  expect(made.child.ended).toBe(0);
  await turns(made, 25);
  expect(made.child.ended).toBe(1);
});

test('a supervisor that was itself held up ends nobody', async () => {
  const made = bench();
  await turns(made, 3);
  made.answers = false;
  await turns(made, 50, 5_000);
  expect(made.child.ended).toBe(0);
});

test('one that hangs again and again is given longer each time', async () => {
  const made = bench();
  const untilEnded: number[] = [];
  for (let round = 0; round < 3; round++) {
    made.answers = true;
    await turns(made, 3);
    made.answers = false;
    const before = made.child.ended;
    let count = 0;
    while (made.child.ended === before) {
      await made.turn();
      count += 1;
    }
    untilEnded.push(count);
  }
  expect(untilEnded[1]).toBeGreaterThan(untilEnded[0] ?? 0);
  expect(untilEnded[2]).toBeGreaterThan(untilEnded[1] ?? 0);
});

test('one that is dead is left to its owner', async () => {
  const made = bench();
  await turns(made, 3);
  made.child.pid = undefined;
  await turns(made, 200);
  expect(made.child.ended).toBe(0);
  expect(made.told).toEqual([expect.any(String)]);
});
