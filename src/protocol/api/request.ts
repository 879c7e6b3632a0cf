import type { ApiArguments, ApiInput, StreamInput } from '../api.ts';
import { addressParts, apiAddresses, streamAddresses, type Address, type ApiMethod, type ApiName, type StreamName } from './addresses.ts'; // prettier-ignore

/** A question, ready to be sent. */
export interface ApiRequest {
  method: ApiMethod;
  /** With its query. */
  path: string;
  /** JSON; undefined: there is no body. */
  body: string | undefined;
}

type Value = string | number | boolean | undefined;
interface AnyInput {
  params?: Readonly<Record<string, Value>>;
  query?: Readonly<Record<string, Value>>;
  body?: unknown;
}

/** Makes the request to a name of the table. Throws a RangeError for a parameter that no address can carry. */
export function apiRequest<N extends ApiName>(name: N, ...[input]: ApiArguments<N>): ApiRequest {
  return buildApiRequest(name, input);
}

/** The same for a function that asks and was given what is sent, or nothing where nothing has to be. */
export function buildApiRequest<N extends ApiName>(name: N, input: ApiInput<N> | undefined): ApiRequest;
// The union of all inputs is more than the compiler holds, so the work is done without it.
export function buildApiRequest(name: ApiName, input: unknown): ApiRequest {
  const parts: AnyInput = isInput(input) ? input : {};
  return {
    ...located(apiAddresses[name], parts),
    body: parts.body === undefined ? undefined : JSON.stringify(parts.body),
  };
}

function isInput(input: unknown): input is AnyInput {
  return typeof input === 'object' && input !== null;
}

/** Makes method and address of a stream. Throws a RangeError for a parameter that no address can carry. */
export function streamRequest<N extends StreamName>(name: N, input: StreamInput<N>): Omit<ApiRequest, 'body'> {
  return located(streamAddresses[name], input);
}

function located(address: Address, { params = {}, query = {} }: AnyInput): Omit<ApiRequest, 'body'> {
  const { method, path } = addressParts(address);
  const filled = path.replaceAll(/:(\w+)/g, (_whole, name: string) => segment(name, params[name]));
  const search = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) if (value !== undefined) search.set(name, String(value));
  return { method, path: search.size === 0 ? filled : `${filled}?${search.toString()}` };
}

/**
 * One parameter as it stands in a path. Nothing, and the dots that mean a directory, would make it the path of something else; half a character
 * cannot be encoded.
 */
function segment(name: string, value: Value): string {
  const text = String(value ?? '');
  if (text === '' || text === '.' || text === '..' || !text.isWellFormed())
    throw new RangeError(`"${text}" cannot be the ${name} of anything.`);
  return encodeURIComponent(text);
}
