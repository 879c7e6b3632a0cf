import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Platform } from './platform.ts';

describe('a start that cannot work', () => {
  let platform: Platform;

  beforeAll(async () => {
    platform = await Platform.make();
  });

  afterAll(async () => {
    await platform?.remove();
  });

  it('says which process uses the port', async () => {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(platform.httpPort, '0.0.0.0', resolve));
    try {
      const result = await platform.holdfast('start');
      expect(result.code).not.toBe(0);
      expect(result.stderr).toMatch(new RegExp(`Port ${platform.httpPort} is used by .*pid ${process.pid}`));
    } finally {
      await new Promise((resolve) => server.close(resolve));
    }
  });

  it('refuses the state of a newer version and leaves it as it is', async () => {
    const file = join(platform.home, 'version.json');
    mkdirSync(platform.home, { recursive: true });
    writeFileSync(file, JSON.stringify({ format: 99, version: '99.0.0' }));
    const result = await platform.holdfast('start');
    expect(result.code).not.toBe(0);
    expect(result.stderr).toContain('newer');
    rmSync(file);
  });

  it('says that root is needed', async () => {
    const { runCommand } = await import('../src/runtime/command.ts');
    const node = process.execPath;
    const main = join(import.meta.dirname, '../src/cli/main.ts');
    // The repository may lie where only root can read it, so the program reads its own text before it gives root up.
    const script = `
      const { checkMachine } = await import(${JSON.stringify(join(main, '../start/checks.ts'))});
      process.setuid(65534);
      try { checkMachine(); } catch (error) { console.log(error.message); }
    `;
    const result = await runCommand(node, ['--input-type=module', '--eval', script], { deadlineMs: 60_000 });
    expect(result.stdout).toContain('sudo npm start');
  });

  it('says what is wrong with a setting', async () => {
    platform.environment['HOLDFAST_HTTP_PORT'] = 'eighty';
    const result = await platform.holdfast('status');
    platform.environment['HOLDFAST_HTTP_PORT'] = String(platform.httpPort);
    expect(result.stderr).toContain('HOLDFAST_HTTP_PORT=eighty is not a port');
  });
});

describe('two platforms on one machine', () => {
  let first: Platform;
  let second: Platform;

  beforeAll(async () => {
    first = await Platform.make();
    second = await Platform.make();
    await first.start();
    await second.start();
  });

  afterAll(async () => {
    await Promise.all([first?.remove(), second?.remove()]);
  });

  it('serve different members under the same name, and one is stopped without the other noticing', async () => {
    const site = (word: string): string =>
      `def application(environ, start_response):\n    start_response('200 OK', [])\n    return [b'${word}']\n`;
    const one = await first.account('alice');
    const two = await second.account('alice');
    await first.wsgiSite(one, site('first'));
    await second.wsgiSite(two, site('second'));
    expect((await first.request('alice.localhost', '/')).text).toBe('first');
    expect((await second.request('alice.localhost', '/')).text).toBe('second');
    await first.stop();
    expect((await second.request('alice.localhost', '/')).text).toBe('second');
    expect((await second.holdfast('status')).code).toBe(0);
  });

  it('refuse a second start on the same home', async () => {
    const again = await second.holdfast('start');
    expect(again.code).not.toBe(0);
    expect(again.stderr).toMatch(/already running \(pid \d+\)/);
  });

  it('refuse bad names, taken names and wrong confirmations with a sentence', async () => {
    const bad = await second.holdfast('account', 'create', 'Not-A-Name');
    expect(bad.stderr).toContain('lower-case letters');
    const taken = await second.holdfast('account', 'create', 'alice');
    expect(taken.stderr).toMatch(/alice.*(taken|exists)/i);
    const unconfirmed = await second.holdfast('account', 'delete', 'alice');
    expect(unconfirmed.stderr).toContain('--confirm alice');
    const lastReplica = await second.holdfast('volume', 'set-aside', 'nonexistent', 'r1');
    expect(lastReplica.code).not.toBe(0);
  });

  it('delete an account with everything it had', async () => {
    expect((await second.request('alice.localhost', '/')).status).toBe(200);
    const result = await second.holdfast('account', 'delete', 'alice', '--confirm', 'alice');
    expect(result.code, result.stderr).toBe(0);
    const gone = await second.request('localhost', '/', { headers: { host: `alice.localhost:${second.httpsPort}` } });
    expect(gone.status).toBe(404);
    const volumes = await second.holdfastJson<{ accounts: number }[]>('volume', 'list');
    expect(volumes.every((volume) => volume.accounts === 0)).toBe(true);
  });
});
