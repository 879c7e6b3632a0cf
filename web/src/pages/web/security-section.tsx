import { type JSX, useState } from 'react';
import type { SiteView } from '../../../../src/protocol/browser.ts';
import { formatDate, formatFrom } from '../../format/format.ts';
import { Button } from '../../ui/button.tsx';
import { useUnsaved } from '../../frame/unsaved.tsx';
import { AreaField, Switch, TextField } from '../../ui/field.tsx';
import { ConfirmDialog } from '../../ui/dialog.tsx';
import { useNow } from '../../ui/hooks.ts';
import { Facts, Panel } from '../../ui/marks.tsx';
import { ErrorNote, Note } from '../../ui/states.tsx';
import { showProblem, showToast } from '../../ui/toast.tsx';
import { useUpdateSite } from './site-actions.ts';

async function textOf(files: FileList | null): Promise<string | undefined> {
  const file = files?.[0];
  return file === undefined || file.size > 256 * 1024 ? undefined : file.text();
}

function CertificateForm({ site, onDone }: { site: SiteView; onDone: () => void }): JSX.Element {
  const update = useUpdateSite(site);
  const [certificatePem, setCertificate] = useState('');
  const [privateKeyPem, setKey] = useState('');
  useUnsaved(certificatePem !== '' || privateKeyPem !== '', { what: 'Certificate' });
  const certificateProblem =
    certificatePem !== '' && !certificatePem.includes('-----BEGIN CERTIFICATE-----')
      ? 'This is not a certificate in PEM form (it begins with -----BEGIN CERTIFICATE-----).'
      : undefined;
  const keyProblem =
    privateKeyPem !== '' && !/-----BEGIN (?:[A-Z]+ )?PRIVATE KEY-----/.test(privateKeyPem)
      ? 'This is not a private key in PEM form. A key with a passphrase cannot be used.'
      : undefined;
  return (
    <form
      className="stack"
      onSubmit={(event) => {
        event.preventDefault();
        if (certificateProblem !== undefined || keyProblem !== undefined) return;
        update.mutate(
          { certificate: { certificatePem, privateKeyPem } },
          {
            onSuccess: () => {
              showToast('Certificate in use.');
              onDone();
            },
          },
        );
      }}
    >
      <div className="form-grid">
        <AreaField
          label="Certificate and its chain (PEM)"
          mono
          rows={6}
          required
          spellCheck={false}
          value={certificatePem}
          onChange={(event) => setCertificate(event.target.value)}
          problem={certificateProblem}
          placeholder="-----BEGIN CERTIFICATE-----"
        />
        <AreaField
          label="Private key (PEM)"
          mono
          rows={6}
          required
          spellCheck={false}
          autoComplete="off"
          value={privateKeyPem}
          onChange={(event) => setKey(event.target.value)}
          problem={keyProblem}
          placeholder="-----BEGIN PRIVATE KEY-----"
        />
      </div>
      <div className="form-grid small">
        <label className="file-pick">
          Certificate from a file{' '}
          <input
            type="file"
            accept=".pem,.crt,.cer"
            onChange={(event) =>
              void textOf(event.target.files).then((text) => text !== undefined && setCertificate(text))
            }
          />
        </label>
        <label className="file-pick">
          Key from a file{' '}
          <input
            type="file"
            accept=".pem,.key"
            onChange={(event) => void textOf(event.target.files).then((text) => text !== undefined && setKey(text))}
          />
        </label>
      </div>
      {update.error !== null && <ErrorNote error={update.error} />}
      <div className="row">
        <Button type="submit" look="main" busy={update.isPending}>
          Use this certificate
        </Button>
        <Button look="quiet" onClick={onDone}>
          Cancel
        </Button>
      </div>
    </form>
  );
}

function Https({ site }: { site: SiteView }): JSX.Element {
  const update = useUpdateSite(site);
  const now = useNow();
  const [editing, setEditing] = useState(false);
  const [removing, setRemoving] = useState(false);
  const { certificate } = site;
  const daysLeft = certificate === null ? undefined : (Date.parse(certificate.notAfter) - now) / 86_400_000;
  return (
    <Panel title="HTTPS">
      <div className="stack">
        <Switch
          label="Force HTTPS"
          hint="Visitors who come over plain HTTP are sent to the same address over HTTPS."
          checked={site.forceHttps}
          onChange={(forceHttps) => update.mutate({ forceHttps }, { onError: showProblem })}
        />
        {certificate === null ? (
          <p className="soft">The certificate is the platform's, renewed by itself.</p>
        ) : (
          <Facts
            rows={[
              ['Certificate', certificate.custom ? 'Your own' : "The platform's, renewed by itself"],
              ['Issued by', certificate.issuer],
              [
                daysLeft !== undefined && daysLeft < 0 ? 'Was valid until' : 'Valid until',
                `${formatDate(certificate.notAfter)} (${formatFrom(certificate.notAfter, now)})`,
              ],
            ]}
          />
        )}
        {certificate?.custom === true && daysLeft !== undefined && daysLeft < 21 && (
          <Note level={daysLeft < 0 ? 'problem' : 'warning'}>
            {daysLeft < 0
              ? 'This certificate has expired; browsers refuse the site.'
              : 'This certificate expires soon.'}{' '}
            Upload a new one, or go back to the platform's.
          </Note>
        )}
        {editing ? (
          <CertificateForm site={site} onDone={() => setEditing(false)} />
        ) : (
          <div className="row">
            <Button icon="lock" onClick={() => setEditing(true)}>
              {certificate?.custom === true ? 'Replace the certificate' : 'Use your own certificate'}
            </Button>
            {certificate?.custom === true && (
              <Button look="quiet" onClick={() => setRemoving(true)}>
                Back to the platform's
              </Button>
            )}
          </div>
        )}
      </div>
      {removing && (
        <ConfirmDialog
          title="Use the platform's certificate?"
          action="Use the platform's"
          keep="Keep mine"
          run={() => update.mutateAsync({ certificate: null })}
          onClose={() => setRemoving(false)}
        >
          <p>
            Your own certificate and its key are removed from the platform. Visitors get the platform's certificate from
            then on.
          </p>
        </ConfirmDialog>
      )}
    </Panel>
  );
}

function Protection({ site }: { site: SiteView }): JSX.Element {
  const update = useUpdateSite(site);
  const [editing, setEditing] = useState(false);
  const [username, setUsername] = useState(site.protection?.username ?? '');
  const [password, setPassword] = useState('');
  useUnsaved(editing && (password !== '' || username !== (site.protection?.username ?? '')), {
    what: 'Password protection',
  });
  return (
    <Panel title="Password protection">
      <div className="stack">
        <Switch
          label="Ask visitors for a name and password"
          hint="One name and password for the whole site, asked by the browser before your code sees the request."
          checked={site.protection !== null || editing}
          onChange={(on) => {
            if (on) setEditing(true);
            else {
              setEditing(false);
              if (site.protection !== null)
                update.mutate(
                  { protection: null },
                  { onError: showProblem, onSuccess: () => showToast('The site is open to everybody.') },
                );
            }
          }}
        />
        {site.protection !== null && !editing && (
          <div className="row">
            <span>
              Visitors sign in as <strong className="anywhere">{site.protection.username}</strong>.
            </span>
            <Button small onClick={() => setEditing(true)}>
              Change
            </Button>
          </div>
        )}
        {editing && (
          <form
            className="stack"
            onSubmit={(event) => {
              event.preventDefault();
              update.mutate(
                { protection: { username: username.trim(), password } },
                {
                  onSuccess: () => {
                    setEditing(false);
                    setPassword('');
                    showToast('The site is protected.');
                  },
                },
              );
            }}
          >
            <div className="form-grid">
              <TextField
                label="Visitors' name"
                required
                maxLength={64}
                autoComplete="off"
                value={username}
                onChange={(event) => setUsername(event.target.value)}
              />
              <TextField
                label="Visitors' password"
                required
                type="password"
                maxLength={200}
                autoComplete="new-password"
                value={password}
                onChange={(event) => setPassword(event.target.value)}
              />
            </div>
            {update.error !== null && <ErrorNote error={update.error} />}
            <div className="row">
              <Button type="submit" look="main" busy={update.isPending}>
                Protect the site
              </Button>
              <Button look="quiet" onClick={() => setEditing(false)}>
                Cancel
              </Button>
            </div>
          </form>
        )}
      </div>
    </Panel>
  );
}

export function SecuritySection({ site }: { site: SiteView }): JSX.Element {
  return (
    <>
      <Https site={site} />
      <Protection site={site} />
    </>
  );
}
