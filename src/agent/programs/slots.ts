import { HoldfastError } from '../../protocol/errors.ts';

/** A bounded number of starts at a time for each volume: starts that hang on one volume take no slot of another. */
export interface Slots {
  /** Waits for a slot of the volume at most `deadlineMs`, runs the work, frees the slot. Throws `not-ready` when full. */
  with<T>(volume: string, deadlineMs: number, work: () => Promise<T>): Promise<T>;
}

export function createSlots(perVolume: number): Slots {
  const volumes = new Map<string, { used: number; waiting: (() => void)[] }>();
  return {
    with: async (volume, deadlineMs, work) => {
      const slots = volumes.get(volume) ?? { used: 0, waiting: [] };
      volumes.set(volume, slots);
      if (slots.used >= perVolume) {
        await new Promise<void>((resolve, reject) => {
          const enter = (): void => {
            clearTimeout(timer);
            resolve();
          };
          const timer = setTimeout(() => {
            slots.waiting.splice(slots.waiting.indexOf(enter), 1);
            reject(
              new HoldfastError(
                'not-ready',
                'Many programs of this volume are starting right now. Please try again soon.',
                {
                  retryAfterSeconds: 5,
                },
              ),
            );
          }, deadlineMs);
          slots.waiting.push(enter);
        });
      } else {
        slots.used += 1;
      }
      try {
        return await work();
      } finally {
        // The slot goes straight to the next in line.
        const next = slots.waiting.shift();
        if (next === undefined) slots.used -= 1;
        else next();
      }
    },
  };
}
