import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { AccountSpec } from '../../protocol/sites.ts';
import { createSandboxes, type Sandboxes } from './sandbox.ts';
import { openTestGround, type TestGround } from './test-ground.ts';

let ground: TestGround;
let sandboxes: Sandboxes;
let alice: AccountSpec;

beforeAll(async () => {
  ground = await openTestGround();
  alice = await ground.account('alice');
  sandboxes = createSandboxes(ground.context);
});
afterAll(async () => {
  await ground.close();
});

/** Runs a line of bash as scheduled tasks and clients do. */
async function bash(script: string): Promise<{ code: number | null; output: string }> {
  const { code, stdout, stderr } = await sandboxes.run(
    { account: alice, home: ground.storage.homeOf('alice'), command: ['/bin/bash', '-c', script] },
    { deadlineMs: 120_000 },
  );
  return { code, output: stdout + stderr };
}

describe('virtualenvwrapper in a sandbox', () => {
  it('is sourced by its bare name, makes a virtualenv and works on it, as the `pa` command does', async () => {
    const made = await bash(
      'source virtualenvwrapper.sh && mkvirtualenv mysite --python=/usr/bin/python3 && echo $VIRTUAL_ENV',
    );
    expect(made.output).toContain('/home/alice/.virtualenvs/mysite\n');
    expect(made.code).toBe(0);
    const used = await bash(
      'source virtualenvwrapper.sh && workon mysite && python -c "import sys; print(sys.prefix)"',
    );
    expect(used).toMatchObject({ code: 0, output: expect.stringContaining('/home/alice/.virtualenvs/mysite\n') });
    const unknown = await bash('source virtualenvwrapper.sh && workon nowhere && echo worked');
    expect(unknown.output).not.toContain('worked');
  });

  it('has its commands on the PATH', async () => {
    expect(await bash('mkvirtualenv other && lsvirtualenv -b')).toMatchObject({
      code: 0,
      output: expect.stringMatching(/^other$/m),
    });
    expect((await bash('workon')).output).toMatch(/^other$/m);
    expect(await bash('workon other')).toMatchObject({
      code: 1,
      output: expect.stringContaining('source virtualenvwrapper.sh'),
    });
    expect((await bash('rmvirtualenv other && ls ~/.virtualenvs')).output).not.toMatch(/^other$/m);
  });

  it('is there in every interactive shell', async () => {
    const skeleton = join(import.meta.dirname, '../volumes/skeleton/bashrc');
    await ground.write(alice, '/home/alice/.bashrc', await readFile(skeleton, 'utf8'));
    expect((await bash('bash -i -c "type -t workon mkvirtualenv" 2>/dev/null')).output).toBe('function\nfunction\n');
  });
});

describe('pip in a sandbox', () => {
  /** A wheel without the index, which no test asks. */
  const wheel = `
import zipfile
with zipfile.ZipFile('/tmp/w/hello_there-1.0-py3-none-any.whl', 'w') as z:
    z.writestr('hello_there.py', 'word = "hello"\\n')
    d = 'hello_there-1.0.dist-info/'
    z.writestr(d + 'METADATA', 'Metadata-Version: 2.1\\nName: hello-there\\nVersion: 1.0\\n')
    z.writestr(d + 'WHEEL', 'Wheel-Version: 1.0\\nGenerator: test\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n')
    z.writestr(d + 'RECORD', 'hello_there.py,,\\n' + d + 'METADATA,,\\n' + d + 'WHEEL,,\\n' + d + 'RECORD,,\\n')
`;

  it.each(['pip3 install --user', 'pip install --user', 'python3 -m pip install --user', 'pip3 install'])(
    'installs into the home: %s',
    async (command) => {
      await ground.write(alice, '/home/alice/make-wheel.py', wheel);
      expect(await bash('mkdir -p /tmp/w && python3 make-wheel.py')).toEqual({ code: 0, output: '' });
      const done = await bash(`${command} --no-index --find-links /tmp/w hello-there`);
      expect(done).toMatchObject({
        code: 0,
        output: expect.stringContaining('Successfully installed hello-there-1.0'),
      });
      const used = await bash('python3 -c "import hello_there; print(hello_there.__file__, hello_there.word)"');
      expect(used.output).toMatch(
        /^\/home\/alice\/\.local\/lib\/python3\.\d+\/site-packages\/hello_there\.py hello\n$/,
      );
      expect((await bash('pip3 uninstall -y hello-there')).code).toBe(0);
    },
  );

  it("leaves the system's own packages as they are", async () => {
    const before = await bash('ls -la --time-style=full-iso /usr/lib/python3/dist-packages | sha256sum');
    const tried = await bash(
      'pip3 uninstall -y flask; pip3 install --no-index --find-links /tmp/w --target /usr/lib/python3/dist-packages hello-there',
    );
    expect(tried.code).not.toBe(0);
    expect(await bash('ls -la --time-style=full-iso /usr/lib/python3/dist-packages | sha256sum')).toEqual(before);
    expect((await bash('python3 -c "import flask"')).code).toBe(0);
  });
});
