import { assert, bigInt, property } from 'fast-check';
import { describe, expect, test } from 'vitest';
import { deniedCalls, filterInstructions, seccompProgram, type Architecture, type Instruction } from './seccomp.ts';

const ALLOW = 0x7fff0000;
const KILL = 0x80000000;
const ARCH: Record<Architecture, number> = { x64: 0xc000003e, arm64: 0xc00000b7 };

/** What the kernel's interpreter does with the few instructions the filter uses. */
function evaluate(
  program: readonly Instruction[],
  data: { number: number; arch: number; arguments?: bigint[] },
): number {
  const memory = Buffer.alloc(64);
  memory.writeUInt32LE(data.number >>> 0, 0);
  memory.writeUInt32LE(data.arch >>> 0, 4);
  (data.arguments ?? []).forEach((value, index) => memory.writeBigUInt64LE(BigInt.asUintN(64, value), 16 + 8 * index));
  let accumulator = 0;
  for (let counter = 0; counter < program.length; counter += 1) {
    const { code, jt, jf, k } = program[counter]!;
    if (code === 0x20) accumulator = memory.readUInt32LE(k);
    else if (code === 0x54) accumulator = (accumulator & k) >>> 0;
    else if (code === 0x06) return k >>> 0;
    else {
      const taken =
        code === 0x15 ? accumulator === k >>> 0 : code === 0x35 ? accumulator >= k >>> 0 : (accumulator & k) !== 0;
      counter += taken ? jt : jf;
    }
  }
  throw new Error('the program ran past its end');
}

const errno = (code: number): number => 0x00050000 | code;

describe.each(['x64', 'arm64'] as const)('the filter for %s', (architecture) => {
  const program = filterInstructions(architecture);
  const arch = ARCH[architecture];
  const run = (number: number, ...values: bigint[]): number => evaluate(program, { number, arch, arguments: values });
  const [clone, ioctl, socket, personality] = architecture === 'x64' ? [56, 16, 41, 135] : [220, 29, 198, 92];
  const special = new Set<number>([clone, ioctl, socket, personality, 435, 425, 426, 427]);

  test('refuses every call of its list and allows every other', () => {
    const denied = new Set(deniedCalls(architecture).values());
    const plain = Array.from({ length: 600 }, (_value, number) => number).filter((number) => !special.has(number));
    for (const number of plain) {
      expect([number, run(number)]).toEqual([number, denied.has(number) ? errno(1) : ALLOW]);
    }
  });

  test('refuses the one call that waits for the volumes of others, and lets files and the own volume be synced', () => {
    const [sync, syncfs, fsync] = architecture === 'x64' ? [162, 306, 74] : [81, 267, 82];
    expect([run(sync), run(syncfs), run(fsync)]).toEqual([errno(1), ALLOW, ALLOW]);
  });

  test('ends a process that uses another ABI', () => {
    expect(evaluate(program, { number: 1, arch: 0x40000003 })).toBe(KILL);
    // x32 exists beside x86-64 only; on arm64 the number is one that is not used.
    expect(run(0x40000001)).toBe(architecture === 'x64' ? errno(38) : ALLOW);
  });

  test('lets clone make threads and processes, and no namespace, whatever the other bits', () => {
    const namespaces = [0x00020000n, 0x02000000n, 0x04000000n, 0x08000000n, 0x10000000n, 0x20000000n, 0x40000000n];
    const all = namespaces.reduce((sum, bit) => sum | bit, 0n);
    assert(
      property(bigInt({ min: 0n, max: 2n ** 64n - 1n }), (flags) => {
        expect(run(clone, flags)).toBe((flags & all) === 0n ? ALLOW : errno(1));
      }),
    );
    for (const bit of namespaces) expect(run(clone, bit | 17n)).toBe(errno(1));
  });

  test('looks at the half of an argument that the kernel uses', () => {
    expect(run(ioctl, 0n, 0x5412n)).toBe(errno(1));
    expect(run(ioctl, 0n, 0x1_0000_5412n)).toBe(errno(1));
    expect(run(ioctl, 0n, 0x5401n)).toBe(ALLOW);
  });

  test('refuses subvolumes and snapshots, which no quota would count, and lets files be copied by reference and defragmented', () => {
    for (const request of [0x50009401n, 0x5000940en, 0x50009417n, 0x50009418n])
      expect(run(ioctl, 0n, request)).toBe(errno(1));
    for (const request of [0x40049409n, 0x4020940dn, 0xc0189436n, 0x40309410n])
      expect(run(ioctl, 0n, request)).toBe(ALLOW);
  });

  test('allows Unix, IP and netlink sockets only', () => {
    for (let family = 0n; family < 50n; family += 1n) {
      expect(run(socket, family)).toBe([1n, 2n, 10n, 16n].includes(family) ? ALLOW : errno(97));
    }
  });

  test('allows the usual personalities only', () => {
    expect(run(personality, 0xffffffffn)).toBe(ALLOW);
    expect(run(personality, 0n)).toBe(ALLOW);
    expect(run(personality, 0x0040000n)).toBe(errno(1));
  });

  test('is a program the kernel takes: every jump stays inside, the last instruction answers', () => {
    const jumps = program.map(({ jt, jf }, index) => ({ index, longest: Math.max(jt, jf) }));
    expect(jumps.filter(({ longest }) => longest > 255)).toEqual([]);
    expect(jumps.filter(({ index, longest }) => longest > 0 && index + 1 + longest >= program.length)).toEqual([]);
    expect(program.at(-1)?.code).toBe(0x06);
    expect(program.length).toBeLessThan(4096);
    expect(seccompProgram(architecture)).toHaveLength(program.length * 8);
  });
});

test('another architecture is refused with a sentence', () => {
  expect(() => seccompProgram('riscv64')).toThrow(/x86-64 or arm64/);
});
