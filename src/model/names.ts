/** Rules for the names that people choose. Pure: the same rules hold in pages, in the API and in the agent. */

/** Names that would collide with a host name or a word of the platform. */
export const RESERVED_ACCOUNT_NAMES: ReadonlySet<string> = new Set([
  'www', 'api', 'admin', 'administrator', 'root', 'holdfast', 'status', 'mail', 'smtp', 'imap', 'ftp', 'ssh', 'ns', 'dns',
  'localhost', 'static', 'assets', 'cdn', 'help', 'docs', 'support', 'system', 'nobody', 'daemon', 'operator', 'gateway', 'control', 'agent',
]); // prettier-ignore

const ACCOUNT_NAME = /^[a-z][a-z0-9]{1,29}$/;
const VOLUME_NAME = /^[a-z][a-z0-9-]{0,30}$/;
const LABEL = /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/;

/** What is wrong with a name: a sentence for a person, or undefined when the name is fine. */
export function accountNameProblem(name: string): string | undefined {
  if (!ACCOUNT_NAME.test(name)) {
    return 'An account name has 2 to 30 characters, lower-case letters and digits, and starts with a letter.';
  }
  if (RESERVED_ACCOUNT_NAMES.has(name)) return `The name "${name}" belongs to the platform. Please choose another.`;
  return undefined;
}

export function volumeNameProblem(name: string): string | undefined {
  if (!VOLUME_NAME.test(name)) {
    return 'A volume name has up to 31 characters, lower-case letters, digits and hyphens, and starts with a letter.';
  }
  return undefined;
}

/** A host name in the form everything compares: lower case, no trailing dot. */
export function normaliseDomain(domain: string): string {
  return domain.trim().toLowerCase().replace(/\.$/, '');
}

/**
 * Whether an account may use a domain for a site. RFC 1035: labels of up to 63 letters, digits and hyphens, 253 in all.
 * Under the platform's own suffix an account may use its own name and `<something>-<name>`, as on PythonAnywhere.
 */
export function domainProblem(domain: string, account: string, platformDomain: string): string | undefined {
  // eslint-disable-next-line no-control-regex
  if (/[^\u0000-\u007f]/.test(domain)) {
    return `"${domain}" has letters beyond a to z. The name service knows it by a form that starts with xn--: write it in that form.`;
  }
  const labels = domain.split('.');
  if (domain.length > 253 || labels.length < 2 || !labels.every((label) => LABEL.test(label))) {
    return `"${domain}" is not a domain name. Use something like www.example.com.`;
  }
  if (/^\d+$/.test(labels.at(-1) ?? '')) return `"${domain}" looks like an address. A site needs a domain name.`;
  if (domain === platformDomain || domain === `www.${platformDomain}`) {
    return `"${domain}" is the platform's own address. Please choose another domain.`;
  }
  if (domain.endsWith(`.${platformDomain}`)) {
    const label = domain.slice(0, -platformDomain.length - 1);
    if (label !== account && !label.endsWith(`-${account}`)) {
      return `Under ${platformDomain} you can use ${account}.${platformDomain} or something-${account}.${platformDomain}.`;
    }
    if (label.includes('.')) return `Only one label is possible in front of ${platformDomain}.`;
  }
  return undefined;
}

/** The name of a domain's WSGI file and log files' stem: PythonAnywhere's convention, dots become underscores. */
export function wsgiFileName(domain: string): string {
  return `${domain.toLowerCase().replaceAll('.', '_')}_wsgi.py`;
}
