import { describe, expect, test } from 'vitest';
import type { FaultKind } from '../../model/health.ts';
import type { VolumeStatus } from '../../protocol/volumes.ts';
import { whyOver } from './over.ts';
import { newMemory, type KnownTrouble } from './trouble-journal.ts';

const HOST = { hostRoom: true, held: false };

function known(kind: 'disk' | 'volume' | 'host', fault: FaultKind, cutAt: number | null = null): KnownTrouble {
  const volume = kind === 'host' ? null : 'home1';
  const culprit = { kind, volume, replica: kind === 'disk' ? 'r1' : null, disk: null };
  const diagnosis = { culprit, fault, evidence: [], ruledOut: [] };
  return { trouble: { volume, diagnosis } as unknown as KnownTrouble['trouble'], memory: { ...newMemory(), cutAt } };
}

function status(changes: Partial<VolumeStatus> = {}): VolumeStatus {
  const replicas = [{ id: 'r1' }, { id: 'r2' }] as VolumeStatus['replicas'];
  return { name: 'home1', state: 'open', redundancy: 'full', wantedOpen: true, replicas, ...changes } as VolumeStatus;
}

describe('whether a trouble that is not seen any more is over', () => {
  test('one of the host: its disks answer again; its room must have been looked at', () => {
    expect(whyOver(known('host', 'hung'), undefined, HOST)).toMatch(/disks of this host answer/);
    expect(whyOver(known('host', 'full'), undefined, HOST)).toMatch(/has room again/);
    expect(whyOver(known('host', 'full'), undefined, { ...HOST, hostRoom: false })).toBeUndefined();
  });

  test('one of a disk: not before redundancy is full and the volume is in service', () => {
    const hung = known('disk', 'hung');
    expect(whyOver(hung, status(), HOST)).toBe('The disk answers again.');
    expect(whyOver(known('disk', 'hung', 5), status(), HOST)).toMatch(/Redundancy is full again/);
    expect(whyOver(hung, status({ redundancy: 'reduced' }), HOST)).toBeUndefined();
    expect(whyOver(hung, status({ state: 'trouble' }), HOST)).toBeUndefined();
    expect(whyOver(hung, status(), { ...HOST, held: true })).toBeUndefined();
    expect(whyOver(hung, status({ state: 'closed' }), HOST)).toMatch(/was closed/);
  });

  test('one of a volume: not while it does not answer or cannot be opened', () => {
    const silence = { since: '', lastedMs: 1, cause: 'unknown', waitsIn: null, mount: '' } as const;
    expect(whyOver(known('volume', 'hung'), status(), HOST)).toMatch(/answers again/);
    expect(whyOver(known('volume', 'hung'), status({ silence }), HOST)).toBeUndefined();
    const unopened = known('volume', 'unopened');
    expect(whyOver(unopened, status(), HOST)).toMatch(/is open again/);
    expect(whyOver(unopened, status({ state: 'closed' }), HOST)).toBeUndefined();
    expect(whyOver(unopened, status({ state: 'closed', wantedOpen: false }), HOST)).toMatch(/was closed/);
  });

  test('limits hold again only when what is written is counted', () => {
    const uncounted = { why: 'It stopped.', doing: null } as unknown as NonNullable<VolumeStatus['uncounted']>;
    expect(whyOver(known('volume', 'uncounted'), status({ uncounted }), HOST)).toBeUndefined();
    expect(whyOver(known('volume', 'uncounted'), status(), HOST)).toMatch(/counted again/);
  });
});
