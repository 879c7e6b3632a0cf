/** Counters since boot, all kinds of requests together. */
export interface DiskCounters {
  inFlight: number;
  completed: number;
  /** Milliseconds in which anything was in flight. */
  busyMs: number;
  /** Milliseconds that all requests together took, counted when they complete. */
  waitedMs: number;
  /** Sectors of 512 bytes read and written. */
  sectors: number;
  /** Reads completed, what they read, and how long they took together. */
  reads: number;
  readSectors: number;
  readWaitedMs: number;
}
