/**
 * Every address of the API of the pages and the command line, one a line: `METHOD path`, below /api/holdfast/ unless it begins with a slash.
 * src/protocol/api.ts has the rows to it: who may ask, what is sent and what comes. Nothing of zod here: this part goes to browsers.
 */

/** Where the addresses are that do not begin with a slash. */
export const API_BASE = '/api/holdfast/';

/** Questions and their answers, in JSON. */
export const apiAddresses = {
  'session.get': 'GET session',
  'session.signIn': 'POST session',
  'session.signOut': 'DELETE session',
  'session.changePassword': 'POST session/password',
  'session.signUp': 'POST sign-up',
  'session.renewToken': 'POST token',
  'dashboard.get': 'GET dashboard',

  'sites.list': 'GET sites',
  'sites.create': 'POST sites',
  'sites.get': 'GET sites/:id',
  'sites.update': 'PATCH sites/:id',
  'sites.delete': 'DELETE sites/:id',
  'sites.reload': 'POST sites/:id/reload',
  'sites.back': 'POST sites/:id/back',
  'sites.enable': 'POST sites/:id/enable',
  'sites.disable': 'POST sites/:id/disable',
  'sites.log': 'GET sites/:id/logs/:kind',

  'tasks.list': 'GET tasks',
  'tasks.create': 'POST tasks',
  'tasks.get': 'GET tasks/:id',
  'tasks.update': 'PATCH tasks/:id',
  'tasks.delete': 'DELETE tasks/:id',
  'tasks.run': 'POST tasks/:id/run',
  'tasks.stop': 'POST tasks/:id/stop',
  'tasks.restart': 'POST tasks/:id/restart',
  'tasks.output': 'GET tasks/:id/runs/:number/output',

  'files.list': 'GET files',
  'files.makeDirectory': 'POST files/directory',
  'files.rename': 'POST files/rename',
  'files.compact': 'POST files/compact',
  'files.delete': 'DELETE files',

  'accounts.list': 'GET accounts',
  'accounts.create': 'POST accounts',
  'accounts.update': 'PATCH accounts/:name',
  'accounts.delete': 'DELETE accounts/:name',
  'accounts.resetPassword': 'POST accounts/:name/password',

  'volumes.list': 'GET volumes',
  'volumes.create': 'POST volumes',
  'volumes.act': 'POST volumes/:name/:action',
  'volumes.delete': 'DELETE volumes/:name',
  'volumes.planRecovery': 'GET volumes/:name/recovery',
  'volumes.recover': 'POST volumes/:name/recover',
  'volumes.replaceDisk': 'POST volumes/:name/replace-disk',
  'volumes.fault': 'POST volumes/:name/fault',
  'spares.list': 'GET spares',
  'spares.add': 'POST spares',
  'spares.remove': 'DELETE spares',
  'operations.list': 'GET operations',

  'health.get': 'GET health',
  'health.setReaction': 'PUT health/reaction',
  'incidents.list': 'GET incidents',
  'incidents.get': 'GET incidents/:id',
  'incidents.note': 'POST incidents/:id/notes',
  'notifications.get': 'GET notifications',
  'notifications.change': 'PUT notifications',
  'notifications.test': 'POST notifications/test',
  'drills.list': 'GET drills',
  'drills.start': 'POST drills',
  'drills.get': 'GET drills/:id',
  'drills.report': 'PUT drills/:id',
  'drills.stop': 'DELETE drills/:id',

  'metrics.token': 'GET metrics-token',
  'metrics.renewToken': 'POST metrics-token',
  'audit.list': 'GET audit',
  'settings.get': 'GET settings',
  'settings.update': 'PATCH settings',
  'plans.list': 'GET plans',
  'plans.put': 'PUT plans/:name',
  'platform.status': 'GET status',
  'platform.alive': 'GET alive',
} as const satisfies Record<`${string}.${string}`, Address>;

/** What comes or goes as bytes, text or without an end. */
export const streamAddresses = {
  'events.follow': 'GET events',
  'files.read': 'GET files/content',
  'files.write': 'PUT files/content',
  'incidents.postMortem': 'GET incidents/:id/post-mortem',
  'metrics.read': 'GET /metrics',
} as const satisfies Record<`${string}.${string}`, Address>;

export type ApiMethod = 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
/** A method and a path, in which `:name` stands for a parameter. */
export type Address = `${ApiMethod} ${string}`;

export type ApiName = keyof typeof apiAddresses;
export type StreamName = keyof typeof streamAddresses;
export type AddressOf<N extends ApiName | StreamName> = N extends ApiName
  ? (typeof apiAddresses)[N]
  : N extends StreamName
    ? (typeof streamAddresses)[N]
    : never;

type NounIn<Name> = Name extends `${infer Noun}.${string}` ? Noun : never;
/** What stands before the dot of a name. One module of the control plane serves all of a noun. */
export type ApiNoun = NounIn<ApiName>;
export type NamesOf<Noun extends ApiNoun> = Extract<ApiName, `${Noun}.${string}`>;

/** The names of the `:parameters` in a path. */
export type ParametersIn<Path extends string> = Path extends `${string}:${infer Name}/${infer Rest}`
  ? Name | ParametersIn<Rest>
  : Path extends `${string}:${infer Name}`
    ? Name
    : never;

/** An address in its two parts; the path begins with a slash. */
export function addressParts(address: Address): { method: ApiMethod; path: string } {
  const space = address.indexOf(' ');
  const path = address.slice(space + 1);
  return { method: address.slice(0, space) as ApiMethod, path: path.startsWith('/') ? path : `${API_BASE}${path}` };
}
