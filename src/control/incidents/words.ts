/** "1 account", "12 accounts". */
export function count(number: number, one: string, many = `${one}s`): string {
  return `${number} ${number === 1 ? one : many}`;
}

/** A span of time for people: "0.7 s", "42 s", "12 min 5 s", "2 h 40 min". */
export function span(milliseconds: number): string {
  const seconds = Math.max(0, milliseconds) / 1000;
  if (seconds < 10) return `${seconds.toFixed(1)} s`;
  const whole = Math.round(seconds);
  if (whole < 60) return `${whole} s`;
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${whole % 60} s`;
  return `${Math.floor(whole / 3600)} h ${Math.floor((whole % 3600) / 60)} min`;
}

/** "2026-11-23 04:12:05 UTC". */
export function moment(at: string): string {
  const date = new Date(at);
  return Number.isNaN(date.getTime()) ? at : `${date.toISOString().slice(0, 19).replace('T', ' ')} UTC`;
}

/** "3 requests took longer than a second (the longest 1.2 s), none failed." */
export function requestsInWords(requests: { delayed: number; failed: number; longestMs: number }): string {
  const { delayed, failed, longestMs } = requests;
  const waited =
    delayed === 0
      ? 'No request took longer than a second'
      : `${count(delayed, 'request')} took longer than a second (the longest ${span(longestMs)})`;
  if (failed === 0) return `${waited}${delayed === 0 ? ', and none failed' : ', none failed'}.`;
  return `${waited}, and ${count(failed, 'request')} failed.`;
}
