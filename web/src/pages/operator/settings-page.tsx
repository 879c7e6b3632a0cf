import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { type JSX, useState } from 'react';
import { DEFAULT_PLANS, PLAN_NAME, planProblems } from '../../../../src/model/plans.ts';
import type { Plan, Settings } from '../../../../src/protocol/browser.ts';
import { call } from '../../api/client.ts';
import { plansQuery, sessionQuery, settingsQuery } from '../../api/queries.ts';
import { formatBytes, formatIdle, parseBytes } from '../../format/format.ts';
import { PageHead } from '../../frame/shell.tsx';
import { useUnsaved } from '../../frame/unsaved.tsx';
import { Button } from '../../ui/button.tsx';
import { Dialog } from '../../ui/dialog.tsx';
import { SelectField, Switch, TextField } from '../../ui/field.tsx';
import { useTitle } from '../../ui/hooks.ts';
import { Panel } from '../../ui/marks.tsx';
import { ErrorNote, ErrorPanel, Skeleton } from '../../ui/states.tsx';
import { showProblem, showToast } from '../../ui/toast.tsx';
import { OperatorOnly } from './guard.tsx';
import { NotificationsPanel, OutsidePanel } from './notifications-panel.tsx';

type Limits = Plan['limits'];

/** What a new plan begins with: what an ordinary program needs. */
const NEW_PLAN = DEFAULT_PLANS['standard'] ?? Object.values(DEFAULT_PLANS)[0];

const BYTES: ReadonlyArray<readonly [keyof Limits, string, string]> = [
  ['diskBytes', 'Disk', 'Home, /tmp and /var/www together.'],
  ['memoryBytes', 'Memory per program', ''],
];
const NUMBERS: ReadonlyArray<readonly [keyof Limits, string, string, number]> = [
  ['sites', 'Sites', '', 0],
  ['workers', 'Workers per site', '', 1],
  ['processes', 'Processes per program', 'Threads count too.', 1],
  ['cpuSecondsPerDay', 'CPU seconds a day', 'Consoles and tasks; sites do not count.', 0],
  ['consoles', 'Consoles', '', 0],
  ['tasks', 'Scheduled tasks', '', 0],
  ['alwaysOnTasks', 'Always-on tasks', 'Each keeps a program running day and night.', 0],
  ['taskSeconds', 'Longest task run, seconds', 'Then it is ended. Always-on tasks have no limit.', 1],
  [
    'stopGraceSeconds',
    'Grace when a task is ended, seconds',
    'From the request to end until the end by force: 1 to 600.',
    1,
  ],
  ['requestTimeoutSeconds', 'Longest request, seconds', '', 1],
  ['idleSleepSeconds', 'A site sleeps after, seconds', '0 = never.', 0],
  ['cpuWeight', 'CPU weight', 'Share when the processor is wanted by many: 2 to 10000.', 2],
];

const HIGHEST: Partial<Record<keyof Limits, number>> = { cpuWeight: 10_000, stopGraceSeconds: 600 };

function PlanDialog({
  plan,
  taken,
  onClose,
}: {
  plan: Plan | undefined;
  taken: ReadonlySet<string>;
  onClose: () => void;
}): JSX.Element {
  const client = useQueryClient();
  const [name, setName] = useState(plan?.name ?? '');
  const [texts, setTexts] = useState<Readonly<Record<string, string>>>(() => {
    const from: Partial<Limits> = plan?.limits ?? NEW_PLAN ?? {};
    return Object.fromEntries([
      ...BYTES.map(([key]) => [key, from[key] === undefined ? '' : formatBytes(from[key])]),
      ...NUMBERS.map(([key]) => [key, String(from[key] ?? '')]),
    ]) as Record<string, string>;
  });
  const text = (key: keyof Limits): string => texts[key] ?? '';
  const valueOf = (key: keyof Limits): number | undefined => {
    if (BYTES.some(([bytesKey]) => bytesKey === key)) {
      const before = plan?.limits[key];
      // Rounded for showing; an untouched field keeps its exact figure.
      return before !== undefined && text(key) === formatBytes(before) ? before : parseBytes(text(key));
    }
    const least = NUMBERS.find(([numberKey]) => numberKey === key)?.[3] ?? 0;
    const value = Number(text(key));
    return text(key).trim() !== '' &&
      Number.isInteger(value) &&
      value >= least &&
      value <= (HIGHEST[key] ?? Number.MAX_SAFE_INTEGER)
      ? value
      : undefined;
  };
  const keys: Array<keyof Limits> = [...BYTES.map(([key]) => key), ...NUMBERS.map(([key]) => key)];
  const nameProblem =
    plan !== undefined || name === ''
      ? undefined
      : !PLAN_NAME.test(name)
        ? 'Up to 30 lower-case letters, digits and hyphens, beginning with a letter.'
        : taken.has(name)
          ? 'There is such a plan already.'
          : undefined;
  const values = Object.fromEntries(
    keys.map((key) => [key, valueOf(key) ?? Number.POSITIVE_INFINITY]),
  ) as unknown as Limits;
  // A field that is no number says so itself; only then what programs need.
  const tooLittle: Partial<Record<keyof Limits, string>> = keys.some((key) => valueOf(key) === undefined)
    ? {}
    : planProblems(values);
  const complete =
    keys.every((key) => valueOf(key) !== undefined) &&
    name !== '' &&
    nameProblem === undefined &&
    Object.keys(tooLittle).length === 0;
  const save = useMutation({
    mutationFn: () => call('plans.put', { params: { name }, body: values }),
    onSuccess: () => {
      void client.invalidateQueries({ queryKey: plansQuery.queryKey });
      showToast(`Plan ${name} saved.`);
      onClose();
    },
  });
  const set = (key: keyof Limits) => (event: { target: { value: string } }) =>
    setTexts({ ...texts, [key]: event.target.value });
  return (
    <Dialog title={plan === undefined ? 'New plan' : `Plan ${plan.name}`} wide onClose={onClose}>
      <form
        className="stack"
        noValidate
        onSubmit={(event) => {
          event.preventDefault();
          if (complete) save.mutate();
        }}
      >
        {plan === undefined && (
          <TextField
            label="Name"
            value={name}
            onChange={(event) => setName(event.target.value)}
            problem={nameProblem}
            autoFocus
            autoComplete="off"
            spellCheck={false}
          />
        )}
        <div className="form-grid">
          {BYTES.map(([key, label, hint]) => (
            <TextField
              key={key}
              label={label}
              value={text(key)}
              onChange={set(key)}
              hint={hint}
              problem={valueOf(key) === undefined ? 'Please give a size, like 512 MiB.' : tooLittle[key]}
            />
          ))}
          {NUMBERS.map(([key, label, hint, least]) => (
            <TextField
              key={key}
              label={label}
              inputMode="numeric"
              value={text(key)}
              onChange={set(key)}
              hint={hint}
              problem={
                valueOf(key) === undefined
                  ? `Please give a whole number, ${least} ${HIGHEST[key] === undefined ? 'or more' : `to ${HIGHEST[key]}`}.`
                  : tooLittle[key]
              }
            />
          ))}
        </div>
        {save.error !== null && <ErrorNote error={save.error} />}
        <div className="row row-end">
          <Button onClick={onClose}>Cancel</Button>
          <Button type="submit" look="main" disabled={!complete} busy={save.isPending}>
            Save the plan
          </Button>
        </div>
      </form>
    </Dialog>
  );
}

function SignUpPanel({ settings, plans }: { settings: Settings; plans: readonly Plan[] }): JSX.Element {
  const client = useQueryClient();
  const [rate, setRate] = useState(String(settings.apiRequestsPerMinute));
  const requests = /^\d+$/.test(rate.trim()) ? Number(rate) : undefined;
  const [limit, setLimit] = useState(formatBytes(settings.uploadLimitBytes));
  const bytes = limit === formatBytes(settings.uploadLimitBytes) ? settings.uploadLimitBytes : parseBytes(limit);
  useUnsaved(bytes !== settings.uploadLimitBytes || requests !== settings.apiRequestsPerMinute, { what: 'Platform' });
  const change = useMutation({
    mutationFn: (patch: Partial<Settings>) => call('settings.update', { body: patch }),
    onMutate: (patch) => {
      const before = client.getQueryData(settingsQuery.queryKey);
      client.setQueryData(settingsQuery.queryKey, (old) => (old === undefined ? undefined : { ...old, ...patch }));
      return { before };
    },
    onError: (error, _patch, context) => {
      client.setQueryData(settingsQuery.queryKey, context?.before);
      showProblem(error);
    },
    onSuccess: (saved) => {
      client.setQueryData(settingsQuery.queryKey, saved);
      setLimit(formatBytes(saved.uploadLimitBytes));
      setRate(String(saved.apiRequestsPerMinute));
      void client.invalidateQueries({ queryKey: sessionQuery.queryKey });
      showToast('Settings saved.');
    },
  });
  return (
    <Panel title="Platform">
      <div className="stack">
        <Switch
          label="Sign-up"
          hint="Anybody who can reach this platform can make an account. When off, only operators make accounts."
          checked={settings.signUpOpen}
          onChange={(signUpOpen) => change.mutate({ signUpOpen })}
        />
        <div className="form-grid">
          <SelectField
            label="Plan of who signs up"
            value={settings.signUpPlan}
            onChange={(event) => change.mutate({ signUpPlan: event.target.value })}
          >
            {[...new Set([settings.signUpPlan, ...plans.map((plan) => plan.name)])].map((name) => (
              <option key={name} value={name}>
                {name}
              </option>
            ))}
          </SelectField>
          <TextField
            label="Largest upload"
            value={limit}
            onChange={(event) => setLimit(event.target.value)}
            problem={bytes === undefined ? 'Please give a size, like 100 MiB.' : undefined}
            hint="One file, through the pages or the API."
            after={
              <Button
                disabled={bytes === undefined || bytes === settings.uploadLimitBytes}
                busy={change.isPending}
                onClick={() => bytes !== undefined && change.mutate({ uploadLimitBytes: bytes })}
              >
                Save
              </Button>
            }
          />
          <TextField
            label="API requests a minute"
            inputMode="numeric"
            value={rate}
            onChange={(event) => setRate(event.target.value)}
            problem={requests === undefined ? 'Please give a whole number; 0 = no limit.' : undefined}
            hint="Of one account, to each endpoint of /api/v0 and /api/v1. 0 = no limit."
            after={
              <Button
                disabled={requests === undefined || requests === settings.apiRequestsPerMinute}
                busy={change.isPending}
                onClick={() => requests !== undefined && change.mutate({ apiRequestsPerMinute: requests })}
              >
                Save
              </Button>
            }
          />
        </div>
      </div>
    </Panel>
  );
}

function PlansPanel({ plans }: { plans: readonly Plan[] }): JSX.Element {
  const [editing, setEditing] = useState<Plan | 'new' | null>(null);
  return (
    <Panel
      flush
      title="Plans"
      aside={
        <Button small icon="plus" onClick={() => setEditing('new')}>
          New plan
        </Button>
      }
    >
      <div className="table-scroll">
        <table className="table table-cards">
          <thead>
            <tr>
              <th scope="col">Plan</th>
              <th scope="col">Disk</th>
              <th scope="col">Memory</th>
              <th scope="col">Sites</th>
              <th scope="col">Workers</th>
              <th scope="col">CPU a day</th>
              <th scope="col">Sleeps after</th>
              <th scope="col">
                <span className="visually-hidden">Actions</span>
              </th>
            </tr>
          </thead>
          <tbody>
            {plans.map((plan) => (
              <tr key={plan.name}>
                <td>
                  <strong>{plan.name}</strong>
                </td>
                <td data-label="Disk">{formatBytes(plan.limits.diskBytes)}</td>
                <td data-label="Memory">{formatBytes(plan.limits.memoryBytes)}</td>
                <td data-label="Sites">{plan.limits.sites}</td>
                <td data-label="Workers">{plan.limits.workers}</td>
                <td data-label="CPU a day">{plan.limits.cpuSecondsPerDay.toLocaleString('en-GB')} s</td>
                <td data-label="Sleeps after">{formatIdle(plan.limits.idleSleepSeconds)}</td>
                <td className="actions">
                  <Button small onClick={() => setEditing(plan)}>
                    Change<span className="visually-hidden"> {plan.name}</span>
                  </Button>
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
      {editing !== null && (
        <PlanDialog
          plan={editing === 'new' ? undefined : editing}
          taken={new Set(plans.map((plan) => plan.name))}
          onClose={() => setEditing(null)}
        />
      )}
    </Panel>
  );
}

function SettingsBody(): JSX.Element {
  const settings = useQuery(settingsQuery);
  const plans = useQuery(plansQuery);
  useTitle('Settings');
  const error = settings.error ?? plans.error;
  return (
    <>
      <PageHead title="Settings" />
      {settings.data !== undefined && plans.data !== undefined ? (
        <div className="stack">
          <SignUpPanel settings={settings.data} plans={plans.data} />
          <NotificationsPanel />
          <OutsidePanel />
          <PlansPanel plans={plans.data} />
        </div>
      ) : error === null ? (
        <Panel>
          <Skeleton lines={6} label="Loading settings" />
        </Panel>
      ) : (
        <ErrorPanel
          what="The settings could not be loaded"
          error={error}
          retry={() => {
            void settings.refetch();
            void plans.refetch();
          }}
        />
      )}
    </>
  );
}

export function SettingsPage(): JSX.Element {
  return (
    <OperatorOnly>
      <SettingsBody />
    </OperatorOnly>
  );
}
