import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { PacketReader, PacketSplitter, PacketWriter } from './sftp-protocol.ts';

const field = fc.oneof(
  fc.record({ kind: fc.constant('byte' as const), value: fc.integer({ min: 0, max: 255 }) }),
  fc.record({ kind: fc.constant('uint32' as const), value: fc.integer({ min: 0, max: 0xffffffff }) }),
  fc.record({ kind: fc.constant('uint64' as const), value: fc.maxSafeNat() }),
  fc.record({
    kind: fc.constant('bytes' as const),
    value: fc.uint8Array({ maxLength: 300 }).map((bytes) => Buffer.from(bytes)),
  }),
  fc.record({ kind: fc.constant('mode' as const), value: fc.integer({ min: 0, max: 0o7777 }) }),
);

describe('SFTP packets', () => {
  it('are read as they were written, however the stream is cut', () => {
    fc.assert(
      fc.property(
        fc.array(fc.array(field, { minLength: 1, maxLength: 6 }), { maxLength: 8 }),
        fc.infiniteStream(fc.integer({ min: 1, max: 40 })),
        (packets, cuts) => {
          const stream = Buffer.concat(
            packets.map((fields) => {
              const writer = new PacketWriter();
              for (const { kind, value } of fields) {
                if (kind === 'byte') writer.byte(value);
                else if (kind === 'uint32') writer.uint32(value);
                else if (kind === 'uint64') writer.uint64(value);
                else if (kind === 'mode') writer.attributes(value);
                else writer.bytes(value);
              }
              return writer.finish();
            }),
          );
          const splitter = new PacketSplitter();
          const found: Buffer[] = [];
          for (let at = 0; at < stream.length;) {
            const length = cuts.next().value as number;
            found.push(...splitter.push(stream.subarray(at, at + length)));
            at += length;
          }
          expect(found).toHaveLength(packets.length);
          for (const [index, fields] of packets.entries()) {
            const reader = new PacketReader(found[index] ?? Buffer.alloc(0));
            const read = fields.map(({ kind }) => {
              if (kind === 'byte') return reader.byte();
              if (kind === 'uint32') return reader.uint32();
              if (kind === 'uint64') return reader.uint64();
              return kind === 'mode' ? reader.attributes().mode : reader.bytes();
            });
            expect(read).toEqual(fields.map(({ value }) => value));
          }
        },
      ),
    );
  });

  it('of an impossible length are refused', () => {
    expect(() => new PacketSplitter().push(Buffer.from([0xff, 0xff, 0xff, 0xff]))).toThrow(RangeError);
    expect(() => new PacketReader(Buffer.from([0, 0, 0, 9, 1])).bytes()).toThrow(RangeError);
  });
});
