import { createContext, useContext, useEffect, useState } from 'react';
import type { LiveState } from '../api/live.ts';

/** A break of the live events that is shorter than this is nobody's business: a blink of the network, a restart. */
const BLINK_MS = 1500;

/** Since when (milliseconds since 1970) what a page shows is not up to date, and why. */
export type Loss = Omit<Extract<LiveState, { kind: 'lost' }>, 'kind'>;

/** Null while the page is up to date. */
export const LostAt = createContext<Loss | null>(null);

/**
 * The mark of a page right after a change of the events. Once it is there it stays until something new has been heard: a stream that first says nothing
 * and then breaks has not become up to date in between. Only a break is waited for; silence has been waited for already.
 */
export function markedAfter(marked: Loss | null, live: LiveState): Loss | null {
  if (live.kind === 'live') return null;
  if (live.kind === 'connecting') return marked;
  const { since, cause } = live;
  return marked === null && cause === 'connection' ? null : { since, cause };
}

/** For the frame, which keeps the events: what it gives to {@link LostAt}. */
export function useLoss(live: LiveState): Loss | null {
  const [seen, setSeen] = useState({ live, loss: markedAfter(null, live) });
  // While drawing, so that no page is ever drawn without the mark in between.
  const current = seen.live === live ? seen : { live, loss: markedAfter(seen.loss, live) };
  if (current !== seen) setSeen(current);
  useEffect(() => {
    if (live.kind !== 'lost') return;
    const { since, cause } = live;
    const timer = setTimeout(() => setSeen({ live, loss: { since, cause } }), BLINK_MS);
    return () => clearTimeout(timer);
  }, [live]);
  return current.loss;
}

/** For whatever would otherwise pass old figures for new ones: since when they are old. */
export function useLostAt(): number | null {
  return useContext(LostAt)?.since ?? null;
}

/** As {@link useLostAt}, with the cause. */
export function useLost(): Loss | null {
  return useContext(LostAt);
}
