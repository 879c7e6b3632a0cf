import { useMutation, useQueryClient } from '@tanstack/react-query';
import { type FormEvent, type JSX, useState } from 'react';
import { volumeNameProblem } from '../../../../../src/model/names.ts';
import type { VolumeView } from '../../../../../src/protocol/browser.ts';
import { call } from '../../../api/client.ts';
import { dashboardQuery, operationsQuery, volumesQuery } from '../../../api/queries.ts';
import { formatBytes, parseBytes } from '../../../format/format.ts';
import { Button } from '../../../ui/button.tsx';
import { Dialog } from '../../../ui/dialog.tsx';
import { AreaField, TextField } from '../../../ui/field.tsx';
import { ErrorNote, Note } from '../../../ui/states.tsx';
import { showToast } from '../../../ui/toast.tsx';

const SIZE_PROBLEM = 'Please give a size, like 8 GiB.';

export function CreateVolumeDialog({
  taken,
  onClose,
}: {
  taken: ReadonlySet<string>;
  onClose: () => void;
}): JSX.Element {
  const client = useQueryClient();
  const [name, setName] = useState('');
  const [kind, setKind] = useState<'images' | 'disks'>('images');
  const [size, setSize] = useState('8 GiB');
  const [disks, setDisks] = useState('');
  const [submitted, setSubmitted] = useState(false);
  const list = disks.split(/\s+/).filter(Boolean);
  const imageBytes = parseBytes(size);
  const nameProblem = volumeNameProblem(name) ?? (taken.has(name) ? `There is a volume "${name}" already.` : undefined);
  const disksProblem =
    list.length < 2
      ? 'Please name two disks: a volume is a mirror.'
      : list.some((disk) => !disk.startsWith('/'))
        ? 'A disk is a whole path, like /dev/sdb.'
        : new Set(list).size < list.length
          ? 'A disk can be named once only.'
          : undefined;
  const create = useMutation({
    mutationFn: () =>
      call('volumes.create', {
        body: kind === 'images' ? { name, disks: [], imageBytes } : { name, disks: list },
      }),
    onSuccess: () => {
      for (const query of [volumesQuery, operationsQuery, dashboardQuery])
        void client.invalidateQueries({ queryKey: query.queryKey });
      showToast(`${name} is being made.`);
      onClose();
    },
  });
  const submit = (event: FormEvent): void => {
    event.preventDefault();
    setSubmitted(true);
    if (nameProblem === undefined && (kind === 'images' ? imageBytes !== undefined : disksProblem === undefined))
      create.mutate();
  };
  return (
    <Dialog title="New volume" onClose={onClose}>
      <form className="stack" onSubmit={submit} noValidate>
        <TextField
          label="Name"
          value={name}
          onChange={(event) => setName(event.target.value)}
          autoComplete="off"
          autoCapitalize="none"
          spellCheck={false}
          autoFocus
          problem={submitted ? nameProblem : undefined}
        />
        <fieldset className="stack-s">
          <legend className="group-label">Its two replicas</legend>
          <label className="choice">
            <input type="radio" name="kind" checked={kind === 'images'} onChange={() => setKind('images')} />
            <span>
              <strong>Image files</strong>
              <span className="soft small">
                Two files on this machine, behind the fault valve. To try things, or where there are no spare disks.
              </span>
            </span>
          </label>
          <label className="choice">
            <input type="radio" name="kind" checked={kind === 'disks'} onChange={() => setKind('disks')} />
            <span>
              <strong>Disks</strong>
              <span className="soft small">
                Whole disks, used directly. They must be empty; one that holds data is refused.
              </span>
            </span>
          </label>
        </fieldset>
        {kind === 'images' ? (
          <TextField
            label="Size of each file"
            value={size}
            onChange={(event) => setSize(event.target.value)}
            problem={imageBytes === undefined ? SIZE_PROBLEM : undefined}
            hint="Sparse: room is taken as it fills."
          />
        ) : (
          <AreaField
            label="Disks, one a line"
            mono
            rows={2}
            value={disks}
            onChange={(event) => setDisks(event.target.value)}
            placeholder={'/dev/sdb\n/dev/sdc'}
            spellCheck={false}
            problem={submitted ? disksProblem : undefined}
          />
        )}
        {create.error !== null && <ErrorNote error={create.error} />}
        <div className="row row-end">
          <Button onClick={onClose}>Cancel</Button>
          <Button type="submit" look="main" busy={create.isPending}>
            Make the volume
          </Button>
        </div>
      </form>
    </Dialog>
  );
}

interface ActionDialogProps {
  volume: VolumeView;
  run: (input: Record<string, unknown>) => Promise<unknown>;
  onClose: () => void;
}

export function AddReplicaDialog({ volume, run, onClose }: ActionDialogProps): JSX.Element {
  const images = volume.replicas.every((replica) => replica.valve);
  const [disk, setDisk] = useState('');
  const add = useMutation({
    mutationFn: () => run(disk.trim() === '' ? {} : { disk: disk.trim() }),
    onSuccess: () => {
      showToast(`${volume.name} is being rebuilt.`);
      onClose();
    },
  });
  const problem =
    disk.trim() === ''
      ? images
        ? undefined
        : 'Please name the disk.'
      : disk.trim().startsWith('/')
        ? undefined
        : 'A disk is a whole path, like /dev/sdd.';
  return (
    <Dialog title={`Add a replica to ${volume.name}`} onClose={onClose}>
      <form
        className="stack"
        onSubmit={(event) => {
          event.preventDefault();
          if (problem === undefined) add.mutate();
        }}
      >
        <Note level="info">
          The volume serves as always while {formatBytes(volume.usedBytes)} are copied onto the new replica. Replicas
          set aside, missing or failed are replaced by it.
        </Note>
        <TextField
          label="Disk"
          mono
          value={disk}
          onChange={(event) => setDisk(event.target.value)}
          placeholder={images ? 'a fresh image file' : '/dev/sdd'}
          spellCheck={false}
          autoFocus
          problem={disk === '' ? undefined : problem}
          hint={
            images
              ? 'Leave it empty for a fresh image file.'
              : 'It must be empty and at least as large as what is used.'
          }
        />
        {add.error !== null && <ErrorNote error={add.error} />}
        <div className="row row-end">
          <Button onClick={onClose}>Cancel</Button>
          <Button type="submit" look="main" busy={add.isPending} disabled={problem !== undefined}>
            Add and rebuild
          </Button>
        </div>
      </form>
    </Dialog>
  );
}

export function GrowDialog({ volume, run, onClose }: ActionDialogProps): JSX.Element {
  const images = volume.replicas.every((replica) => replica.valve);
  const [size, setSize] = useState(formatBytes(volume.sizeBytes * 2));
  const bytes = parseBytes(size);
  const problem = !images
    ? undefined
    : bytes === undefined
      ? SIZE_PROBLEM
      : bytes <= volume.sizeBytes
        ? `It has ${formatBytes(volume.sizeBytes)} now; please give more.`
        : undefined;
  const grow = useMutation({
    mutationFn: () => run(images && bytes !== undefined ? { imageBytes: bytes } : {}),
    onSuccess: () => {
      showToast(`${volume.name} is growing.`);
      onClose();
    },
  });
  return (
    <Dialog title={`Grow ${volume.name}`} onClose={onClose}>
      <form
        className="stack"
        onSubmit={(event) => {
          event.preventDefault();
          if (problem === undefined) grow.mutate();
        }}
      >
        {images ? (
          <TextField
            label="New size of each image file"
            value={size}
            onChange={(event) => setSize(event.target.value)}
            problem={problem}
            autoFocus
            hint={`Now ${formatBytes(volume.sizeBytes)}. It cannot be made smaller later.`}
          />
        ) : (
          <p>The file system takes all room its disks have now. Enlarge the disks first.</p>
        )}
        {grow.error !== null && <ErrorNote error={grow.error} />}
        <div className="row row-end">
          <Button onClick={onClose}>Cancel</Button>
          <Button type="submit" look="main" busy={grow.isPending} disabled={problem !== undefined}>
            Grow
          </Button>
        </div>
      </form>
    </Dialog>
  );
}
