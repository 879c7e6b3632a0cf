/** What a client of PythonAnywhere's API needs to know on a computer of its user's own. */
export interface ClientFacts {
  domain: string;
  httpsPort: number;
  account: string;
  /** Only while it is in sight. */
  token: string | undefined;
}

/** Where the certificates are fetched that such a client has to trust: the public ones and the platform's own authority. */
export const CA_BUNDLE_ADDRESS = '/ca-bundle.pem';

/** The lines for a shell, in the order in which they are explained. */
export function clientSettings({ domain, httpsPort, account, token }: ClientFacts): string {
  const site = `www.${domain}${httpsPort === 443 ? '' : `:${httpsPort}`}`;
  const settings: ReadonlyArray<readonly [string, string]> = [
    ['PYTHONANYWHERE_SITE', site],
    ['PYTHONANYWHERE_DOMAIN', domain],
    ['API_TOKEN', token ?? 'your token'],
    ['PYTHONANYWHERE_USERNAME', account],
    // Older clients take the name of whoever is signed in to the computer.
    ['LOGNAME', account],
    ['REQUESTS_CA_BUNDLE', '$HOME/holdfast-ca-bundle.pem'],
  ];
  return settings.map(([name, value]) => `export ${name}="${value}"`).join('\n');
}
