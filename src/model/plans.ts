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
  /** Scheduled tasks, and always-on tasks, that the account may define. */
  tasks: number;
  alwaysOnTasks: number;
  /** Seconds one run of a scheduled task may take before it is ended. */
  taskSeconds: number;
  /** Seconds between the request to end and the end by force, for tasks. */
  stopGraceSeconds: number;
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
const HOUR = 3600;

/** What plans did not have before: one that was stored then means these. */
export const LATER_LIMITS = {
  alwaysOnTasks: 0,
  taskSeconds: 12 * HOUR,
  stopGraceSeconds: 10,
} as const satisfies Partial<PlanLimits>;

/** With less than this no site starts: a Python program with its server needs room for itself before it does anything. */
export const LEAST_LIMITS = {
  diskBytes: 32 * MiB,
  memoryBytes: 64 * MiB,
  processes: 16,
  requestTimeoutSeconds: 5,
} as const satisfies Partial<PlanLimits>;

/** Processes and threads that one worker of a site may need. */
const PROCESSES_PER_WORKER = 4;

/** What a plan is called: the words of its form, its command and its errors. */
export const PLAN_NAME = /^[a-z][a-z0-9-]{0,29}$/;

/** Why programs would not run under these limits, by the limit to change. Empty when they would. */
export function planProblems(limits: PlanLimits): Partial<Record<keyof PlanLimits, string>> {
  const problems: Partial<Record<keyof PlanLimits, string>> = {};
  if (limits.diskBytes < LEAST_LIMITS.diskBytes) problems.diskBytes = 'A home needs at least 32 MiB.';
  if (limits.memoryBytes < LEAST_LIMITS.memoryBytes) problems.memoryBytes = 'A program needs at least 64 MiB to start.';
  const processes = Math.max(LEAST_LIMITS.processes, PROCESSES_PER_WORKER * limits.workers);
  if (limits.processes < processes) {
    problems.processes = `A site with ${limits.workers} ${limits.workers === 1 ? 'worker' : 'workers'} needs at least ${processes} to start.`;
  }
  if (limits.requestTimeoutSeconds < LEAST_LIMITS.requestTimeoutSeconds) {
    problems.requestTimeoutSeconds = 'A request needs at least 5 seconds, or a site that just wakes cannot answer.';
  }
  return problems;
}

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
    alwaysOnTasks: 0,
    taskSeconds: 2 * HOUR,
    stopGraceSeconds: 10,
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
    alwaysOnTasks: 2,
    taskSeconds: 12 * HOUR,
    stopGraceSeconds: 10,
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
    alwaysOnTasks: 5,
    taskSeconds: 12 * HOUR,
    stopGraceSeconds: 30,
    processes: 256,
    requestTimeoutSeconds: 300,
    idleSleepSeconds: 0,
    cpuWeight: 700,
  },
};
