import type { FastifyRequest } from 'fastify';
import type { Caller } from '../../../protocol/api/row.ts';
import { HoldfastError } from '../../../protocol/errors.ts';
import { requireAccount, requireOperator, requireSession, requireSomebody } from '../identity.ts';

/** Refuses whoever may not ask this at all, in the words of src/control/api/identity.ts or the row's own. */
export function admit(request: FastifyRequest, { who, refusal }: { who: Caller; refusal?: string }): void {
  switch (who) {
    case 'public':
      return;
    case 'browser':
      requireSession(request, refusal);
      return;
    case 'account':
      requireAccount(request);
      return;
    case 'member':
      requireSomebody(request);
      return;
    case 'operator':
      requireOperator(request);
      return;
    case 'command-line':
      requireOperator(request);
      if (request.identity.kind !== 'command-line')
        throw new HoldfastError('forbidden', refusal ?? 'Only the holdfast command on the machine itself may do this.');
  }
}
