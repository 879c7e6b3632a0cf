import { createContext, useContext, useEffect, useState } from 'react';
import type { LiveState } from '../api/live.ts';

/** A break of the live events that is shorter than this is nobody's business: a blink of the network, a restart. */
const BLINK_MS = 1500;

/** Since when (milliseconds since 1970) what a page shows is not up to date, and why. */
export type Loss = Omit<Extract<LiveState, { kind: 'lost' }>, 'kind'>;

/** Null while the page is up to date. */
export const LostAt = createContext<Loss | null>(null);

/** For the frame, which keeps the events: what it gives to {@link LostAt}. */
export function useLoss(live: LiveState): Loss | null {
  const [loss, setLoss] = useState<Loss | null>(null);
  useEffect(() => {
    if (live.kind !== 'lost') return;
    const { since, cause } = live;
    // Silence has been waited for already.
    const timer = setTimeout(() => setLoss({ since, cause }), cause === 'connection' ? BLINK_MS : 0);
    return () => {
      clearTimeout(timer);
      setLoss(null);
    };
  }, [live]);
  return loss;
}

/** For whatever would otherwise pass old figures for new ones: since when they are old. */
export function useLostAt(): number | null {
  return useContext(LostAt)?.since ?? null;
}

/** As {@link useLostAt}, with the cause. */
export function useLost(): Loss | null {
  return useContext(LostAt);
}
