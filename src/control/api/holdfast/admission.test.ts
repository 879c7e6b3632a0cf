import type { FastifyRequest } from 'fastify';
import { expect, test } from 'vitest';
import type { Caller } from '../../../protocol/api/row.ts';
import { HoldfastError } from '../../../protocol/errors.ts';
import { admit } from './admission.ts';

const account = (role: string, mustChange = 0) => ({ role, must_change_password: mustChange });
const session = { csrf_token: 'right' };
const NOBODY = { kind: 'nobody', refused: null };
const BAD_TOKEN = { kind: 'nobody', refused: 'Invalid token.' };
const MEMBER = { kind: 'session', account: account('member'), session };
const NEW_MEMBER = { kind: 'session', account: account('member', 1), session };
const TOKEN = { kind: 'token', account: account('member') };
const OPERATOR = { kind: 'session', account: account('operator'), session };
const COMMAND_LINE = { kind: 'command-line' };

function outcome(who: Caller, identity: object, csrf = 'right'): string {
  const request = { identity, method: 'POST', headers: { 'x-csrf-token': csrf } } as unknown as FastifyRequest;
  try {
    admit(request, { who });
    return 'ok';
  } catch (error) {
    return error instanceof HoldfastError ? error.code : String(error);
  }
}

test.each<[Caller, string[]]>([
  ['public', ['ok', 'ok', 'ok', 'ok', 'ok', 'ok', 'ok']],
  ['browser', ['not-signed-in', 'not-signed-in', 'ok', 'ok', 'not-signed-in', 'ok', 'not-signed-in']],
  ['account', ['not-signed-in', 'token-invalid', 'ok', 'password-change-needed', 'ok', 'ok', 'forbidden']],
  ['member', ['not-signed-in', 'token-invalid', 'ok', 'password-change-needed', 'ok', 'ok', 'ok']],
  ['operator', ['not-signed-in', 'token-invalid', 'forbidden', 'password-change-needed', 'forbidden', 'ok', 'ok']],
  ['command-line', ['not-signed-in', 'token-invalid', 'forbidden', 'password-change-needed', 'forbidden', 'forbidden', 'ok']], // prettier-ignore
])('%s: who may ask', (who, expected) => {
  const all = [NOBODY, BAD_TOKEN, MEMBER, NEW_MEMBER, TOKEN, OPERATOR, COMMAND_LINE];
  expect(all.map((identity) => outcome(who, identity))).toEqual(expected);
});

test.each<Caller>(['browser', 'account', 'member', 'operator', 'command-line'])(
  '%s: a write of a browser needs the token of its session',
  (who) => {
    expect(outcome(who, OPERATOR, 'wrong')).toBe('csrf-missing');
  },
);

test('a row says its own sentence to who is refused', () => {
  const request = { identity: OPERATOR, method: 'GET', headers: {} } as unknown as FastifyRequest;
  expect(() => admit(request, { who: 'command-line', refusal: 'Only on the host.' })).toThrow('Only on the host.');
});
