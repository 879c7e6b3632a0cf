import { HoldfastError } from '../../protocol/errors.ts';

/**
 * The system call filter of every sandbox, as a classic BPF program for `bwrap --seccomp`.
 * A deny list over what an unprivileged program can reach: everything that looks into other processes, changes mounts or
 * namespaces, or opens kernel parts with a history of privilege escalation and no use in hosted Python.
 * Numbers: arch/x86/entry/syscalls/syscall_64.tbl and include/uapi/asm-generic/unistd.h (arm64).
 */
export type Architecture = 'x64' | 'arm64';

/** [x86-64, arm64]; undefined where the architecture does not have the call. */
const DENIED: Readonly<Record<string, readonly [number | undefined, number | undefined]>> = {
  ptrace: [101, 117],
  process_vm_readv: [310, 270],
  process_vm_writev: [311, 271],
  process_madvise: [440, 440],
  pidfd_getfd: [438, 438],
  kcmp: [312, 272],
  move_pages: [279, 239],
  migrate_pages: [256, 238],
  mount: [165, 40],
  umount2: [166, 39],
  pivot_root: [155, 41],
  chroot: [161, 51],
  open_tree: [428, 428],
  move_mount: [429, 429],
  fsopen: [430, 430],
  fsconfig: [431, 431],
  fsmount: [432, 432],
  fspick: [433, 433],
  mount_setattr: [442, 442],
  unshare: [272, 97],
  setns: [308, 268],
  bpf: [321, 280],
  perf_event_open: [298, 241],
  userfaultfd: [323, 282],
  keyctl: [250, 219],
  add_key: [248, 217],
  request_key: [249, 218],
  kexec_load: [246, 104],
  kexec_file_load: [320, 294],
  init_module: [175, 105],
  finit_module: [313, 273],
  delete_module: [176, 106],
  create_module: [174, undefined],
  get_kernel_syms: [177, undefined],
  query_module: [178, undefined],
  reboot: [169, 142],
  swapon: [167, 224],
  swapoff: [168, 225],
  open_by_handle_at: [304, 265],
  name_to_handle_at: [303, 264],
  quotactl: [179, 60],
  quotactl_fd: [443, 443],
  acct: [163, 89],
  iopl: [172, undefined],
  ioperm: [173, undefined],
  modify_ldt: [154, undefined],
  settimeofday: [164, 170],
  clock_settime: [227, 112],
  clock_adjtime: [305, 266],
  sethostname: [170, 161],
  setdomainname: [171, 162],
  syslog: [103, 116],
  nfsservctl: [180, 42],
  vhangup: [153, 58],
  lookup_dcookie: [212, 18],
  uselib: [134, undefined],
  _sysctl: [156, undefined],
  ustat: [136, undefined],
  sysfs: [139, undefined],
  fanotify_init: [300, 262],
  fanotify_mark: [301, 263],
  // Waits for every file system of the machine, the hung one of somebody else's volume too. syncfs and fsync stay.
  sync: [162, 81],
};

/** Programs fall back by themselves when these are "not implemented", and stumble over "not permitted". */
const NOT_IMPLEMENTED: Readonly<Record<string, readonly [number, number]>> = {
  clone3: [435, 435],
  io_uring_setup: [425, 425],
  io_uring_enter: [426, 426],
  io_uring_register: [427, 427],
};

const CLONE: readonly [number, number] = [56, 220];
const IOCTL: readonly [number, number] = [16, 29];
const SOCKET: readonly [number, number] = [41, 198];
const PERSONALITY: readonly [number, number] = [135, 92];

/** CLONE_NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID, NEWNET (linux/sched.h). NEWTIME is clone3 and unshare only. */
const CLONE_NEW = 0x00020000 | 0x02000000 | 0x04000000 | 0x08000000 | 0x10000000 | 0x20000000 | 0x40000000;
/** TIOCSTI types into a terminal as its owner; TIOCLINUX pastes into a console. */
const IOCTLS_DENIED = [0x5412, 0x541c];
/**
 * File systems' own requests of btrfs have the type 0x94 in their second byte (linux/btrfs.h). An unprivileged owner may make
 * subvolumes and snapshots with them, which no quota of the account would count. Copying by reference (FICLONE,
 * FICLONERANGE, FIDEDUPERANGE of linux/fs.h) has the same type and stays, and so does writing a file anew in one piece
 * (BTRFS_IOC_DEFRAG_RANGE), which gives room back and does nothing that its owner could not do by copying.
 */
const BTRFS_TYPE = 0x9400;
const BTRFS_ALLOWED = [0x40049409, 0x4020940d, 0xc0189436, 0x40309410];
/** AF_UNIX, AF_INET, AF_INET6, AF_NETLINK. */
const SOCKET_FAMILIES = [1, 2, 10, 16];
/** PER_LINUX, PER_LINUX32, UNAME26, both, and "tell me": the set container engines allow. */
const PERSONALITIES = [0x0, 0x8, 0x20000, 0x20008, 0xffffffff];

const EPERM = 1;
const ENOSYS = 38;
const EAFNOSUPPORT = 97;

const AUDIT_ARCH: Readonly<Record<Architecture, number>> = { x64: 0xc000003e, arm64: 0xc00000b7 };
const X32_BIT = 0x40000000;

const ALLOW = 0x7fff0000;
const KILL_PROCESS = 0x80000000;
const errno = (code: number): number => 0x00050000 | code;

/** Offsets in struct seccomp_data; arguments are 64 bits wide, little endian, the low half first. */
const OFFSET_NUMBER = 0;
const OFFSET_ARCH = 4;
const argumentOffset = (index: number): number => 16 + 8 * index;

export interface Instruction {
  code: number;
  jt: number;
  jf: number;
  k: number;
}

const load = (offset: number): Instruction => ({ code: 0x20, jt: 0, jf: 0, k: offset });
const answer = (value: number): Instruction => ({ code: 0x06, jt: 0, jf: 0, k: value });
/** Goes on with the next instruction when equal, otherwise skips `skip`. */
const whenEqual = (value: number, skip: number): Instruction => ({ code: 0x15, jt: 0, jf: skip, k: value });
const unlessEqual = (value: number, skip: number): Instruction => ({ code: 0x15, jt: skip, jf: 0, k: value });
const whenAtLeast = (value: number, skip: number): Instruction => ({ code: 0x35, jt: 0, jf: skip, k: value });
const keepBits = (mask: number): Instruction => ({ code: 0x54, jt: 0, jf: 0, k: mask });
const whenAnyBit = (mask: number, skip: number): Instruction => ({ code: 0x45, jt: 0, jf: skip, k: mask });

/** Checks of one call's argument: falls through to the rest of the program (with the number loaded again) when harmless. */
function argumentCheck(number: number, argument: number, checks: readonly Instruction[]): Instruction[] {
  return [whenEqual(number, checks.length + 2), load(argumentOffset(argument)), ...checks, load(OFFSET_NUMBER)];
}

/** The filter as instructions. */
export function filterInstructions(architecture: Architecture): Instruction[] {
  const column = architecture === 'x64' ? 0 : 1;
  const program: Instruction[] = [
    load(OFFSET_ARCH),
    // Another ABI has other numbers: whatever was meant, it was not this filter's call.
    unlessEqual(AUDIT_ARCH[architecture], 1),
    answer(KILL_PROCESS),
    load(OFFSET_NUMBER),
  ];
  if (architecture === 'x64') program.push(whenAtLeast(X32_BIT, 1), answer(errno(ENOSYS)));
  program.push(
    ...argumentCheck(CLONE[column], 0, [whenAnyBit(CLONE_NEW, 1), answer(errno(EPERM))]),
    ...argumentCheck(IOCTL[column], 1, [
      ...IOCTLS_DENIED.flatMap((request) => [whenEqual(request, 1), answer(errno(EPERM))]),
      ...BTRFS_ALLOWED.map((request, index) => unlessEqual(request, BTRFS_ALLOWED.length - index + 2)),
      keepBits(0xff00),
      whenEqual(BTRFS_TYPE, 1),
      answer(errno(EPERM)),
    ]),
    ...argumentCheck(SOCKET[column], 0, oneOf(SOCKET_FAMILIES, EAFNOSUPPORT)),
    ...argumentCheck(PERSONALITY[column], 0, oneOf(PERSONALITIES, EPERM)),
  );
  for (const numbers of Object.values(DENIED)) {
    const number = numbers[column];
    if (number !== undefined) program.push(whenEqual(number, 1), answer(errno(EPERM)));
  }
  for (const numbers of Object.values(NOT_IMPLEMENTED))
    program.push(whenEqual(numbers[column], 1), answer(errno(ENOSYS)));
  program.push(answer(ALLOW));
  return program;
}

/** Answers with an error unless the loaded value is one of the allowed ones. */
function oneOf(allowed: readonly number[], error: number): Instruction[] {
  const tests = allowed.map((value, index) => unlessEqual(value, allowed.length - index));
  return [...tests, answer(errno(error))];
}

/** The bytes `bwrap --seccomp` reads: an array of struct sock_filter. Throws `set-up-missing` on another architecture. */
export function seccompProgram(architecture: string = process.arch): Buffer {
  if (architecture !== 'x64' && architecture !== 'arm64') {
    throw new HoldfastError('set-up-missing', `Sandboxes need x86-64 or arm64; this machine is ${architecture}.`);
  }
  const instructions = filterInstructions(architecture);
  const bytes = Buffer.alloc(instructions.length * 8);
  instructions.forEach((instruction, index) => {
    bytes.writeUInt16LE(instruction.code, index * 8);
    bytes.writeUInt8(instruction.jt, index * 8 + 2);
    bytes.writeUInt8(instruction.jf, index * 8 + 3);
    bytes.writeUInt32LE(instruction.k >>> 0, index * 8 + 4);
  });
  return bytes;
}

/** For tests and the operator's guide: what is refused. */
export function deniedCalls(architecture: Architecture): ReadonlyMap<string, number> {
  const column = architecture === 'x64' ? 0 : 1;
  const entries: [string, number][] = [];
  for (const [name, numbers] of Object.entries(DENIED)) {
    const number = numbers[column];
    if (number !== undefined) entries.push([name, number]);
  }
  return new Map(entries);
}
