import { describe, expect, it } from 'vitest';
import { domainAsked } from '../client-addresses.tsx';
import { clientSettings } from './client-settings.ts';

describe('the settings of a client', () => {
  it('name the host with its port, the domain, the token, the user and whom to trust', () => {
    const facts = { domain: 'pages.example.org', httpsPort: 8443, account: 'alice', token: 'ab'.repeat(20) };
    expect(clientSettings(facts).split('\n')).toEqual([
      'export PYTHONANYWHERE_SITE="www.pages.example.org:8443"',
      'export PYTHONANYWHERE_DOMAIN="pages.example.org"',
      `export API_TOKEN="${'ab'.repeat(20)}"`,
      'export PYTHONANYWHERE_USERNAME="alice"',
      'export LOGNAME="alice"',
      'export REQUESTS_CA_BUNDLE="$HOME/holdfast-ca-bundle.pem"',
    ]);
    expect(clientSettings({ ...facts, httpsPort: 443, token: undefined })).toContain('SITE="www.pages.example.org"');
    expect(clientSettings({ ...facts, token: undefined })).toContain('API_TOKEN="your token"');
  });
});

describe("PythonAnywhere's address of a site", () => {
  it.each([
    ['/user/alice/webapps/', '', undefined],
    ['/user/alice/webapps/Shop-Alice.example.org/', '', true],
    ['/user/alice/webapps/', '#tab_id_shop_alice_example_org', true],
    ['/user/alice/webapps/', '#id_other_example_org', false],
  ])('%s%s', (path, hash, expected) => {
    expect(domainAsked(path, hash)?.('shop-alice.example.org')).toBe(expected);
  });
});
