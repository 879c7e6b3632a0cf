import { layoutOf, type Configuration } from '../../runtime/config.ts';
import { ALIVE_PATH, answersHttp } from '../../runtime/alive.ts';
import { within } from '../../runtime/deadline.ts';
import { readIdentity } from '../../runtime/identity.ts';
import { PULSE_EVERY_MS, writePulse } from '../../runtime/pulse.ts';
import { RpcClient } from '../../runtime/rpc-client.ts';
import { ChildWatch, type WatchedChild } from './child-watch.ts';
import { StandInStatus } from './stand-in-status.ts';

/** What answers within this answers. Shorter than what counts as hanging, so that one slow answer is enough to be believed. */
const ANSWER_MS = 5_500;

/** Nothing is repaired while the agent hangs, and a new one does no harm: it takes over what runs. */
const AGENT_HUNG_TURNS = 3;

/** Watches the agent and the control plane from outside, and lets them see that they are watched. */
export class Watches {
  readonly #configuration: Configuration;
  readonly #agent: ChildWatch;
  readonly #control: ChildWatch;
  readonly #say: (line: string) => void;
  readonly #standIn: StandInStatus;
  #client: RpcClient | undefined;
  #timer: NodeJS.Timeout | undefined;
  #beat = 0;
  #writing = false;
  #failed = false;

  constructor(
    configuration: Configuration,
    children: { agent: WatchedChild; control: WatchedChild },
    say: (line: string) => void,
  ) {
    const layout = layoutOf(configuration);
    this.#configuration = configuration;
    this.#say = say;
    this.#standIn = new StandInStatus(configuration, say);
    this.#control = new ChildWatch({
      name: 'control',
      child: children.control,
      answers: () => answersHttp(layout.controlSocket, ALIVE_PATH, ANSWER_MS),
      say,
    });
    this.#agent = new ChildWatch({
      name: 'agent',
      child: children.agent,
      hungTurns: AGENT_HUNG_TURNS,
      answers: () => this.#agentAnswers(),
      say,
      onChange: (since) => this.#standIn.agent(since, () => this.#control.silentSince === null),
    });
  }

  start(): void {
    this.#agent.start();
    this.#control.start();
    this.#timer = setInterval(() => void this.#pulse(), PULSE_EVERY_MS);
  }

  /** From now on nobody is ended for hanging. */
  stop(): void {
    clearInterval(this.#timer);
    this.#agent.stop();
    this.#control.stop();
    this.#standIn.stop();
    this.#client?.close();
  }

  /** Whether the agent, when it was last asked, did not answer. */
  get agentIsSilent(): boolean {
    return this.#agent.silentSince !== null;
  }

  async #agentAnswers(): Promise<boolean> {
    const layout = layoutOf(this.#configuration);
    try {
      // As the control plane would: only that one may call the agent, and root can read its key.
      this.#client ??= new RpcClient({ socketPath: layout.agentSocket }, readIdentity(layout.control));
      await within(ANSWER_MS, 'an answer of the agent', this.#client.call('host.status', {}));
      return true;
    } catch {
      return false; // Whatever the reason: it did not answer, and that is what is counted.
    }
  }

  async #pulse(): Promise<void> {
    if (this.#writing) return;
    this.#writing = true;
    this.#beat += 1;
    try {
      await writePulse(this.#configuration.runDirectory, {
        pid: process.pid,
        beat: this.#beat,
        at: new Date().toISOString(),
        silent: { agent: this.#agent.silentSince, control: this.#control.silentSince },
      });
      this.#failed = false;
    } catch (error) {
      if (!this.#failed) this.#say(`The heartbeat cannot be written: ${error instanceof Error ? error.message : ''}`);
      this.#failed = true;
    } finally {
      this.#writing = false;
    }
  }
}
