import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { readConfiguration, type Configuration } from '../../runtime/config.ts';
import { checkPorts, checkState, userOf, whoListens } from './checks.ts';

describe('before the start', () => {
  let home: string;
  let configuration: Configuration;

  beforeEach(() => {
    home = mkdtempSync('/tmp/holdfast-checks-');
    configuration = readConfiguration({ HOLDFAST_HOME: home });
  });

  afterEach(() => rmSync(home, { recursive: true, force: true }));

  it('a port in use is refused with the name and pid of its owner', async () => {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const address = server.address();
    const port = address !== null && typeof address === 'object' ? address.port : 0;
    try {
      expect(whoListens(port)?.pid).toBe(process.pid);
      expect(() => checkPorts({ ...configuration, httpPort: port, httpsPort: 1 }, () => false)).toThrow(
        new RegExp(`Port ${port} is used by .* \\(pid ${process.pid}\\).*HOLDFAST_HTTP_PORT`),
      );
      expect(() =>
        checkPorts({ ...configuration, httpPort: port, httpsPort: 1 }, (pid) => pid === process.pid),
      ).not.toThrow();
    } finally {
      server.close();
    }
  });

  it('one port for both protocols is refused', () => {
    expect(() => checkPorts({ ...configuration, httpPort: 9, httpsPort: 9 }, () => false)).toThrow(
      /two different ports/,
    );
  });

  it('a state directory of a newer version is refused, one of this version or none is fine', () => {
    expect(() => checkState(configuration)).not.toThrow();
    writeFileSync(join(home, 'version.json'), JSON.stringify({ format: 1, version: '0.1.0' }));
    expect(() => checkState(configuration)).not.toThrow();
    writeFileSync(join(home, 'version.json'), JSON.stringify({ format: 99, version: '9.0.0' }));
    expect(() => checkState(configuration)).toThrow(/Holdfast 9\.0\.0, which is newer/);
  });

  it('a state directory whose version cannot be read is refused', () => {
    writeFileSync(join(home, 'version.json'), '{');
    expect(() => checkState(configuration)).toThrow(/cannot be read/);
  });

  it('the user of a process is known, and nobody is the user of one that has ended', () => {
    expect(userOf(process.pid)).toBe(process.getuid?.());
    expect(userOf(2 ** 22 + 1)).toBeUndefined();
  });

  it('a port or domain that is none is refused', () => {
    expect(() => readConfiguration({ HOLDFAST_HTTP_PORT: '80a' })).toThrow(/not a port/);
    expect(() => readConfiguration({ HOLDFAST_HTTPS_PORT: '70000' })).toThrow(/not a port/);
    expect(() => readConfiguration({ HOLDFAST_DOMAIN: 'no spaces' })).toThrow(/not a domain/);
  });
});
