/**
 * The part of SFTP version 3 that we speak (draft-ietf-secsh-filexfer-02, and OpenSSH's PROTOCOL file for its extensions).
 * A packet is a length, a type, an id and fields; a string is a length and bytes. Pure.
 */
export const Type = {
  init: 1,
  version: 2,
  open: 3,
  close: 4,
  read: 5,
  write: 6,
  lstat: 7,
  fsetstat: 10,
  opendir: 11,
  readdir: 12,
  remove: 13,
  mkdir: 14,
  rmdir: 15,
  realpath: 16,
  stat: 17,
  status: 101,
  handle: 102,
  data: 103,
  name: 104,
  attributes: 105,
  extended: 200,
} as const;

export const Status = { ok: 0, endOfFile: 1, noSuchFile: 2, permissionDenied: 3, failure: 4, badMessage: 5 } as const;

export const OpenFlag = { read: 1, write: 2, append: 4, create: 8, truncate: 16, exclusive: 32 } as const;

/** A server that sends a larger packet than this is broken (OpenSSH: SFTP_MAX_MSG_LENGTH). */
export const LARGEST_PACKET = 256 * 1024;

export interface Attributes {
  size: number;
  /** With the file type bits, as in stat(2). */
  mode: number;
  /** Seconds since 1970. */
  modified: number;
}

const HAS = { size: 1, owner: 2, mode: 4, times: 8, extended: 0x80000000 } as const;

export class PacketWriter {
  readonly #parts: Buffer[] = [];
  #length = 0;

  #push(part: Buffer): this {
    this.#parts.push(part);
    this.#length += part.length;
    return this;
  }

  byte(value: number): this {
    return this.#push(Buffer.from([value]));
  }

  uint32(value: number): this {
    const part = Buffer.allocUnsafe(4);
    part.writeUInt32BE(value);
    return this.#push(part);
  }

  uint64(value: number): this {
    const part = Buffer.allocUnsafe(8);
    part.writeBigUInt64BE(BigInt(value));
    return this.#push(part);
  }

  bytes(value: Uint8Array | string): this {
    const part =
      typeof value === 'string'
        ? Buffer.from(value, 'utf8')
        : Buffer.from(value.buffer, value.byteOffset, value.length);
    return this.uint32(part.length).#push(part);
  }

  /** Only the permissions are ever set by us. */
  attributes(mode: number | undefined): this {
    return mode === undefined ? this.uint32(0) : this.uint32(HAS.mode).uint32(mode);
  }

  /** The packet with its length in front. */
  finish(): Buffer {
    const head = Buffer.allocUnsafe(4);
    head.writeUInt32BE(this.#length);
    return Buffer.concat([head, ...this.#parts]);
  }
}

/** Reads the fields of one packet. Throws RangeError when the packet is shorter than it says. */
export class PacketReader {
  readonly #bytes: Buffer;
  #at = 0;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  byte(): number {
    return this.#bytes.readUInt8(this.#at++);
  }

  uint32(): number {
    const value = this.#bytes.readUInt32BE(this.#at);
    this.#at += 4;
    return value;
  }

  uint64(): number {
    const value = this.#bytes.readBigUInt64BE(this.#at);
    this.#at += 8;
    return Number(value);
  }

  bytes(): Buffer {
    const length = this.uint32();
    if (this.#at + length > this.#bytes.length) throw new RangeError('A string reaches beyond its packet.');
    const value = this.#bytes.subarray(this.#at, this.#at + length);
    this.#at += length;
    return value;
  }

  attributes(): Attributes {
    const flags = this.uint32();
    const size = (flags & HAS.size) === 0 ? 0 : this.uint64();
    if ((flags & HAS.owner) !== 0) this.#at += 8;
    const mode = (flags & HAS.mode) === 0 ? 0 : this.uint32();
    let modified = 0;
    if ((flags & HAS.times) !== 0) {
      this.uint32();
      modified = this.uint32();
    }
    if ((flags & HAS.extended) !== 0) {
      for (let count = this.uint32(); count > 0; count--) {
        this.bytes();
        this.bytes();
      }
    }
    return { size, mode, modified };
  }
}

/** Cuts a stream of bytes into packets, however the bytes arrive. Throws RangeError for a length no server sends. */
export class PacketSplitter {
  #rest: Buffer[] = [];
  #length = 0;

  push(chunk: Buffer): Buffer[] {
    this.#rest.push(chunk);
    this.#length += chunk.length;
    if (this.#length < 4) return [];
    const all = this.#rest.length === 1 ? chunk : Buffer.concat(this.#rest);
    const packets: Buffer[] = [];
    let at = 0;
    while (all.length - at >= 4) {
      const length = all.readUInt32BE(at);
      if (length === 0 || length > LARGEST_PACKET) throw new RangeError(`A packet of ${length} bytes.`);
      if (all.length - at - 4 < length) break;
      packets.push(all.subarray(at + 4, at + 4 + length));
      at += 4 + length;
    }
    const left = all.subarray(at);
    this.#rest = left.length === 0 ? [] : [left];
    this.#length = left.length;
    return packets;
  }
}
