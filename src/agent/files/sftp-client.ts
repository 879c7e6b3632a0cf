import type { Readable, Writable } from 'node:stream';
import {
  LARGEST_PACKET,
  PacketReader,
  PacketSplitter,
  PacketWriter,
  Status,
  Type,
  type Attributes,
} from './sftp-protocol.ts';

/** What the server answered instead of what was asked for. */
export class SftpError extends Error {
  readonly status: number;

  constructor(status: number, message: string) {
    super(message);
    this.name = 'SftpError';
    this.status = status;
  }
}

/** The server is gone, speaks nonsense, or did not answer in time: nothing more comes from it. */
export class SftpLost extends Error {
  /** It is alive but did not answer: its file system does not. */
  readonly late: boolean;

  constructor(message: string, late: boolean) {
    super(message);
    this.name = 'SftpLost';
    this.late = late;
  }
}

export interface NamedAttributes extends Attributes {
  name: Buffer;
}

export type Handle = Buffer;

interface Waiting {
  resolve: (packet: { type: number; reader: PacketReader }) => void;
  reject: (error: Error) => void;
  since: number;
}

/** Most bytes in one read or write: every server takes them (OpenSSH's limit is 255 KiB). */
export const CHUNK_BYTES = 64 * 1024;

/**
 * Speaks SFTP version 3 to a server over two streams. Many requests may be under way; each has the same deadline. One that
 * is late loses the whole client, because the server answers in order and is stuck.
 */
export class SftpClient {
  readonly #input: Writable;
  readonly #output: Readable;
  readonly #requestMs: number;
  readonly #waiting = new Map<number, Waiting>();
  readonly #splitter = new PacketSplitter();
  #nextId = 1;
  #lost: SftpLost | undefined;
  #greeted: Waiting | undefined;
  #extensions = new Set<string>();
  #timer: NodeJS.Timeout | undefined;
  readonly #onLost: (reason: SftpLost) => void;

  private constructor(input: Writable, output: Readable, requestMs: number, onLost: (reason: SftpLost) => void) {
    this.#input = input;
    this.#output = output;
    this.#requestMs = requestMs;
    this.#onLost = onLost;
    output.on('data', (chunk: Buffer) => this.#take(chunk));
    output.on('end', () => this.lose(new SftpLost('The file server ended.', false)));
    output.on('error', (error: Error) => this.lose(new SftpLost(error.message, false)));
    input.on('error', (error: Error) => this.lose(new SftpLost(error.message, false)));
  }

  /** Greets the server. Throws SftpLost when it is not one, or not in time. */
  static async connect(
    input: Writable,
    output: Readable,
    options: { requestMs: number; onLost?: (reason: SftpLost) => void },
  ): Promise<SftpClient> {
    const client = new SftpClient(input, output, options.requestMs, options.onLost ?? (() => undefined));
    const answer = await new Promise<{ type: number; reader: PacketReader }>((resolve, reject) => {
      client.#greeted = { resolve, reject, since: performance.now() };
      client.#arm();
      input.write(new PacketWriter().byte(Type.init).uint32(3).finish());
    });
    const version = answer.reader.uint32();
    if (answer.type !== Type.version || version !== 3) {
      client.lose(new SftpLost('The file server speaks another protocol.', false));
      throw new SftpLost('The file server speaks another protocol.', false);
    }
    try {
      for (;;) {
        client.#extensions.add(answer.reader.bytes().toString('latin1'));
        answer.reader.bytes();
      }
    } catch (error) {
      if (!(error instanceof RangeError)) throw error; // The end of the packet.
    }
    return client;
  }

  get lost(): boolean {
    return this.#lost !== undefined;
  }

  has(extension: string): boolean {
    return this.#extensions.has(extension);
  }

  /** Requests that wait for their answer. */
  get pending(): number {
    return this.#waiting.size;
  }

  /** Gives the server up: everything that waits is rejected with the reason. */
  lose(reason: SftpLost): void {
    if (this.#lost) return;
    this.#lost = reason;
    clearTimeout(this.#timer);
    this.#greeted?.reject(reason);
    for (const waiting of this.#waiting.values()) waiting.reject(reason);
    this.#waiting.clear();
    this.#output.destroy();
    this.#input.destroy();
    this.#onLost(reason);
  }

  /** Ends the server politely: it sees the end of its input and exits. */
  end(): void {
    this.#lost ??= new SftpLost('The file server was ended.', false);
    clearTimeout(this.#timer);
    this.#input.end();
  }

  async lstat(path: Buffer): Promise<Attributes> {
    return this.#attributes(await this.#ask(Type.lstat, (packet) => packet.bytes(path)));
  }

  async stat(path: Buffer): Promise<Attributes> {
    return this.#attributes(await this.#ask(Type.stat, (packet) => packet.bytes(path)));
  }

  async open(path: Buffer, flags: number, mode?: number): Promise<Handle> {
    return this.#handle(await this.#ask(Type.open, (packet) => packet.bytes(path).uint32(flags).attributes(mode)));
  }

  async close(handle: Handle): Promise<void> {
    this.#ok(await this.#ask(Type.close, (packet) => packet.bytes(handle)));
  }

  /** Up to `length` bytes; undefined at the end of the file. */
  async read(handle: Handle, offset: number, length: number): Promise<Buffer | undefined> {
    const answer = await this.#ask(Type.read, (packet) => packet.bytes(handle).uint64(offset).uint32(length));
    if (answer.type === Type.data) return answer.reader.bytes();
    return this.#end(answer);
  }

  async write(handle: Handle, offset: number, bytes: Uint8Array): Promise<void> {
    this.#ok(await this.#ask(Type.write, (packet) => packet.bytes(handle).uint64(offset).bytes(bytes)));
  }

  async setMode(handle: Handle, mode: number): Promise<void> {
    this.#ok(await this.#ask(Type.fsetstat, (packet) => packet.bytes(handle).attributes(mode)));
  }

  async openDirectory(path: Buffer): Promise<Handle> {
    return this.#handle(await this.#ask(Type.opendir, (packet) => packet.bytes(path)));
  }

  /** The next entries, "." and ".." among them; undefined at the end. Attributes are those of lstat. */
  async readDirectory(handle: Handle): Promise<NamedAttributes[] | undefined> {
    const answer = await this.#ask(Type.readdir, (packet) => packet.bytes(handle));
    return answer.type === Type.name ? this.#names(answer.reader) : this.#end(answer);
  }

  async realpath(path: Buffer): Promise<Buffer> {
    const answer = await this.#ask(Type.realpath, (packet) => packet.bytes(path));
    const name = answer.type === Type.name ? this.#names(answer.reader)[0]?.name : undefined;
    return name ?? this.#refuse(answer);
  }

  async remove(path: Buffer): Promise<void> {
    this.#ok(await this.#ask(Type.remove, (packet) => packet.bytes(path)));
  }

  async makeDirectory(path: Buffer, mode: number): Promise<void> {
    this.#ok(await this.#ask(Type.mkdir, (packet) => packet.bytes(path).attributes(mode)));
  }

  /** rename(2): replaces what has the new name. */
  async rename(from: Buffer, to: Buffer): Promise<void> {
    this.#ok(
      await this.#ask(Type.extended, (packet) => packet.bytes('posix-rename@openssh.com').bytes(from).bytes(to)),
    );
  }

  async sync(handle: Handle): Promise<void> {
    this.#ok(await this.#ask(Type.extended, (packet) => packet.bytes('fsync@openssh.com').bytes(handle)));
  }

  async #ask(
    type: number,
    fill: (packet: PacketWriter) => PacketWriter,
  ): Promise<{ type: number; reader: PacketReader }> {
    if (this.#lost) throw this.#lost;
    const id = this.#nextId;
    this.#nextId = (id + 1) % 0xffffffff;
    const packet = fill(new PacketWriter().byte(type).uint32(id)).finish();
    if (packet.length - 4 > LARGEST_PACKET) throw new SftpError(Status.badMessage, 'The request is too long.');
    return await new Promise((resolve, reject) => {
      this.#waiting.set(id, { resolve, reject, since: performance.now() });
      this.#arm();
      this.#input.write(packet);
    });
  }

  /** One timer for the oldest request instead of one for each. */
  #arm(): void {
    if (this.#timer || this.#lost) return;
    const oldest = this.#greeted?.since ?? this.#waiting.values().next().value?.since;
    if (oldest === undefined) return;
    const left = Math.max(10, oldest + this.#requestMs - performance.now());
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      const since = this.#greeted?.since ?? this.#waiting.values().next().value?.since;
      if (since !== undefined && performance.now() - since >= this.#requestMs) {
        this.lose(new SftpLost(`The file server did not answer within ${this.#requestMs} ms.`, true));
      } else {
        this.#arm();
      }
    }, left);
  }

  #take(chunk: Buffer): void {
    try {
      for (const packet of this.#splitter.push(chunk)) {
        const reader = new PacketReader(packet);
        const type = reader.byte();
        const greeted = this.#greeted;
        if (greeted) {
          this.#greeted = undefined;
          greeted.resolve({ type, reader });
          continue;
        }
        const id = reader.uint32();
        const waiting = this.#waiting.get(id);
        if (!waiting) throw new RangeError(`An answer to request ${id}, which was not asked.`);
        this.#waiting.delete(id);
        waiting.resolve({ type, reader });
      }
    } catch (error) {
      this.lose(new SftpLost(`The file server sent nonsense: ${String(error)}`, false));
    }
  }

  #names(reader: PacketReader): NamedAttributes[] {
    return Array.from({ length: reader.uint32() }, () => {
      const name = Buffer.from(reader.bytes());
      reader.bytes(); // The line `ls -l` would print.
      return { name, ...reader.attributes() };
    });
  }

  #attributes(answer: { type: number; reader: PacketReader }): Attributes {
    return answer.type === Type.attributes ? answer.reader.attributes() : this.#refuse(answer);
  }

  #handle(answer: { type: number; reader: PacketReader }): Handle {
    return answer.type === Type.handle ? Buffer.from(answer.reader.bytes()) : this.#refuse(answer);
  }

  #ok(answer: { type: number; reader: PacketReader }): void {
    if (answer.type !== Type.status) this.#refuse(answer);
    const status = answer.reader.uint32();
    if (status !== Status.ok) throw new SftpError(status, answer.reader.bytes().toString('utf8'));
  }

  #end(answer: { type: number; reader: PacketReader }): undefined {
    if (answer.type !== Type.status) this.#refuse(answer);
    const status = answer.reader.uint32();
    if (status !== Status.endOfFile) throw new SftpError(status, answer.reader.bytes().toString('utf8'));
    return undefined;
  }

  #refuse(answer: { type: number; reader: PacketReader }): never {
    if (answer.type === Type.status)
      throw new SftpError(answer.reader.uint32(), answer.reader.bytes().toString('utf8'));
    throw new SftpError(Status.badMessage, `An answer of type ${answer.type} was not expected.`);
  }
}
