import { useSyncExternalStore } from 'react';
import { ApiError, currentCsrfToken, errorFromAnswer, streamAddress } from '../../api/client.ts';

/** One file on its way. The list outlives the Files page, so that moving about does not stop an upload. */
export interface Upload {
  id: number;
  /** Where it goes: a whole member path. */
  path: string;
  size: number;
  sent: number;
  state: 'waiting' | 'running' | 'done' | 'failed' | 'cancelled';
  error: ApiError | null;
}

interface Job {
  file: File;
  request: XMLHttpRequest | null;
  onDone: (() => void) | undefined;
}

/** At once: more would only share the same line, and every one is a process on the other side. */
const AT_ONCE = 2;

let uploads: readonly Upload[] = [];
const jobs = new Map<number, Job>();
const listeners = new Set<() => void>();
let nextId = 1;

function set(next: readonly Upload[]): void {
  uploads = next;
  for (const listener of listeners) listener();
}

function change(id: number, patch: Partial<Upload>): void {
  set(uploads.map((upload) => (upload.id === id ? { ...upload, ...patch } : upload)));
}

function settle(id: number, patch: Partial<Upload>): void {
  const job = jobs.get(id);
  if (job !== undefined) job.request = null;
  change(id, patch);
  if (patch.state === 'done') {
    jobs.delete(id);
    job?.onDone?.();
  }
  pump();
}

function run(upload: Upload, job: Job): void {
  const request = new XMLHttpRequest();
  job.request = request;
  request.open('PUT', streamAddress('files.write', { query: { path: upload.path } }));
  request.setRequestHeader('content-type', 'application/octet-stream');
  request.setRequestHeader('accept', 'application/json');
  const csrf = currentCsrfToken();
  if (csrf !== null) request.setRequestHeader('x-csrf-token', csrf);
  let drawnAt = 0;
  request.upload.addEventListener('progress', (event) => {
    // A few times a second is enough for the eye; hundreds of files would otherwise draw the list all the time.
    const now = performance.now();
    if (now - drawnAt < 120 && event.loaded < event.total) return;
    drawnAt = now;
    change(upload.id, { sent: event.loaded });
  });
  request.addEventListener('load', () => {
    if (request.status >= 200 && request.status < 300) settle(upload.id, { state: 'done', sent: upload.size });
    else settle(upload.id, { state: 'failed', error: errorFromAnswer(request.status, request.responseText) });
  });
  request.addEventListener('error', () => {
    settle(upload.id, {
      state: 'failed',
      error: new ApiError(
        0,
        'no-answer',
        'The connection broke off. A file that was there before is still whole. Try again.',
      ),
    });
  });
  request.addEventListener('abort', () => settle(upload.id, { state: 'cancelled' }));
  change(upload.id, { state: 'running', sent: 0, error: null });
  request.send(job.file);
}

function pump(): void {
  for (;;) {
    const running = uploads.filter((upload) => upload.state === 'running').length;
    const next = running < AT_ONCE ? uploads.find((upload) => upload.state === 'waiting') : undefined;
    const job = next === undefined ? undefined : jobs.get(next.id);
    if (next === undefined || job === undefined) return;
    run(next, job);
  }
}

export function startUploads(files: ReadonlyArray<{ file: File; path: string }>, onDone: (path: string) => void): void {
  const added = files.map(({ file, path }): Upload => {
    const id = nextId++;
    jobs.set(id, { file, request: null, onDone: () => onDone(path) });
    return { id, path, size: file.size, sent: 0, state: 'waiting', error: null };
  });
  set([...uploads, ...added]);
  pump();
}

export function cancelUpload(id: number): void {
  const job = jobs.get(id);
  if (job?.request) job.request.abort();
  else change(id, { state: 'cancelled' });
}

export function retryUpload(id: number): void {
  if (!jobs.has(id)) return;
  change(id, { state: 'waiting', error: null, sent: 0 });
  pump();
}

/** Takes everything that has ended off the list. */
export function clearUploads(): void {
  for (const upload of uploads) if (upload.state !== 'running' && upload.state !== 'waiting') jobs.delete(upload.id);
  set(uploads.filter((upload) => upload.state === 'running' || upload.state === 'waiting'));
}

export function useUploads(): readonly Upload[] {
  return useSyncExternalStore(
    (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    () => uploads,
  );
}

export interface UploadTotals {
  files: number;
  ended: number;
  failed: number;
  share: number;
  active: boolean;
}

/** All of a list together; an empty file counts as one byte so that the share moves. Pure. */
export function totalsOf(list: readonly Upload[]): UploadTotals {
  const counted = list.filter((upload) => upload.state !== 'cancelled');
  const bytes = counted.reduce((sum, upload) => sum + Math.max(1, upload.size), 0);
  const sent = counted.reduce(
    (sum, upload) =>
      sum + (upload.state === 'done' ? Math.max(1, upload.size) : upload.state === 'failed' ? 0 : upload.sent),
    0,
  );
  return {
    files: counted.length,
    ended: counted.filter((upload) => upload.state === 'done').length,
    failed: counted.filter((upload) => upload.state === 'failed').length,
    share: bytes === 0 ? 1 : sent / bytes,
    active: counted.some((upload) => upload.state === 'running' || upload.state === 'waiting'),
  };
}
