import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { readConfiguration, type Configuration } from '../runtime/config.ts';
import { recordOf, writeRecord } from '../runtime/process-record.ts';
import { api, operatorTokenFile, supervisorRecordFile } from './api.ts';

let home: string;
let configuration: Configuration;
beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), 'holdfast-api-'));
  configuration = { ...readConfiguration({ HOLDFAST_HOME: home }), runDirectory: join(home, 'run') };
  await mkdir(configuration.runDirectory);
  await mkdir(dirname(operatorTokenFile(configuration)), { recursive: true });
  await writeFile(operatorTokenFile(configuration), 'x');
});
afterEach(() => rm(home, { recursive: true, force: true }));

test('who asks a platform that does not run is told to start it', async () => {
  await expect(api(configuration, 'platform.status')).rejects.toMatchObject({
    code: 'not-ready',
    message: expect.stringContaining('is not running. Start it with npm start.'),
  });
});

test('who asks while the supervisor starts the control plane again is told that, and not to start the platform', async () => {
  writeRecord(supervisorRecordFile(configuration), recordOf(process.pid)!);
  await expect(api(configuration, 'platform.status')).rejects.toMatchObject({
    code: 'not-ready',
    message: expect.stringMatching(/control plane .* does not run just now.* \(pid \d+\) starts it/),
  });
});
