import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  parseBalanceProgress,
  parseCommitMilliseconds,
  parseErrorStats,
  parseSubvolumes,
  parseSuperBlock,
} from './btrfs-output.ts';

const SUPER = `superblock: bytenr=65536, device=/dev/loop0
---------------------------------------------------------
csum_type		0 (crc32c)
csum			0x708da8de [match]
magic			_BHRfS_M [match]
fsid			5cea847e-a4b6-44c4-92e8-839084596d0d
metadata_uuid		5cea847e-a4b6-44c4-92e8-839084596d0d
generation		17
chunk_root_generation	13
log_root		31424512
log_root_transid (deprecated)	0
total_bytes		2147483648
num_devices		2
cache_generation	0
dev_item.uuid		a0b2af44-0048-44b2-b49c-046fed2a1d5f
dev_item.fsid		5cea847e-a4b6-44c4-92e8-839084596d0d [match]
dev_item.total_bytes	1073741824
dev_item.devid		1
dev_item.generation	0
`;

describe('what btrfs prints', () => {
  test('a super block is read, and its own generation is not taken for another one', () => {
    expect(parseSuperBlock(SUPER)).toEqual({
      uuid: '5cea847e-a4b6-44c4-92e8-839084596d0d',
      deviceUuid: 'a0b2af44-0048-44b2-b49c-046fed2a1d5f',
      deviceId: 1,
      generation: 17,
      logRoot: 31424512,
      deviceBytes: 1073741824,
      numberOfDevices: 2,
    });
  });

  test('a super block with a wrong checksum or magic is none', () => {
    expect(parseSuperBlock(SUPER.replace('0x708da8de [match]', "0x708da8de [DON'T MATCH]"))).toBeUndefined();
    expect(parseSuperBlock(SUPER.replace('_BHRfS_M [match]', "........ [DON'T MATCH]"))).toBeUndefined();
    expect(parseSuperBlock('')).toBeUndefined();
  });

  test('a super block that is cut off anywhere never reads as another one', () => {
    fc.assert(
      fc.property(fc.nat(SUPER.length), (length) => {
        const cut = parseSuperBlock(SUPER.slice(0, length));
        if (cut === undefined) return;
        expect(cut).toMatchObject({ generation: 17, uuid: '5cea847e-a4b6-44c4-92e8-839084596d0d' });
      }),
    );
  });

  test('error counters of any size are read', () => {
    const counters = fc.record({
      write: fc.nat(),
      read: fc.nat(),
      flush: fc.nat(),
      corruption: fc.nat(),
      generation: fc.nat(),
    });
    fc.assert(
      fc.property(counters, (errors) => {
        const text = Object.entries(errors)
          .map(([name, count]) => `${name}_errs ${count}\n`)
          .join('');
        expect(parseErrorStats(text)).toEqual(errors);
      }),
    );
    expect(parseErrorStats('invalid\n')).toBeUndefined();
  });

  test('how long a commit has run is read where the kernel tells it', () => {
    const stats = 'commits 12\ncur_commit_ms 340\nlast_commit_ms 5\nmax_commit_ms 900\ntotal_commit_ms 1000\n';
    expect(parseCommitMilliseconds(stats)).toBe(340);
    expect(parseCommitMilliseconds(stats.replace('340', '0'))).toBe(0);
    expect(parseCommitMilliseconds(stats.replace(/^cur.*\n/m, ''))).toBeUndefined();
    fc.assert(fc.property(fc.string(), (text) => void parseCommitMilliseconds(text)));
  });

  test('subvolumes are read by their path', () => {
    expect(
      parseSubvolumes(
        'ID 256 gen 15 top level 5 path accounts/alice\nID 300 gen 9 top level 5 path accounts/.new-bob\n',
      ),
    ).toEqual(
      new Map([
        ['accounts/alice', 256],
        ['accounts/.new-bob', 300],
      ]),
    );
  });

  test('the progress of a balance stays between 0 and 1', () => {
    expect(
      parseBalanceProgress("Balance on '/x' is running\n1 out of about 3 chunks balanced (2 considered),  67% left\n"),
    ).toBeCloseTo(0.33);
    expect(parseBalanceProgress("No balance found on '/x'")).toBeUndefined();
    fc.assert(
      fc.property(fc.nat(100000), (left) => {
        const progress = parseBalanceProgress(`0 out of about 1 chunks balanced, ${left}% left`) ?? -1;
        expect(progress).toBeGreaterThanOrEqual(0);
        expect(progress).toBeLessThanOrEqual(1);
      }),
    );
  });
});
