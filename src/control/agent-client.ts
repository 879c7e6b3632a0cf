import type { Readable } from 'node:stream';
import type { InsteadOf } from '../protocol/files.ts';
import type { AgentEvent, AgentInput, AgentMethod, AgentOutput } from '../protocol/agent.ts';

/** A file of a member as it comes from the agent. */
export interface AgentFile {
  /** Bytes, as the agent saw it when it opened the file. */
  size: number;
  /** Destroy it to stop the transfer. */
  stream: Readable;
}

/**
 * The agent as the control plane sees it. A file transfer that stands still for a minute, on either side, fails. Every call ends by its method's deadline at the latest (law 2); failures are
 * HoldfastErrors: the agent's own, `agent-unreachable`, or `deadline-passed`.
 */
export interface AgentClient {
  call<M extends AgentMethod>(method: M, input: AgentInput<M>): Promise<AgentOutput<M>>;
  /** Resolves when the header is there; the bytes follow in the stream, which fails when the transfer is cut off. */
  readFile(account: string, path: string): Promise<AgentFile>;
  /**
   * Sends a file. The old file stays whole unless the stream ends properly; an error of the stream cancels the upload.
   * `expectedBytes`: the length when it is known beforehand. `insteadOf`: what the writer has seen; throws `file-changed` when
   * something else is there.
   */
  writeFile(
    account: string,
    path: string,
    stream: Readable,
    expectedBytes: number | undefined,
    insteadOf?: InsteadOf,
  ): Promise<{ created: boolean }>;
  /**
   * Events with a number above `after`, for ever: ends only when `signal` aborts; throws when the connection breaks (the
   * caller then asks for the whole state again and calls events anew). Throws when the agent no longer has `after`.
   */
  events(after: number, signal: AbortSignal): AsyncIterable<AgentEvent>;
  /** Whether the last contact succeeded. Never waits. */
  reachable(): boolean;
  /** When the agent was last heard, ISO 8601; null: never. */
  heardAt(): string | null;
}
