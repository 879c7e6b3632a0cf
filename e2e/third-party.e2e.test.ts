import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Platform } from './platform.ts';

/** Radicale, a CalDAV server from Debian: a WSGI application that nobody here wrote; it keeps its data in files. */
const WSGI = `
from radicale import config
from radicale.app import Application

configuration = config.load()
configuration.update({
    "auth": {"type": "none"},
    "rights": {"type": "authenticated"},
    "storage": {"filesystem_folder": "/home/alice/calendars"},
}, "site", privileged=True)
application = Application(configuration)
`;

const EVENT = [
  'BEGIN:VCALENDAR',
  'VERSION:2.0',
  'PRODID:-//Holdfast//Test//EN',
  'BEGIN:VEVENT',
  'UID:one@holdfast',
  'DTSTAMP:20260101T000000Z',
  'DTSTART:20260102T100000Z',
  'SUMMARY:Water the plants',
  'END:VEVENT',
  'END:VCALENDAR',
  '',
].join('\r\n');

describe('an application that nobody here wrote', () => {
  let platform: Platform;

  beforeAll(async () => {
    platform = await Platform.make();
    await platform.start();
  });

  afterAll(async () => {
    await platform?.remove();
  });

  it("runs as a member's site, keeps its data, and survives kill -9 of the whole platform", async () => {
    const account = await platform.account('alice');
    const domain = await platform.wsgiSite(account, WSGI);
    const authorization = `Basic ${Buffer.from('alice:any').toString('base64')}`;
    const call = async (method: string, path: string, body = '') =>
      await platform.request(domain, path, {
        method,
        body,
        headers: { authorization, 'content-type': 'text/calendar' },
      });

    expect((await call('MKCALENDAR', '/alice/home/')).status).toBe(201);
    expect((await call('PUT', '/alice/home/one.ics', EVENT)).status).toBe(201);
    expect((await call('GET', '/alice/home/one.ics')).text).toContain('Water the plants');

    await platform.powerCut();
    await platform.start();
    const kept = await call('GET', '/alice/home/one.ics');
    expect(kept.status).toBe(200);
    expect(kept.text).toContain('Water the plants');
    const stored = await platform.api(account.api_token, 'v0/user/alice/files/tree/?path=/home/alice/calendars/');
    expect(stored.status).toBe(200);
  });
});
