import { writeSync } from 'node:fs';

/** What a write to a log needs; a test brings its own. */
export type WriteLine = (text: string) => number;

/**
 * Where a process writes its log. A disk that is full, or a reader that went away, costs lines and never the process: lines that could not be
 * written are counted, and the first one that can be is preceded by how many are missing.
 */
export class LogDestination {
  readonly #write: WriteLine;
  #dropped = 0;
  #torn = false;

  constructor(write: WriteLine = (text) => writeSync(1, text)) {
    this.#write = write;
  }

  /** Lines that could not be written since the last that could. */
  get dropped(): number {
    return this.#dropped;
  }

  /** Takes one line, with its end. Never throws. */
  write(line: string): void {
    const missing =
      this.#dropped === 0
        ? ''
        : `${JSON.stringify({ level: 40, time: new Date().toISOString(), msg: `${this.#dropped} lines could not be written` })}\n`;
    const text = `${this.#torn ? '\n' : ''}${missing}${line}`;
    try {
      const written = this.#write(text);
      this.#torn = written < Buffer.byteLength(text);
      this.#dropped = this.#torn ? this.#dropped + 1 : 0;
    } catch {
      this.#dropped += 1;
    }
  }
}
