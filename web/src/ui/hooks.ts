import { useEffect, useState } from 'react';

/** The time, refreshed now and then, for "3 min ago". Milliseconds since 1970. */
export function useNow(everyMilliseconds = 15_000): number {
  const [now, setNow] = useState(() => Date.now());
  useEffect(() => {
    const timer = setInterval(() => setNow(Date.now()), everyMilliseconds);
    return () => clearInterval(timer);
  }, [everyMilliseconds]);
  return now;
}

/** The document's title; screen readers read it when a page opens. */
export function useTitle(title: string): void {
  useEffect(() => {
    document.title = `${title} · Holdfast`;
  }, [title]);
}
