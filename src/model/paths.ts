/** Where an account's things are, as its programs see them. */

export function accountHome(account: string): string {
  return `/home/${account}`;
}

/** A bare virtualenv name stands for one made by virtualenvwrapper's mkvirtualenv, as on PythonAnywhere. */
export function completeVirtualenv(path: string, account: string): string {
  return path.includes('/') || path.startsWith('~') ? path : `${accountHome(account)}/.virtualenvs/${path}`;
}

/** The directories that a member has. */
export function memberRoots(account: string): string[] {
  return [accountHome(account), '/tmp', '/var/www', '/var/log'];
}

/** Doubled slashes, `.` and a trailing slash gone. `..` is left for whoever refuses it. */
export function tidyPath(path: string): string {
  const parts = path.split('/').filter((part) => part !== '' && part !== '.');
  return `/${parts.join('/')}`;
}

/** Whether a tidy path is one of the member's directories or inside one. */
export function isMemberPath(path: string, account: string): boolean {
  return memberRoots(account).some((root) => path === root || path.startsWith(`${root}/`));
}
