import { HoldfastError } from '../../protocol/errors.ts';
import type { NotificationSettings } from '../../protocol/incidents.ts';
import type { Configuration } from '../../runtime/config.ts';
import type { Logger } from '../../runtime/log.ts';
import type { IncidentRecord } from '../store/incidents.ts';
import { summaryOf } from '../incidents/rules.ts';
import {
  insertNotification,
  listWaiting,
  recordOutcome,
  type Channel,
  type NotificationRow,
} from '../store/notifications.ts';
import type { Database } from '../store/tables.ts';
import { alertmanagerMessage, incidentNewsSchema, mailOf, type IncidentNews } from './alert.ts';
import { sendMail } from './mail.ts';
import { readNotificationSettings } from './settings.ts';
import { sendWebhook } from './webhook.ts';

export interface NotifierTimes {
  /** Waits between tries grow from the first to the longest. */
  firstWaitMs: number;
  longestWaitMs: number;
  /** After this long a message is given up. */
  giveUpMs: number;
}

export const NOTIFIER_TIMES: NotifierTimes = { firstWaitMs: 1_000, longestWaitMs: 60_000, giveUpMs: 3_600_000 };

/** Messages that wait on one channel; beyond that the oldest is dropped, and says so on its incident. */
const WAITING_AT_MOST = 200;
const CHANNELS: readonly Channel[] = ['webhook', 'email'];

interface ChannelState {
  running: Promise<void> | undefined;
  /** Tries in a row that failed. */
  failures: number;
  /** Something came while it was sending. */
  again: boolean;
  timer: NodeJS.Timeout | undefined;
}

interface Parts {
  database: Database;
  configuration: Configuration;
  log: Logger;
  now: () => Date;
  times?: NotifierTimes;
}

/**
 * Tells operators of incidents. What is to be told is in the database before anything is sent, so a crash loses nothing; each channel
 * sends in order, by itself, and nobody waits for it.
 */
export class Notifier {
  readonly #parts: Parts;
  readonly #times: NotifierTimes;
  readonly #channels = new Map<Channel, ChannelState>(
    CHANNELS.map((channel) => [channel, { running: undefined, failures: 0, again: false, timer: undefined }]),
  );
  #stopped = false;

  constructor(parts: Parts) {
    this.#parts = parts;
    this.#times = parts.times ?? NOTIFIER_TIMES;
  }

  /** Takes up what was left unsent. */
  start(): void {
    this.wake();
  }

  /** Sends what waits now: after a start, after new settings. */
  wake(): void {
    for (const channel of CHANNELS) this.#wake(channel);
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    for (const state of this.#channels.values()) clearTimeout(state.timer);
    await Promise.all([...this.#channels.values()].flatMap((state) => state.running ?? []));
  }

  /** Writes down what is to be told on each channel that is set up, and sends it soon. */
  async queue(record: IncidentRecord, what: IncidentNews['what']): Promise<void> {
    const { database, now } = this.#parts;
    const settings = await readNotificationSettings(database);
    const news: IncidentNews = { what, incident: summaryOf(record), diagnosis: record.trouble.diagnosis };
    for (const channel of CHANNELS) {
      if (settings[channel] === null) continue;
      await this.#dropOldest(channel);
      await insertNotification(database, {
        incident_id: record.id,
        at: now().toISOString(),
        channel,
        what,
        state: 'waiting',
        outcome: 'is being sent',
        content: JSON.stringify(news),
      });
      this.#wake(channel);
    }
  }

  /** Sends a test on each channel that is set up, now; the outcome in words, null where nothing is set up. */
  async test(): Promise<{ webhook: string | null; email: string | null }> {
    const settings = await readNotificationSettings(this.#parts.database);
    const [webhook, email] = await Promise.all(
      CHANNELS.map(async (channel) => {
        if (settings[channel] === null) return null;
        try {
          await this.#send(channel, settings, testNews(this.#parts.now().toISOString()));
          return 'sent';
        } catch (error) {
          return `failed: ${reasonOf(error, settings)}`;
        }
      }),
    );
    return { webhook: webhook ?? null, email: email ?? null };
  }

  async #dropOldest(channel: Channel): Promise<void> {
    const waiting = await listWaiting(this.#parts.database, channel, WAITING_AT_MOST);
    const oldest = waiting[0];
    if (!oldest || waiting.length < WAITING_AT_MOST) return;
    await recordOutcome(this.#parts.database, oldest.id, 'failed', 'not sent: too many were waiting');
  }

  #wake(channel: Channel): void {
    const state = this.#channels.get(channel);
    if (!state || this.#stopped) return;
    clearTimeout(state.timer);
    state.timer = undefined;
    if (state.running) {
      state.again = true;
      return;
    }
    state.again = false;
    state.running = this.#run(channel, state);
  }

  /** Never rejects. */
  async #run(channel: Channel, state: ChannelState): Promise<void> {
    let left: boolean;
    try {
      left = await this.#drain(channel, state);
    } catch (error) {
      this.#parts.log.error({ channel, err: error }, 'notifications could not be read or recorded');
      state.failures += 1;
      left = true;
    }
    state.running = undefined;
    if (this.#stopped) return;
    if (state.again) this.#wake(channel);
    else if (left) {
      state.timer = setTimeout(() => this.#wake(channel), this.#wait(state.failures));
      state.timer.unref();
    }
  }

  #wait(failures: number): number {
    return Math.min(this.#times.firstWaitMs * 2 ** Math.min(failures - 1, 16), this.#times.longestWaitMs);
  }

  /** Sends in order until nothing waits or a try fails. Whether something is left. */
  async #drain(channel: Channel, state: ChannelState): Promise<boolean> {
    for (;;) {
      const [next] = await listWaiting(this.#parts.database, channel, 1);
      if (!next || this.#stopped) return false;
      const settled = await this.#try(next, state.failures + 1);
      if (!settled) {
        state.failures += 1;
        return true;
      }
      state.failures = 0;
    }
  }

  /** Whether this message needs no further try. */
  async #try(row: NotificationRow, attempt: number): Promise<boolean> {
    const { database, log, now } = this.#parts;
    const settings = await readNotificationSettings(database);
    if (settings[row.channel] === null) {
      await recordOutcome(database, row.id, 'failed', 'not sent: this channel has been switched off');
      return true;
    }
    try {
      await this.#send(row.channel, settings, incidentNewsSchema.parse(JSON.parse(row.content)));
      await recordOutcome(database, row.id, 'sent', attempt === 1 ? 'sent' : `sent, at try ${attempt}`);
      return true;
    } catch (error) {
      const reason = reasonOf(error, settings);
      const over = now().getTime() - Date.parse(row.at) >= this.#times.giveUpMs;
      const outcome = over
        ? `given up after try ${attempt}: ${reason}`
        : `try ${attempt} failed, it is tried again: ${reason}`;
      log.warn(
        { incident: row.incident_id, channel: row.channel, attempt, reason },
        'a notification could not be sent',
      );
      await recordOutcome(database, row.id, over ? 'failed' : 'waiting', outcome);
      return over;
    }
  }

  async #send(channel: Channel, settings: NotificationSettings, news: IncidentNews): Promise<void> {
    const { configuration } = this.#parts;
    if (channel === 'webhook' && settings.webhook) {
      const { url, secret } = settings.webhook;
      await sendWebhook({ url, secret }, alertmanagerMessage(news, configuration), configuration);
    }
    if (channel === 'email' && settings.email) {
      const thread = `<incident-${news.incident.id}-${Date.parse(news.incident.since)}@${configuration.domain}>`;
      await sendMail(settings.email, { ...mailOf(news, configuration), thread });
    }
  }
}

/** A failure in words, without the secrets that a server's answer may repeat. */
export function reasonOf(error: unknown, settings: NotificationSettings): string {
  let reason = error instanceof HoldfastError || error instanceof Error ? error.message : String(error);
  for (const secret of [settings.webhook?.secret, settings.email?.password]) {
    if (secret === undefined || secret === '') continue;
    reason = reason.replaceAll(secret, '***').replaceAll(Buffer.from(secret).toString('base64'), '***');
  }
  return reason.replaceAll(/\s+/g, ' ').slice(0, 300);
}

function testNews(at: string): IncidentNews {
  const culprit = { kind: 'host', volume: null, replica: null, disk: null } as const;
  return {
    what: 'resolved',
    incident: {
      id: 0,
      title: 'this is a test, nothing is wrong',
      state: 'resolved',
      severity: 'minor',
      fault: 'slow',
      culprit,
      volume: null,
      since: at,
      openedAt: at,
      resolvedAt: at,
      service: 'serving',
      doing: 'An operator tries whether notifications arrive.',
      mustAct: null,
      impact: { accounts: 0, sites: 0, requests: null },
    },
    diagnosis: { culprit, fault: 'slow', evidence: ['An operator asked for this test.'], ruledOut: [] },
  };
}
