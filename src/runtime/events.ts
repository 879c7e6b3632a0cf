import type { AgentEvent, AgentEventBody } from '../protocol/agent.ts';

/** How many events are kept for a control plane that reconnects; older ones are covered by asking for the whole state. */
const KEPT = 2_000;
/** Silence is not health: whoever reads hears something this often. */
const HEARTBEAT_MS = 1_000;

/** A numbered list of events with any number of readers; bounded, never waits for a reader. */
export class EventLog {
  readonly #events: AgentEvent[] = [];
  readonly #waiting = new Set<() => void>();
  #last = 0;

  emit(body: AgentEventBody): void {
    this.#last += 1;
    this.#events.push({ ...body, seq: this.#last, at: new Date().toISOString() });
    if (this.#events.length > KEPT) this.#events.splice(0, this.#events.length - KEPT);
    for (const wake of this.#waiting) wake();
  }

  /** Everything after number `after`, then what comes, until `signal` fires. A number from an earlier life starts anew. */
  async *read(after: number, signal: AbortSignal): AsyncGenerator<AgentEvent | 'heartbeat'> {
    let position = after > this.#last ? 0 : after;
    while (!signal.aborted) {
      const first = this.#events.findIndex((event) => event.seq > position);
      if (first >= 0) {
        for (const event of this.#events.slice(first)) {
          position = event.seq;
          yield event;
          if (signal.aborted) return;
        }
        continue;
      }
      if (await this.#news(signal)) continue;
      if (!signal.aborted) yield 'heartbeat';
    }
  }

  async #news(signal: AbortSignal): Promise<boolean> {
    return await new Promise<boolean>((resolve) => {
      const finish = (news: boolean): void => {
        clearTimeout(timer);
        this.#waiting.delete(wake);
        signal.removeEventListener('abort', stop);
        resolve(news);
      };
      const wake = (): void => finish(true);
      const stop = (): void => finish(false);
      const timer = setTimeout(() => finish(false), HEARTBEAT_MS);
      this.#waiting.add(wake);
      signal.addEventListener('abort', stop, { once: true });
    });
  }
}
