import { accountNameProblem } from '../../model/names.ts';
import { placeAccount, type PlacementCandidate } from '../../model/volumes.ts';
import { ERRORS, HoldfastError } from '../../protocol/errors.ts';
import { within } from '../../runtime/deadline.ts';
import { idsOf } from '../../runtime/config.ts';
import type { Actor, ControlContext } from '../context.ts';
import { audit } from '../platform/audit.ts';
import { hashPassword, passwordProblem } from '../security/passwords.ts';
import { digestOf, newApiToken, newOneTimePassword } from '../security/secrets.ts';
import {
  updateAccount,
  findAccount,
  findPlan,
  insertAccount,
  nextNumber,
  volumeOccupancy,
  type AccountRow,
} from '../store/accounts.ts';
import { putToken } from '../store/sessions.ts';

export interface NewAccount {
  username: string;
  /** Left out: a one-time password is made, to be changed at the first sign-in. */
  password?: string;
  plan: string;
  /** Left out: the volume with most room. */
  volume?: string;
  /** Nobody would see the token: none is made until the member asks for one. */
  withoutToken?: boolean;
}

export interface CreatedAccount {
  account: AccountRow;
  password: string;
  apiToken: string;
  state: 'creating' | 'ready';
}

/** How long the caller waits for the home; after that it is made in the background. */
const WAIT_MS = 45_000;

/**
 * Makes an account: its row first, then the home. When the storage does not answer in time the account exists and its home
 * is made later (state `creating`); when it never can be made, nothing is left behind.
 * Throws `input-invalid`, `name-taken`, `not-found` (plan, volume), `no-room`, `agent-unreachable`.
 */
export async function createAccount(
  context: ControlContext,
  actor: Actor,
  wanted: NewAccount,
): Promise<CreatedAccount> {
  const name = wanted.username;
  const problem = accountNameProblem(name);
  if (problem !== undefined) throw new HoldfastError('input-invalid', problem, { field: 'username' });
  const weak = wanted.password === undefined ? undefined : passwordProblem(wanted.password, name);
  if (weak !== undefined) throw new HoldfastError('input-invalid', weak, { field: 'password' });
  const limits = await findPlan(context.database, wanted.plan);
  if (!limits) {
    throw new HoldfastError('not-found', `There is no plan "${wanted.plan}".`, { field: 'plan' });
  }
  if (await findAccount(context.database, name)) throw nameTaken(name);
  const volume = await chooseVolume(context, wanted.volume, limits.diskBytes);
  const password = wanted.password ?? newOneTimePassword();
  const passwordHash = await hashPassword(password);
  const apiToken = newApiToken();
  const account = await context.database.transaction().execute(async (transaction) => {
    const row = await insertAccount(transaction, {
      name,
      role: 'member',
      state: 'creating',
      disabled: 0,
      plan: wanted.plan,
      uid: await nextUid(context, transaction),
      volume,
      limits_told: 0,
      password_hash: passwordHash,
      must_change_password: wanted.password === undefined ? 1 : 0,
      created_at: context.now().toISOString(),
    });
    if (!row) throw nameTaken(name);
    if (!wanted.withoutToken) {
      await putToken(transaction, row.id, digestOf(apiToken), context.now().toISOString());
    }
    return row;
  });
  await audit(context, actor, 'account.create', name, 'ok', `plan ${wanted.plan}, volume ${volume}`);
  const state = await makeHome(context, actor, account);
  return { account, password, apiToken, state };
}

async function makeHome(context: ControlContext, actor: Actor, account: AccountRow): Promise<'creating' | 'ready'> {
  try {
    await within(WAIT_MS, 'Making the home', context.desired.account(account.name));
    return 'ready';
  } catch (error) {
    if (error instanceof HoldfastError && !ERRORS[error.code].retry && error.code !== 'conflict') {
      // The agent says it can never be: nothing is kept, and what was half made of the home is removed too.
      await updateAccount(context.database, account.id, { state: 'deleting' });
      context.desired.accountSoon(account.name);
      await audit(context, actor, 'account.create', account.name, 'failed', error.message);
      throw error;
    }
    context.log.warn({ account: account.name, err: error }, 'the home is made later');
    return 'creating';
  }
}

async function nextUid(context: ControlContext, database: ControlContext['database']): Promise<number> {
  const ids = idsOf(context.configuration.instance);
  const uid = await nextNumber(database, 'uid', ids.firstAccount);
  if (uid > ids.lastAccount) {
    throw new HoldfastError(
      'no-room',
      'All user numbers of this platform have been used. Start a second instance for more accounts.',
    );
  }
  return uid;
}

function nameTaken(name: string): HoldfastError {
  return new HoldfastError('name-taken', `The name "${name}" is taken. Please choose another.`, { field: 'username' });
}

/** Throws `agent-unreachable` when nothing is known of the volumes, `no-room` when none can take an account. */
async function chooseVolume(context: ControlContext, wanted: string | undefined, limitBytes: number): Promise<string> {
  const { world } = context;
  if (!world.host) {
    throw new HoldfastError('agent-unreachable', 'The storage is not reachable at the moment. Please try again soon.', {
      retryAfterSeconds: 10,
    });
  }
  if (wanted !== undefined) {
    const volume = world.volumes.get(wanted);
    if (!volume) throw new HoldfastError('not-found', `There is no volume "${wanted}".`, { field: 'volume' });
    if (volume.state !== 'open') {
      throw new HoldfastError(
        'volume-closed',
        `The volume "${wanted}" is not open. Open it first, or choose another.`,
        {
          field: 'volume',
        },
      );
    }
    return wanted;
  }
  const occupancy = await volumeOccupancy(context.database);
  const candidates: PlacementCandidate[] = [...world.volumes.values()].map((volume) => ({
    name: volume.name,
    // Nobody moves in where members wait.
    state: world.serviceOf(volume.name) === 'serving' ? volume.state : 'trouble',
    redundancy: volume.redundancy,
    sizeBytes: volume.sizeBytes,
    usedBytes: volume.usedBytes,
    freeBytes: volume.freeBytes,
    promisedBytes: occupancy.get(volume.name)?.promisedBytes ?? 0,
  }));
  const place = placeAccount(candidates, limitBytes);
  if (!place) {
    throw new HoldfastError(
      'no-room',
      'No volume is open at the moment, so a new account has nowhere to live. Please try again soon.',
      {
        retryAfterSeconds: 30,
      },
    );
  }
  return place.name;
}
