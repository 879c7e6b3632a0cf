import { domainToASCII } from 'node:url';
import { accountHome, completeVirtualenv } from '../../model/paths.ts';
import { domainProblem, normaliseDomain } from '../../model/names.ts';
import { HoldfastError } from '../../protocol/errors.ts';
import type { ControlContext } from '../context.ts';
import type { Python } from '../platform/world.ts';

/** The form everything compares. Letters beyond ASCII become the form that the name service knows: bücher.example is xn--bcher-kva.example. */
export function usualDomain(domain: string): string {
  const plain = normaliseDomain(domain);
  // What is no name at all stays as it was typed, for the sentence that refuses it; a URL's host may be written in odder ways than a name.
  // eslint-disable-next-line no-control-regex
  return /[^\u0000-\u007f]/.test(plain) && !/[\s/?#@:\\%]/.test(plain) ? domainToASCII(plain) || plain : plain;
}

/** The domain in its usual form. Throws `input-invalid`. */
export function checkDomain(context: Pick<ControlContext, 'configuration'>, domain: string, account: string): string {
  const usual = usualDomain(domain);
  const problem = domainProblem(usual, account, context.configuration.domain);
  if (problem !== undefined) throw new HoldfastError('input-invalid', problem, { field: 'domain' });
  return usual;
}

/** Newest first: "3.13", "3.11". Throws `agent-unreachable` while the host has not yet said what it has. */
export function availablePythons(context: Pick<ControlContext, 'world'>): Python[] {
  if (!context.world.host) {
    throw new HoldfastError('agent-unreachable', 'The host is not reachable at the moment. Please try again soon.', {
      retryAfterSeconds: 10,
    });
  }
  const key = (version: string): number[] => version.split('.').map(Number);
  return [...context.world.pythons].sort((a, b) => {
    const [aMajor = 0, aMinor = 0] = key(a.version);
    const [bMajor = 0, bMinor = 0] = key(b.version);
    return bMajor - aMajor || bMinor - aMinor;
  });
}

/**
 * The interpreter that somebody asked for, in any of the ways that clients spell it: "3.11", "python3.11", "python311",
 * 3.11 (a number; 3.1 stands for 3.10 there). Undefined when this host does not have it.
 */
export function matchPython(asked: string | number, available: readonly Pick<Python, 'version'>[]): string | undefined {
  const text = String(asked)
    .trim()
    .toLowerCase()
    .replace(/^python/, '');
  const compact = /^([23])(\d{1,2})$/.exec(text);
  const version = compact ? `${compact[1]}.${compact[2]}` : text;
  const has = (wanted: string): boolean => available.some((python) => python.version === wanted);
  if (has(version)) return version;
  if (version === '3.1' && has('3.10')) return '3.10';
  return undefined;
}

/** Throws `input-invalid` naming what there is. */
export function checkPython(context: Pick<ControlContext, 'world'>, asked: string | undefined): string {
  const available = availablePythons(context);
  // Without a wish: the one that uWSGI and the system's packages (Flask, Django) are there for.
  const usual = available.find((python) => python.uwsgiPlugin) ?? available[0];
  if (!usual)
    throw new HoldfastError('set-up-missing', 'No Python is installed on the host. Run npm start, which installs it.');
  if (asked === undefined) return usual.version;
  const version = matchPython(asked, available);
  if (version === undefined) {
    throw new HoldfastError(
      'input-invalid',
      `Python ${asked} is not available here. Choose from ${available.map((python) => python.version).join(', ')}.`,
      { field: 'pythonVersion' },
    );
  }
  return version;
}

/** A directory as people type it: `~/x` and `x` mean the home. Throws `input-invalid` for a path that leaves it. */
export function checkDirectory(path: string, account: string, field: string): string {
  const home = accountHome(account);
  const trimmed = path.trim();
  if (trimmed === '') return '';
  const whole = trimmed === '~' || trimmed.startsWith('~/') ? home + trimmed.slice(1) : trimmed;
  const absolute = whole.startsWith('/') ? whole : `${home}/${whole}`;
  const why = /[\0\n\r]/.test(absolute)
    ? 'it contains control characters'
    : absolute.split('/').includes('..')
      ? 'it has ".." in it'
      : undefined;
  if (why !== undefined) {
    throw new HoldfastError('input-invalid', `"${path}" is not a path here: ${why}. Use one like ${home}/mysite.`, {
      field,
    });
  }
  return absolute;
}

export function checkVirtualenv(path: string, account: string): string {
  const trimmed = path.trim();
  if (trimmed === '') return '';
  return checkDirectory(completeVirtualenv(trimmed, account), account, 'virtualenv').replace(/\/+$/, '');
}

/** nginx and uWSGI are handed these: no control characters, a header name that HTTP allows. Throws `input-invalid`. */
export function checkHeader(header: { url: string; name: string; value: string }): void {
  // eslint-disable-next-line no-control-regex
  const control = /[\u0000-\u001f\u007f]/;
  if (!/^[A-Za-z0-9!#$%&'*+.^_`|~-]+$/.test(header.name)) {
    throw new HoldfastError('input-invalid', `"${header.name}" is not a header name.`, { field: 'staticHeaders' });
  }
  if (control.test(header.value) || control.test(header.url)) {
    throw new HoldfastError('input-invalid', 'A header must not contain control characters.', {
      field: 'staticHeaders',
    });
  }
}

/** The mapping as it is kept: a directory is absolute, `~/x` and `x` mean the home. Throws `input-invalid`. */
export function checkMapping<T extends { url: string; path: string }>(mapping: T, account: string): T {
  const home = accountHome(account);
  const refuse = (why: string): never => {
    throw new HoldfastError('input-invalid', `"${mapping.url}" -> "${mapping.path}" cannot be mapped: ${why}`, {
      field: 'staticFiles',
    });
  };
  // eslint-disable-next-line no-control-regex
  if (/[\u0000-\u001f\u007f]/.test(mapping.url + mapping.path)) refuse('it contains control characters.');
  if (mapping.path.split('/').includes('..')) {
    refuse(`a path must not have ".." in it. Write the path that is meant, like ${home}/static.`);
  }
  const path = mapping.path.trim();
  // As the shell has it: ~name is the home of that account.
  const rest = /^~([^/]*)(\/.*)?$/s.exec(path);
  if (rest === null) return { ...mapping, path: path === '' || path.startsWith('/') ? path : `${home}/${path}` };
  if (rest[1] !== '' && rest[1] !== account) {
    throw new HoldfastError(
      'input-invalid',
      `"${mapping.path}" is not a directory of yours. Write the whole path, like ${home}/static.`,
      { field: 'staticFiles' },
    );
  }
  return { ...mapping, path: `${home}${rest[2] ?? ''}` };
}

/** The plan allows no further site. */
export function limitReached(sites: number): HoldfastError {
  // PythonAnywhere's words: clients look for them.
  return new HoldfastError('limit-reached', `You cannot create any more webapps - your account only allows ${sites}`);
}
