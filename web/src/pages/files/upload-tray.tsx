import { type JSX, useState } from 'react';
import { count, formatBytes } from '../../format/format.ts';
import { nameOf } from '../../format/paths.ts';
import { useLeaveGuard } from '../../frame/session.tsx';
import { Button } from '../../ui/button.tsx';
import { Bar } from '../../ui/marks.tsx';
import { cancelUpload, clearUploads, retryUpload, totalsOf, type Upload, useUploads } from './uploads.ts';

function Row({ upload }: { upload: Upload }): JSX.Element {
  const words =
    upload.state === 'done'
      ? formatBytes(upload.size)
      : upload.state === 'running'
        ? `${formatBytes(upload.sent)} of ${formatBytes(upload.size)}`
        : upload.state === 'failed'
          ? (upload.error?.message ?? 'Failed')
          : upload.state;
  return (
    <li className={`upload upload-${upload.state}`}>
      <div className="upload-name">
        <span className="truncate" title={upload.path}>
          {nameOf(upload.path)}
        </span>
        <span className="small soft tabular anywhere">{words}</span>
        {upload.state === 'running' && (
          <Bar
            share={upload.size === 0 ? null : upload.sent / upload.size}
            tone="busy"
            label={`Uploading ${nameOf(upload.path)}`}
          />
        )}
      </div>
      {(upload.state === 'running' || upload.state === 'waiting') && (
        <Button small look="quiet" icon="cross" iconOnly onClick={() => cancelUpload(upload.id)}>
          {`Cancel ${nameOf(upload.path)}`}
        </Button>
      )}
      {(upload.state === 'failed' || upload.state === 'cancelled') && (
        <Button small icon="reload" onClick={() => retryUpload(upload.id)}>
          Retry
        </Button>
      )}
    </li>
  );
}

/** Uploads under way, on every page. Running and failed ones come first; a long list shows its first rows. */
export function UploadTray(): JSX.Element | null {
  const uploads = useUploads();
  const [folded, setFolded] = useState(false);
  const totals = totalsOf(uploads);
  useLeaveGuard(totals.active);
  if (uploads.length === 0) return null;
  const order = { running: 0, failed: 1, waiting: 2, cancelled: 3, done: 4 };
  const rows = uploads.toSorted((a, b) => order[a.state] - order[b.state] || a.id - b.id);
  const words = totals.active
    ? `Uploading ${totals.ended + 1 > totals.files ? totals.files : totals.ended + 1} of ${count(totals.files, 'file')}`
    : totals.failed > 0
      ? `${count(totals.failed, 'upload')} failed`
      : `${count(totals.ended, 'file')} uploaded`;
  return (
    <section className="tray" aria-label="Uploads">
      <header className="row row-between">
        <strong role="status">{words}</strong>
        <span className="row">
          <Button small look="quiet" onClick={() => setFolded(!folded)} aria-expanded={!folded}>
            {folded ? 'Show' : 'Fold'}
          </Button>
          {totals.active ? (
            <Button
              small
              look="quiet"
              onClick={() =>
                rows.forEach(
                  (upload) => (upload.state === 'running' || upload.state === 'waiting') && cancelUpload(upload.id),
                )
              }
            >
              Cancel all
            </Button>
          ) : (
            <Button small look="quiet" icon="cross" iconOnly onClick={clearUploads}>
              Close
            </Button>
          )}
        </span>
      </header>
      {totals.active && <Bar share={totals.share} tone="busy" label="All uploads" />}
      {!folded && (
        <ul tabIndex={0} aria-label="Files">
          {rows.slice(0, 50).map((upload) => (
            <Row key={upload.id} upload={upload} />
          ))}
          {rows.length > 50 && <li className="small soft">and {rows.length - 50} more</li>}
        </ul>
      )}
    </section>
  );
}
