import { expect, test } from 'vitest';
import type { Incident } from '../protocol/incidents.ts';
import { incidentText } from './incident.ts';

test('one account is not called one accounts', () => {
  const impact = { accounts: 1, sites: 1, requests: null };
  const lists = { diagnosis: { evidence: [], ruledOut: [] }, timeline: [], notifications: [], notes: [] };
  const incident = { ...lists, impact, culprit: { disk: null }, service: 'serving' } as unknown as Incident;
  expect(incidentText(incident)).toContain('1 account with 1 site;');
  expect(incidentText({ ...incident, impact: { ...impact, accounts: 2, sites: 0 } })).toContain(
    '2 accounts with 0 sites;',
  );
});
