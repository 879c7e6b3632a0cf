import type { FileEntry } from '../../../../src/protocol/files.ts';

export type SortKey = 'name' | 'size' | 'modified';
export interface Sort {
  key: SortKey;
  down: boolean;
}

const BY_NAME = new Intl.Collator('en', { numeric: true, sensitivity: 'base' });

/** Directories first; then by what was asked, then by name ("file2" before "file10"). */
export function arrange(entries: readonly FileEntry[], sort: Sort, filter: string): FileEntry[] {
  const needle = filter.trim().toLowerCase();
  const shown = needle === '' ? entries : entries.filter((entry) => entry.name.toLowerCase().includes(needle));
  const compare = (a: FileEntry, b: FileEntry): number => {
    const directories = Number(b.type === 'directory') - Number(a.type === 'directory');
    if (directories !== 0) return directories;
    const names = BY_NAME.compare(a.name, b.name) || (a.name < b.name ? -1 : 1);
    const first =
      sort.key === 'size'
        ? a.size - b.size
        : sort.key === 'modified'
          ? a.modifiedAt.localeCompare(b.modifiedAt)
          : names;
    return (sort.down ? -first : first) || names;
  };
  return shown.toSorted(compare);
}

/** 0o755 -> "rwxr-xr-x", for those who know it; in a title, not in a column. */
export function formatMode(mode: number): string {
  return [6, 3, 0]
    .map((shift) => ['r', 'w', 'x'].map((letter, index) => ((mode >> shift) & (4 >> index) ? letter : '-')).join(''))
    .join('');
}

/** A file as it was dropped or chosen, with its place below the directory it goes to ("photos/a.jpg"). */
export interface Picked {
  file: File;
  place: string;
}

/** The directories that must exist before the files of a dropped tree, outermost first. Pure. */
export function directoriesOf(places: readonly string[]): string[] {
  const found = new Set<string>();
  for (const place of places) {
    const parts = place.split('/').slice(0, -1);
    for (let depth = 1; depth <= parts.length; depth += 1) found.add(parts.slice(0, depth).join('/'));
  }
  return [...found].toSorted((a, b) => a.split('/').length - b.split('/').length || a.localeCompare(b));
}

function readEntries(reader: FileSystemDirectoryReader): Promise<FileSystemEntry[]> {
  return new Promise((resolve, reject) => reader.readEntries(resolve, reject));
}

async function walk(entry: FileSystemEntry, prefix: string, into: Picked[]): Promise<void> {
  const place = `${prefix}${entry.name}`;
  if (entry.isFile) {
    const file = await new Promise<File>((resolve, reject) => (entry as FileSystemFileEntry).file(resolve, reject));
    into.push({ file, place });
  } else {
    const reader = (entry as FileSystemDirectoryEntry).createReader();
    // A reader gives at most 100 entries at a time, and none at the end.
    for (let batch = await readEntries(reader); batch.length > 0; batch = await readEntries(reader)) {
      for (const child of batch) await walk(child, `${place}/`, into);
    }
  }
}

/** Everything that was dropped, directories with all they hold. */
export async function pickedFromDrop(transfer: DataTransfer): Promise<Picked[]> {
  // The items are gone after the first await; take what they hold now.
  const entries = [...transfer.items].map((item) => item.webkitGetAsEntry());
  const files = [...transfer.files];
  const into: Picked[] = [];
  if (entries.every((entry) => entry === null)) return files.map((file) => ({ file, place: file.name }));
  for (const entry of entries) if (entry !== null) await walk(entry, '', into);
  return into;
}

export function pickedFromInput(list: FileList): Picked[] {
  return [...list].map((file) => ({
    file,
    place: file.webkitRelativePath === '' ? file.name : file.webkitRelativePath,
  }));
}
