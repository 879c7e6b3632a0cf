/** What an account may use. The numbers are limits, not reservations. */
export interface PlanLimits {
  /** Bytes of home, /tmp and /var/www together. */
  diskBytes: number;
  /** Bytes of memory for one program. */
  memoryBytes: number;
  /** How many sites the account may define. */
  sites: number;
  /** Worker processes per site. */
  workers: number;
  /** CPU seconds a day for consoles and tasks. Sites do not count, as on PythonAnywhere. */
  cpuSecondsPerDay: number;
  consoles: number;
  tasks: number;
  /** Processes and threads in one program. */
  processes: number;
  /** Seconds one request may take before its worker is stopped. */
  requestTimeoutSeconds: number;
  /** Seconds without a request after which a site goes to sleep; 0 = never. */
  idleSleepSeconds: number;
  /** Share of the processor under contention; PythonAnywhere used 150 / 300 / 700. */
  cpuWeight: number;
}

const MiB = 1024 ** 2;
const GiB = 1024 ** 3;

/** The plans a new platform starts with; an operator changes them. */
export const DEFAULT_PLANS: Readonly<Record<string, PlanLimits>> = {
  starter: {
    diskBytes: 512 * MiB,
    memoryBytes: 512 * MiB,
    sites: 1,
    workers: 1,
    cpuSecondsPerDay: 100,
    consoles: 2,
    tasks: 1,
    processes: 64,
    requestTimeoutSeconds: 300,
    idleSleepSeconds: 900,
    cpuWeight: 150,
  },
  standard: {
    diskBytes: 2 * GiB,
    memoryBytes: GiB,
    sites: 5,
    workers: 2,
    cpuSecondsPerDay: 2000,
    consoles: 5,
    tasks: 20,
    processes: 128,
    requestTimeoutSeconds: 300,
    idleSleepSeconds: 3600,
    cpuWeight: 300,
  },
  large: {
    diskBytes: 10 * GiB,
    memoryBytes: 3 * GiB,
    sites: 20,
    workers: 4,
    cpuSecondsPerDay: 20000,
    consoles: 20,
    tasks: 50,
    processes: 256,
    requestTimeoutSeconds: 300,
    idleSleepSeconds: 0,
    cpuWeight: 700,
  },
};
