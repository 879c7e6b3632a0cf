import { expect, test } from 'vitest';
import { errorFromAnswer, streamAddress } from './client.ts';

test('an error of the control plane keeps its words, field and details', () => {
  const error = errorFromAnswer(
    409,
    JSON.stringify({ code: 'domain-taken', message: 'In use.', field: 'domain', details: ['by bob'] }),
  );
  expect(error).toMatchObject({
    status: 409,
    code: 'domain-taken',
    message: 'In use.',
    field: 'domain',
    details: ['by bob'],
  });
});

test('an answer from something in between still says what to do', () => {
  expect(errorFromAnswer(502, '<html>Bad Gateway</html>').message).toContain('Try again');
  expect(errorFromAnswer(413, '').code).toBe('too-large');
  expect(errorFromAnswer(500, '"text"').message).toContain('500');
});

test('addresses leave out what is not given and encode what is', () => {
  expect(streamAddress('files.read', { query: { path: '/home/a b&c', account: undefined } })).toBe(
    '/api/holdfast/files/content?path=%2Fhome%2Fa+b%26c',
  );
  expect(streamAddress('events.follow', {})).toBe('/api/holdfast/events');
});
