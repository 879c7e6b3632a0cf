import { HoldfastError } from '../../../protocol/errors.ts';
import type { ReplicaRecord } from './record.ts';

/** A volume that may be copied; `copying`: the copy that this agent follows. */
export interface CopiedVolume {
  readonly name: string;
  copying: Copying | undefined;
}

/** A copy onto a new disk, for those who have to end it before its time: the cut of that disk, and the clearing of a dead file system. */
export class Copying implements Disposable {
  readonly target: ReplicaRecord;
  /** Aborted when it is given up. */
  readonly signal: AbortSignal;
  /** Settled when it holds nothing of the volume any more. */
  readonly ended: Promise<void>;
  readonly #volume: CopiedVolume;
  readonly #stop = new AbortController();
  readonly #end = Promise.withResolvers<void>();
  #reason: string | undefined;

  constructor(volume: CopiedVolume, target: ReplicaRecord) {
    this.#volume = volume;
    this.target = target;
    this.signal = this.#stop.signal;
    this.ended = this.#end.promise;
    volume.copying = this;
  }

  /** `reason` continues "The new disk ... was given up: ". The first one counts. */
  giveUp(reason: string): void {
    this.#reason ??= reason;
    this.#stop.abort();
  }

  /** What the operation ends with, when it was given up. */
  get failure(): HoldfastError | undefined {
    if (this.#reason === undefined) return undefined;
    return new HoldfastError(
      'disk-unusable',
      `The new disk ${this.target.disk} was given up while the volume ${this.#volume.name} was copied onto it: ${this.#reason}`,
    );
  }

  [Symbol.dispose](): void {
    if (this.#volume.copying === this) this.#volume.copying = undefined;
    this.#end.resolve();
  }
}
