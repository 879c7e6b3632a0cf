import type { OperationPace } from '../../protocol/volumes.ts';

/**
 * How a long piece of work tells where it is. Each step is checked, done and verified by its own function, so that a
 * journey that was cut off is simply walked again: steps that are done already find that out and cost little.
 */
export interface Journey {
  /** Names the steps that are to come, so that it is seen how much is left. Those that are known already stay where they are. */
  plan(names: readonly string[]): void;
  /** Runs one step. The text it answers, if any, is shown beside the step. */
  step<T>(name: string, work: (report: StepReport) => Promise<T>): Promise<T>;
  /** Set when the agent stops: the work ends as soon as it can by throwing, and goes on at the next start. */
  readonly signal: AbortSignal;
}

export interface StepReport {
  /** 0 to 1, of this step. */
  progress(fraction: number): void;
  detail(text: string): void;
  /** A complete sentence about something it met and did, for the timeline of an incident. Said again it is there once. */
  note(sentence: string): void;
  /** How fast it copies, and what it is held to. */
  pace(pace: OperationPace): void;
  /** The step had nothing to do. */
  skip(reason: string): void;
}

/** Thrown inside a journey when the agent stops; the operation stays `running` in its journal. */
export class JourneyInterrupted extends Error {
  constructor() {
    super('The agent is stopping; the work goes on when it starts again.');
    this.name = 'JourneyInterrupted';
  }
}
