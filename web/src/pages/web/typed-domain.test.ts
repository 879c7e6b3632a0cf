import { expect, test } from 'vitest';
import { typedDomain } from './typed-domain.ts';

test('a domain with letters beyond a to z is kept in its xn-- form, and nothing else is changed', () => {
  expect(typedDomain(' Bücher.example ')).toBe('xn--bcher-kva.example');
  expect(typedDomain('Www.Example.com.')).toBe('www.example.com');
  expect(typedDomain('ü b.example')).toBe('ü b.example');
  expect(typedDomain('ü/x')).toBe('ü/x');
});
