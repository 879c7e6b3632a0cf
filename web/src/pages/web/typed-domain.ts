import { normaliseDomain } from '../../../../src/model/names.ts';

/** A domain as it is kept: letters beyond a to z become the xn-- form, as in the browser's own address bar. */
export function typedDomain(text: string): string {
  const plain = normaliseDomain(text);
  // eslint-disable-next-line no-control-regex
  if (!/[^\u0000-\u007f]/.test(plain) || /[\s/?#@:\\%]/.test(plain)) return plain;
  const address = URL.parse(`http://${plain}`);
  return address === null ? plain : address.hostname;
}
