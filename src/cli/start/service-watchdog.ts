import { runCommand } from '../../runtime/command.ts';

/**
 * Tells systemd that the supervisor's event loop turns (sd_notify(3), WATCHDOG=1), so that systemd ends and starts one that hangs. Without systemd, or
 * without a watchdog in the unit, it does nothing. Node cannot write to a datagram socket of Unix: systemd's own command does.
 */
export class ServiceWatchdog {
  readonly #everyMs: number | undefined;
  readonly #environment: NodeJS.ProcessEnv;
  readonly #say: (line: string) => void;
  #timer: NodeJS.Timeout | undefined;
  #telling = false;
  #failed = false;

  constructor(environment: NodeJS.ProcessEnv, say: (line: string) => void) {
    this.#everyMs = watchdogEvery(environment);
    this.#environment = { PATH: '/usr/bin:/bin', NOTIFY_SOCKET: environment['NOTIFY_SOCKET'] };
    this.#say = say;
  }

  /** For as long as the process lives: it is watched while it stops things, too. */
  start(): void {
    if (this.#everyMs === undefined || this.#timer !== undefined) return;
    this.#timer = setInterval(() => void this.#tell(), this.#everyMs);
    this.#timer.unref();
    void this.#tell();
  }

  async #tell(): Promise<void> {
    if (this.#telling) return;
    this.#telling = true;
    try {
      const told = await runCommand('systemd-notify', ['WATCHDOG=1'], {
        deadlineMs: 5_000,
        environment: this.#environment,
      });
      if (told.code !== 0 && !this.#failed) this.#say(`systemd was not told that we are there: ${told.stderr.trim()}`);
      this.#failed = told.code !== 0;
    } catch (error) {
      if (!this.#failed) this.#say(`systemd was not told that we are there: ${String(error)}`);
      this.#failed = true;
    } finally {
      this.#telling = false;
    }
  }
}

/** How often systemd wants to hear, in milliseconds: three times as often as it asks for; undefined when it does not ask. */
export function watchdogEvery(environment: NodeJS.ProcessEnv): number | undefined {
  const microseconds = Number(environment['WATCHDOG_USEC'] ?? '');
  if (!environment['NOTIFY_SOCKET'] || !Number.isFinite(microseconds) || microseconds <= 0) return undefined;
  return Math.max(1_000, Math.floor(microseconds / 3_000));
}
