import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { addressParts, apiAddresses, type ApiName } from './addresses.ts';
import { apiRequest, streamRequest } from './request.ts';

test('a request has its method, its address and its body', () => {
  expect(apiRequest('dashboard.get')).toEqual({ method: 'GET', path: '/api/holdfast/dashboard', body: undefined });
  expect(apiRequest('accounts.update', { params: { name: 'alice' }, body: { plan: 'large' } })).toEqual({
    method: 'PATCH',
    path: '/api/holdfast/accounts/alice',
    body: '{"plan":"large"}',
  });
  expect(apiRequest('incidents.get', { params: { id: 7 } }).path).toBe('/api/holdfast/incidents/7');
  expect(streamRequest('metrics.read', {})).toEqual({ method: 'GET', path: '/metrics' });
});

test('what is given is encoded, and what is not given is left out', () => {
  expect(apiRequest('files.list', { query: { path: '/home/a b&c', account: undefined } }).path).toBe(
    '/api/holdfast/files?path=%2Fhome%2Fa+b%26c',
  );
  expect(apiRequest('accounts.delete', { params: { name: 'a/b?c' }, query: { confirm: 'ü' } }).path).toBe(
    '/api/holdfast/accounts/a%2Fb%3Fc?confirm=%C3%BC',
  );
  expect(apiRequest('sites.list').path).toBe('/api/holdfast/sites');
});

test('a parameter that is missing does not compile, and throws', () => {
  // @ts-expect-error A site has to be named.
  expect(() => apiRequest('sites.reload')).toThrow(RangeError);
  // @ts-expect-error Its parameter is called `id`.
  expect(() => apiRequest('sites.reload', { params: { name: 'x' } })).toThrow('"" cannot be the id of anything.');
  // @ts-expect-error There is no such action.
  expect(apiRequest('volumes.act', { params: { name: 'home1', action: 'burn' } }).method).toBe('POST');
  // @ts-expect-error The path to list has to be named.
  expect(apiRequest('files.list', {}).path).toBe('/api/holdfast/files');
  // @ts-expect-error There is no such name.
  expect(() => apiRequest('sites.explode')).toThrow(TypeError);
});

test('what would make it the address of something else, or cannot be written in one, is refused', () => {
  for (const name of ['', '.', '..', '\ud800'])
    expect(() => apiRequest('accounts.resetPassword', { params: { name } })).toThrow(RangeError);
});

const text = fc.string({ unit: 'binary', minLength: 1 }).filter((value) => value !== '.' && value !== '..');

test('any parameter comes back from an address as it was', () => {
  const named = Object.entries(apiAddresses).filter(([, address]) => address.includes(':'));
  fc.assert(
    fc.property(fc.constantFrom(...named), text, text, ([name, address], first, second) => {
      const wanted = addressParts(address).path.split('/');
      const parameters = wanted.filter((part) => part.startsWith(':'));
      const params = Object.fromEntries(parameters.map((part, index) => [part.slice(1), [first, second][index]]));
      // Every name at once: which parameters each has is not known to the compiler here.
      const { path } = apiRequest(name as 'accounts.update' & ApiName, { params, body: {} } as never);
      const parts = new URL(path, 'https://holdfast.test').pathname.split('/');
      expect(parts).toHaveLength(wanted.length);
      for (const [index, part] of wanted.entries()) {
        const got = decodeURIComponent(parts[index] ?? '');
        expect(got).toBe(part.startsWith(':') ? params[part.slice(1)] : part);
      }
    }),
  );
});
