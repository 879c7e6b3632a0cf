import { join } from 'node:path';
import { inspect } from 'node:util';

const texts = new WeakMap<MemberPath, string>();

/**
 * A path in a member's home or elsewhere on a volume, which may hang: law 1 says that nothing shared opens it. It is no string, so that
 * nothing of Node takes it (the compiler refuses `stat(path)`), and it shows its text to nobody who prints it. What it is can be asked only
 * where a sandbox's arguments are made (`member-argument.ts`, which the linter lets few files import).
 */
export class MemberPath {
  constructor(text: string) {
    texts.set(this, text);
  }

  below(...names: string[]): MemberPath {
    return new MemberPath(join(textOf(this), ...names));
  }

  toString(): string {
    return '[a path on a volume]';
  }

  toJSON(): string {
    return this.toString();
  }

  [inspect.custom](): string {
    return this.toString();
  }
}

/** For `member-argument.ts` alone. */
export function textOf(path: MemberPath): string {
  const text = texts.get(path);
  if (text === undefined) throw new TypeError('This is no path on a volume.');
  return text;
}
