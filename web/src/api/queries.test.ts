import { QueryClient } from '@tanstack/react-query';
import { expect, test } from 'vitest';
import { siteQuery } from './queries.ts';

test('an address that names no site by its form is one of a site that does not exist', async () => {
  const client = new QueryClient();
  for (const id of ['nope', '', '0123456789ABCDEF', '../sites'])
    await expect(client.fetchQuery({ ...siteQuery(id), retry: false })).rejects.toMatchObject({ status: 404 });
});
