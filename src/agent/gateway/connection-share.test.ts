import fc from 'fast-check';
import { expect, it } from 'vitest';
import { connectionShare } from './nginx-configuration.ts';

it('leaves each volume its whole share and the pages a quarter of one worker, however many of up to 24 volumes hang', () => {
  fc.assert(
    fc.property(fc.integer({ min: 16_384, max: 65_536 }), fc.integer({ min: 1, max: 24 }), (connections, volumes) => {
      const share = connectionShare(connections, volumes);
      // A request takes two connections: the visitor's and the site's.
      expect(share * 2 * volumes).toBeLessThanOrEqual((connections * 3) / 4);
      expect(share).toBeGreaterThanOrEqual(256);
    }),
  );
});

it('gives a volume that is alone the most there is to give, and never less with fewer volumes', () => {
  fc.assert(
    fc.property(fc.integer({ min: 512, max: 65_536 }), fc.integer({ min: 1, max: 200 }), (connections, volumes) => {
      expect(connectionShare(connections, volumes)).toBeGreaterThanOrEqual(connectionShare(connections, volumes + 1));
    }),
  );
});
