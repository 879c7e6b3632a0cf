import { createContext, useContext, useEffect, useState } from 'react';
import type { LiveState } from '../api/live.ts';

/** A break of the live events that is shorter than this is nobody's business: a blink of the network, a restart. */
const BLINK_MS = 1500;

/** Since when a page is without live events (milliseconds since 1970), once that has lasted; null while it is live. */
export const LostAt = createContext<number | null>(null);

/** For the frame, which keeps the events: what it gives to {@link LostAt}. */
export function useLoss(live: LiveState): number | null {
  const [lostAt, setLostAt] = useState<number | null>(null);
  const lost = live === 'reconnecting';
  useEffect(() => {
    if (!lost) return;
    const at = Date.now();
    const timer = setTimeout(() => setLostAt(at), BLINK_MS);
    return () => {
      clearTimeout(timer);
      setLostAt(null);
    };
  }, [lost]);
  return lostAt;
}

/** For whatever would otherwise pass old figures for new ones. */
export function useLostAt(): number | null {
  return useContext(LostAt);
}
