import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { type FormEvent, type JSX, useState } from 'react';
import type { NotificationSettings } from '../../../../src/protocol/incidents.ts';
import { call } from '../../api/client.ts';
import { notificationsQuery } from '../../api/queries.ts';
import { useUnsaved } from '../../frame/unsaved.tsx';
import { Button, OutLink } from '../../ui/button.tsx';
import { SelectField, Switch, TextField } from '../../ui/field.tsx';
import { Badge, Panel } from '../../ui/marks.tsx';
import { ErrorNote, Skeleton } from '../../ui/states.tsx';
import { showToast } from '../../ui/toast.tsx';

type Email = NonNullable<NotificationSettings['email']>;

function webAddressProblem(text: string): string | undefined {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  return url !== undefined && (url.protocol === 'https:' || url.protocol === 'http:')
    ? undefined
    : 'Please give a whole address, like https://alerts.example.org/hook.';
}

/** Addresses as people type them: by commas, spaces or lines. */
export function addressesOf(text: string): string[] {
  return text.split(/[\s,;]+/).filter(Boolean);
}

function isAddress(text: string): boolean {
  return /^[^\s@]+@[^\s@]+$/.test(text);
}

interface Form {
  webhook: boolean;
  url: string;
  secret: string;
  email: boolean;
  host: string;
  port: string;
  security: Email['security'];
  username: string;
  password: string;
  from: string;
  to: string;
}

function formOf({ webhook, email }: NotificationSettings): Form {
  return {
    webhook: webhook !== null,
    url: webhook?.url ?? '',
    secret: '',
    email: email !== null,
    host: email?.host ?? '',
    port: String(email?.port ?? 587),
    security: email?.security ?? 'starttls',
    username: email?.username ?? '',
    password: '',
    from: email?.from ?? '',
    to: email?.to.join(', ') ?? '',
  };
}

function problemsOf(form: Form): Partial<Record<keyof Form, string>> {
  const problems: Partial<Record<keyof Form, string>> = {};
  const web = form.webhook ? webAddressProblem(form.url) : undefined;
  if (web !== undefined) problems.url = web;
  if (!form.email) return problems;
  if (form.host.trim() === '') problems.host = 'Please name the mail server.';
  const port = Number(form.port);
  if (!Number.isInteger(port) || port < 1 || port > 65_535) problems.port = 'A number from 1 to 65535.';
  if (!isAddress(form.from.trim())) problems.from = 'Please give an e-mail address.';
  const to = addressesOf(form.to);
  if (to.length === 0 || !to.every(isAddress)) problems.to = 'Please give one or more e-mail addresses.';
  return problems;
}

function settingsOf(form: Form): NotificationSettings {
  return {
    webhook: form.webhook ? { url: form.url.trim(), ...(form.secret === '' ? {} : { secret: form.secret }) } : null,
    email: form.email
      ? {
          host: form.host.trim(),
          port: Number(form.port),
          security: form.security,
          username: form.username.trim() === '' ? null : form.username.trim(),
          ...(form.password === '' ? {} : { password: form.password }),
          from: form.from.trim(),
          to: addressesOf(form.to),
        }
      : null,
  };
}

function Outcome({ name, text }: { name: string; text: string | null }): JSX.Element | null {
  if (text === null) return null;
  const well = /^(?:delivered|sent|ok\b)/i.test(text);
  return (
    <p className="anywhere">
      <Badge tone={well ? 'good' : 'bad'}>{name}</Badge> {text}
    </p>
  );
}

function NotificationsForm({ settings }: { settings: NotificationSettings }): JSX.Element {
  const client = useQueryClient();
  const [form, setForm] = useState(() => formOf(settings));
  const [submitted, setSubmitted] = useState(false);
  const problems = problemsOf(form);
  const shown = submitted ? problems : {};
  const changed = JSON.stringify(form) !== JSON.stringify(formOf(settings));
  useUnsaved(changed, { what: 'Notifications' });
  const test = useMutation({
    mutationFn: () => call('notifications.test'),
  });
  const save = useMutation({
    mutationFn: () => call('notifications.change', { body: settingsOf(form) }),
    onSuccess: (saved) => {
      client.setQueryData(notificationsQuery.queryKey, saved);
      setForm(formOf(saved));
      setSubmitted(false);
      test.reset();
      showToast('Notifications saved.');
    },
  });
  const set = (key: keyof Form) => (event: { target: { value: string } }) =>
    setForm({ ...form, [key]: event.target.value });
  const submit = (event: FormEvent): void => {
    event.preventDefault();
    setSubmitted(true);
    if (Object.keys(problems).length === 0) save.mutate();
  };
  const nobody = settings.webhook === null && settings.email === null;
  return (
    <form className="stack" onSubmit={submit} noValidate>
      <Switch
        label="Webhook"
        hint="Gets what Alertmanager would send (version 4), when an incident opens, changes and is resolved."
        checked={form.webhook}
        onChange={(webhook) => setForm({ ...form, webhook })}
      />
      {form.webhook && (
        <div className="form-grid indent">
          <TextField
            label="Address"
            type="url"
            value={form.url}
            onChange={set('url')}
            problem={shown.url}
            spellCheck={false}
          />
          <TextField
            label="Secret"
            type="password"
            value={form.secret}
            onChange={set('secret')}
            autoComplete="new-password"
            hint="Sent as a bearer token. Left empty: kept as it is."
          />
        </div>
      )}
      <Switch
        label="E-mail"
        hint="One mail when an incident opens, one when a person must act, one when it is resolved."
        checked={form.email}
        onChange={(email) => setForm({ ...form, email })}
      />
      {form.email && (
        <div className="form-grid indent">
          <TextField
            label="Mail server"
            value={form.host}
            onChange={set('host')}
            problem={shown.host}
            spellCheck={false}
          />
          <TextField label="Port" inputMode="numeric" value={form.port} onChange={set('port')} problem={shown.port} />
          <SelectField
            label="Encryption"
            value={form.security}
            onChange={(event) => {
              const security = (['none', 'starttls', 'tls'] as const).find((each) => each === event.target.value);
              if (security !== undefined) setForm({ ...form, security });
            }}
          >
            <option value="starttls">STARTTLS</option>
            <option value="tls">TLS from the start</option>
            <option value="none">none</option>
          </SelectField>
          <TextField
            label="User name"
            value={form.username}
            onChange={set('username')}
            autoComplete="off"
            spellCheck={false}
          />
          <TextField
            label="Password"
            type="password"
            value={form.password}
            onChange={set('password')}
            autoComplete="new-password"
            hint="Left empty: kept as it is."
          />
          <TextField label="From" type="email" value={form.from} onChange={set('from')} problem={shown.from} />
          <TextField
            label="To"
            value={form.to}
            onChange={set('to')}
            problem={shown.to}
            hint="One or more, by commas."
          />
        </div>
      )}
      {save.error !== null && <ErrorNote error={save.error} />}
      <div className="row">
        <Button type="submit" look="main" busy={save.isPending} disabled={!changed}>
          Save
        </Button>
        <Button
          icon="bell"
          busy={test.isPending}
          disabled={nobody || changed}
          title={changed ? 'Save first: the test uses what is saved' : undefined}
          onClick={() => test.mutate()}
        >
          Send a test
        </Button>
        {nobody && !changed && <span className="soft small">Nobody is told of incidents yet.</span>}
      </div>
      <div role="status" className="stack-s">
        {test.data !== undefined && (
          <>
            <Outcome name="Webhook" text={test.data.webhook} />
            <Outcome name="E-mail" text={test.data.email} />
          </>
        )}
      </div>
      {test.error !== null && <ErrorNote error={test.error} />}
    </form>
  );
}

/** Who is told when an incident opens. */
export function NotificationsPanel(): JSX.Element {
  const settings = useQuery(notificationsQuery);
  return (
    <Panel title="Notifications">
      {settings.data !== undefined ? (
        <NotificationsForm settings={settings.data} />
      ) : settings.error === null ? (
        <Skeleton lines={3} label="Loading notifications" />
      ) : (
        <ErrorNote error={settings.error}>
          <div>
            <Button small icon="reload" onClick={() => void settings.refetch()}>
              Try again
            </Button>
          </div>
        </ErrorNote>
      )}
    </Panel>
  );
}

/** What others can see of the platform, and from where. */
export function OutsidePanel(): JSX.Element {
  return (
    <Panel title="Seen from outside">
      <div className="outside">
        <div className="stack-s">
          <h3>Status page</h3>
          <p className="soft">
            Public, kept true by the platform, and served even when everything behind it is down. Also as JSON and as a
            feed.
          </p>
          <div>
            <OutLink href="/status/" icon="open" small>
              Open the status page
            </OutLink>
          </div>
        </div>
        <div className="stack-s">
          <h3>Metrics</h3>
          <p className="soft">
            For Prometheus at <code>/metrics</code>, with the metrics token as a bearer token. Alert rules and a
            dashboard come with the platform; the operator's guide says where.
          </p>
        </div>
      </div>
    </Panel>
  );
}
