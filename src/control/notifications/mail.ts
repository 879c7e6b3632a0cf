import { within } from '../../runtime/deadline.ts';
import type { NotificationSettings } from '../../protocol/incidents.ts';

/** For one try, with everything. */
const DEADLINE_MS = 30_000;
/** For each step of it. */
const STEP_MS = 10_000;

export interface Mail {
  subject: string;
  text: string;
  /** Mails of one incident belong to one thread. */
  thread: string;
}

/**
 * Sends a mail. Throws with the server's reason. `authorities`: PEM of who may sign the server's certificate, beside those the system
 * trusts.
 */
export async function sendMail(
  settings: NonNullable<NotificationSettings['email']>,
  mail: Mail,
  authorities?: string,
): Promise<void> {
  // Loaded only where it is used: it costs memory, and mails are rare.
  const { createTransport } = await import('nodemailer');
  const { host, port, security, username, password } = settings;
  const transport = createTransport({
    host,
    port,
    secure: security === 'tls',
    requireTLS: security === 'starttls',
    ignoreTLS: security === 'none',
    ...(username === null ? {} : { auth: { user: username, pass: password ?? '' } }),
    ...(authorities === undefined ? {} : { tls: { ca: authorities } }),
    dnsTimeout: STEP_MS,
    connectionTimeout: STEP_MS,
    greetingTimeout: STEP_MS,
    socketTimeout: STEP_MS,
    disableFileAccess: true,
    disableUrlAccess: true,
  });
  try {
    const sent = transport.sendMail({
      from: settings.from,
      to: settings.to,
      subject: mail.subject,
      text: mail.text,
      references: mail.thread,
      inReplyTo: mail.thread,
      // RFC 3834: no out-of-office answers to a machine.
      headers: { 'auto-submitted': 'auto-generated' },
    });
    await within(DEADLINE_MS, 'Sending the mail', sent);
  } finally {
    transport.close();
  }
}
