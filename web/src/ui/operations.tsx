import type { JSX } from 'react';
import type { Operation } from '../../../src/protocol/volumes.ts';
import { count, formatAgo } from '../format/format.ts';
import { useNow } from './hooks.ts';
import { Badge, Bar } from './marks.tsx';
import type { Tone } from './tone.ts';

const WORDS: Readonly<Record<Operation['kind'], string>> = {
  'volume-create': 'Create volume',
  'volume-rebuild': 'Rebuild volume',
  'volume-scrub': 'Scrub volume',
  'volume-grow': 'Grow volume',
  'volume-recover': 'Recover volume',
  'volume-replace-disk': 'Replace a disk of volume',
  'volume-delete': 'Delete volume',
  'account-create': 'Create account',
  'account-delete': 'Delete account',
  'site-quickstart': 'Quickstart of site',
};

const STATES: Readonly<Record<Operation['state'], Tone>> = { running: 'busy', done: 'good', failed: 'bad' };
const STEPS: Readonly<Record<Operation['steps'][number]['state'], { tone: Tone; word: string }>> = {
  waiting: { tone: 'quiet', word: 'waiting' },
  running: { tone: 'busy', word: 'running' },
  done: { tone: 'good', word: 'done' },
  skipped: { tone: 'off', word: 'skipped' },
  failed: { tone: 'bad', word: 'failed' },
};

export function operationTitle(operation: Operation): string {
  return `${WORDS[operation.kind]} ${operation.subject}`;
}

/** One operation: how far it is, and its steps one by one. */
export function OperationCard({ operation, open }: { operation: Operation; open: boolean }): JSX.Element {
  const now = useNow(5000);
  const running = operation.state === 'running';
  const current = operation.steps.find((step) => step.state === 'running' || step.state === 'failed');
  const percent = operation.progress === null ? undefined : `${Math.floor(operation.progress * 100)} %`;
  return (
    <li className="operation">
      <div className="row row-between">
        <h3 className="anywhere">{operationTitle(operation)}</h3>
        <Badge tone={STATES[operation.state]}>
          {operation.state}
          {running && percent !== undefined && <span className="tabular"> {percent}</span>}
        </Badge>
      </div>
      {running && <Bar share={operation.progress} tone="busy" label={operationTitle(operation)} />}
      {operation.error !== null && <p className="operation-error anywhere">{operation.error}</p>}
      <details open={open}>
        <summary className="small soft">
          {current === undefined ? count(operation.steps.length, 'step') : current.name}
          {', '}
          {running || operation.finishedAt === null
            ? `started ${formatAgo(operation.startedAt, now)}`
            : `ended ${formatAgo(operation.finishedAt, now)}`}
        </summary>
        <ol className="operation-steps">
          {operation.steps.map((step, index) => (
            <li key={`${index}-${step.name}`}>
              <Badge tone={STEPS[step.state].tone}>
                <span className="visually-hidden">{STEPS[step.state].word}: </span>
                {step.name}
              </Badge>
              {step.detail !== null && <span className="soft small anywhere">{step.detail}</span>}
            </li>
          ))}
        </ol>
      </details>
    </li>
  );
}

/** Running and failed ones first; finished ones only as many as asked. */
export function OperationList({
  operations,
  finished,
}: {
  operations: readonly Operation[];
  finished: number;
}): JSX.Element {
  const running = operations.filter((operation) => operation.state === 'running');
  const ended = operations.filter((operation) => operation.state !== 'running').slice(0, finished);
  return (
    <ul className="operations">
      {[...running, ...ended].map((operation) => (
        <OperationCard key={operation.id} operation={operation} open={operation.state === 'running'} />
      ))}
    </ul>
  );
}
