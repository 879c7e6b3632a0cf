/**
 * The addresses of the pages, as the router writes them (`:x` one part, `?` may be left out, `*` anything). Whoever serves the pages answers
 * any other address with 404: the page itself cannot.
 */
export const PAGE_ADDRESSES: readonly string[] = [
  '/',
  '/sign-in',
  '/first-password',
  '/web',
  '/web/new',
  '/web/:id/:section?',
  '/tasks',
  '/tasks/new',
  '/tasks/:id/:section?',
  '/files/*',
  '/edit/*',
  '/account',
  '/accounts',
  '/storage',
  '/volumes',
  '/incidents',
  '/incidents/:id',
  '/drills',
  '/drills/:id',
  '/settings',
  '/audit',
  '/user/:name',
  '/user/:name/files/*',
  '/user/:name/webapps/*',
  '/user/:name/account',
];

/** One regular expression (PCRE and JavaScript) for all of them, with and without a slash at the end. */
export function pagesPattern(addresses: readonly string[] = PAGE_ADDRESSES): string {
  const patterns = addresses.map((address) =>
    address
      .replace(/^\//, '')
      .replace(/\/\*$/, '(?:/.*)?')
      .replace(/\/:\w+\?/g, '(?:/[^/]+)?')
      .replace(/:\w+/g, '[^/]+'),
  );
  return `^/(?:${patterns.join('|')})/?$`;
}
