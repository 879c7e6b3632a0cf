import type { FileEntry } from '../../../../src/protocol/files.ts';
import { call } from '../../api/client.ts';
import { formatBytes } from '../../format/format.ts';

/** Below this a file can hold next to nothing beside its content. */
const WORTH_IT_BYTES = 1024 ** 2;

/** Whether to offer to give room back: a plain file that may hold more than its content. */
export function mayHoldMore(entry: Pick<FileEntry, 'type' | 'size'>): boolean {
  return entry.type === 'file' && entry.size >= WORTH_IT_BYTES;
}

/** What came of it, for people. */
export function gaveBack(name: string, freedBytes: number): string {
  return freedBytes < WORTH_IT_BYTES
    ? `${name} held no more than its content.`
    : `${name} gave ${formatBytes(freedBytes)} back.`;
}

/** Has a file written anew in one piece, so that it holds no more than its content; answers what to say. */
export async function giveRoomBack(path: string, name: string): Promise<string> {
  const { freedBytes } = await call('files.compact', { body: { path } });
  return gaveBack(name, freedBytes);
}
