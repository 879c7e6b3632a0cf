import { join } from 'node:path';
import { z } from 'zod';
import { HoldfastError } from '../../protocol/errors.ts';
import { mustRun, runCommand } from '../../runtime/command.ts';
import type { AccountHome } from '../context.ts';
import { MemberPath } from '../member-path.ts';
import { readJson, writeWhole } from '../../runtime/whole-file.ts';
import type { AccountWanted } from './engine.ts';
import type { Lane } from '../kernel/lane.ts';
import { parseSubvolumes } from '../btrfs/btrfs-output.ts';
import { referencedBytes } from '../btrfs/filesystem.ts';

const SCRIPT = join(import.meta.dirname, 'account-home.sh');
const SKELETON = join(import.meta.dirname, 'skeleton');
const COMMAND_DEADLINE_MS = 30_000;

/** What is kept of the accounts of a volume, so that their homes can be named while the volume is closed. */
const accountsFileSchema = z.object({
  format: z.literal(1),
  accounts: z.array(z.object({ name: z.string(), uid: z.number(), subvolume: z.number(), limitBytes: z.number() })),
});
export type AccountRecord = z.infer<typeof accountsFileSchema>['accounts'][number];

async function loadAccounts(path: string): Promise<AccountRecord[]> {
  const content = await readJson(path);
  return content === undefined ? [] : accountsFileSchema.parse(content).accounts;
}
/**
 * The account homes of one mounted btrfs volume: a subvolume each, with a quota. Both engines mount btrfs, so both use this.
 * Everything that touches the volume is one throw-away process per call, in the volume's own lane.
 */
export class AccountHomes {
  readonly #volume: string;
  /** Of its file system. */
  readonly #uuid: string;
  readonly #mount: string;
  readonly #file: string;
  readonly #lane: Lane;
  readonly #known = new Map<string, AccountRecord>();
  readonly #changing = new Set<string>();
  /** What the volume itself holds was compared with the list since it was opened. */
  #compared = false;
  #saving: Promise<void> = Promise.resolve();

  constructor(volume: string, uuid: string, mount: string, file: string, lane: Lane) {
    this.#volume = volume;
    this.#uuid = uuid;
    this.#mount = mount;
    this.#file = file;
    this.#lane = lane;
  }

  async load(): Promise<void> {
    this.#known.clear();
    for (const account of await loadAccounts(this.#file)) this.#known.set(account.name, account);
  }

  has(name: string): boolean {
    return this.#known.has(name);
  }

  /** Those whose limit nobody is changing now. */
  settled(): AccountRecord[] {
    return [...this.#known.values()].filter(({ name }) => !this.#changing.has(name));
  }

  names(): string[] {
    return [...this.#known.keys()];
  }

  uids(): number[] {
    return [...this.#known.values()].map(({ uid }) => uid);
  }

  /** Throws `not-found`. Makes names only. */
  homeOf(account: string): AccountHome {
    if (!this.#known.has(account)) {
      throw new HoldfastError('not-found', `The account ${account} has no home on the volume ${this.#volume}.`);
    }
    const root = new MemberPath(join(this.#mount, 'accounts', account));
    return { volume: this.#volume, root, home: root.below('home'), tmp: root.below('tmp'), www: root.below('www') };
  }

  /** After the volume was opened: directories that hold the homes, and the list made true to what is there. */
  async opened(): Promise<void> {
    await mustRun('install', ['-d', '-m', '0711', join(this.#mount, 'accounts')], { deadlineMs: COMMAND_DEADLINE_MS });
    const quota = await runCommand('btrfs', ['qgroup', 'show', this.#mount], { deadlineMs: COMMAND_DEADLINE_MS });
    if (quota.code !== 0) await mustRun('btrfs', ['quota', 'enable', this.#mount], { deadlineMs: COMMAND_DEADLINE_MS });
    const list = await mustRun('btrfs', ['subvolume', 'list', this.#mount], { deadlineMs: COMMAND_DEADLINE_MS });
    const subvolumes = parseSubvolumes(list.stdout);
    let changed = false;
    for (const [name, account] of this.#known) {
      const subvolume = subvolumes.get(`accounts/${name}`);
      if (subvolume === undefined) {
        this.#known.delete(name);
        changed = true;
        continue;
      }
      // The limit is the one that was wanted: whether the volume has it is compared all the time (quotas.ts).
      changed ||= subvolume !== account.subvolume;
      this.#known.set(name, { ...account, subvolume });
    }
    this.#compared = true;
    if (changed) await this.#save();
  }

  closed(): void {
    this.#compared = false;
  }

  async ensure(account: AccountWanted): Promise<{ created: boolean }> {
    const known = this.#known.get(account.name);
    const limit = account.limits.diskBytes;
    if (known !== undefined && this.#compared && known.limitBytes === limit) return { created: false };
    this.#changing.add(account.name);
    try {
      const output = await this.#lane.run(() =>
        this.#script(['ensure', this.#mount, account.name, String(account.uid), String(limit), SKELETON]),
      );
      const [what, id] = output.split(' ');
      this.#known.set(account.name, {
        name: account.name,
        uid: known?.uid ?? account.uid,
        subvolume: Number(id),
        limitBytes: limit,
      });
      await this.#save();
      return { created: what === 'created' };
    } finally {
      this.#changing.delete(account.name);
    }
  }

  async remove(name: string): Promise<{ removed: boolean }> {
    const output = await this.#lane.run(() => this.#script(['remove', this.#mount, name]));
    const known = this.#known.delete(name);
    if (known) await this.#save();
    return { removed: output === 'removed' };
  }

  /**
   * Does something while an account may hold so many bytes more, one at a time; whatever becomes of it, the limit is as before then. Should
   * the agent be killed meanwhile, the watch over the limits sets it again. Answers also by how much less the account holds.
   */
  async withRoom<T>(name: string, bytes: number, work: () => Promise<T>): Promise<{ result: T; freedBytes: number }> {
    const { usedBytes: before, limitBytes } = await this.usage(name);
    if (this.#changing.has(name)) {
      throw new HoldfastError('too-many-requests', 'That is being done already. Try again in a moment.', {
        retryAfterSeconds: 5,
      });
    }
    this.#changing.add(name);
    try {
      if (limitBytes > 0) await this.#limit(name, limitBytes + bytes);
      const result = await work();
      return { result, freedBytes: before - (await this.usage(name)).usedBytes };
    } finally {
      try {
        // Its plan may have been changed meanwhile.
        const wanted = this.#known.get(name)?.limitBytes ?? 0;
        if (limitBytes > 0 && wanted > 0) await this.#limit(name, wanted);
      } finally {
        this.#changing.delete(name);
      }
    }
  }

  async #limit(name: string, bytes: number): Promise<void> {
    const group = `0/${this.#known.get(name)?.subvolume}`;
    await this.#lane.run(() =>
      mustRun('btrfs', ['qgroup', 'limit', String(bytes), group, this.#mount], { deadlineMs: COMMAND_DEADLINE_MS }),
    );
  }

  /** Asks the kernel's memory, not the disks: it is answered while they hang. */
  async usage(name: string): Promise<{ usedBytes: number; limitBytes: number }> {
    const account = this.#known.get(name);
    if (account === undefined) {
      throw new HoldfastError('not-found', `The account ${name} has no home on the volume ${this.#volume}.`);
    }
    const usedBytes = await referencedBytes(this.#uuid, account.subvolume);
    if (usedBytes === undefined) {
      throw new HoldfastError(
        'storage-repair',
        `The volume ${this.#volume} is not in use now. Try again in a moment.`,
        {
          retryAfterSeconds: 5,
        },
      );
    }
    return { usedBytes, limitBytes: account.limitBytes };
  }

  async #script(parameters: string[]): Promise<string> {
    const result = await mustRun('/bin/sh', [SCRIPT, ...parameters], { deadlineMs: COMMAND_DEADLINE_MS });
    return result.stdout.trim().split('\n').at(-1) ?? '';
  }

  /** One write at a time, so that an older list never overwrites a newer one. */
  async #save(): Promise<void> {
    this.#saving = this.#saving
      .catch(() => undefined)
      .then(() => writeWhole(this.#file, JSON.stringify({ format: 1, accounts: [...this.#known.values()] })));
    await this.#saving;
  }
}
