import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { spawn } from 'node:child_process';
import { HoldfastError } from '../../protocol/errors.ts';

/** A Debian package, and a file whose presence shows that it is installed (checked because it takes microseconds). */
interface Requirement {
  package: string;
  proof: readonly string[];
}

/** What `npm start` needs. The Python packages are what the quickstarts import. */
export const PLATFORM_PACKAGES: readonly Requirement[] = [
  { package: 'nginx-light', proof: ['/usr/sbin/nginx'] },
  {
    package: 'libnginx-mod-http-headers-more-filter',
    proof: ['/usr/lib/nginx/modules/ngx_http_headers_more_filter_module.so'],
  },
  { package: 'uwsgi-core', proof: ['/usr/bin/uwsgi-core'] },
  { package: 'uwsgi-plugin-python3', proof: ['/usr/lib/uwsgi/plugins/python3_plugin.so'] },
  { package: 'bubblewrap', proof: ['/usr/bin/bwrap'] },
  { package: 'openssh-sftp-server', proof: ['/usr/lib/openssh/sftp-server'] },
  { package: 'btrfs-progs', proof: ['/usr/bin/btrfs', '/bin/btrfs', '/sbin/btrfs'] },
  { package: 'nbdkit', proof: ['/usr/sbin/nbdkit', '/usr/bin/nbdkit'] },
  { package: 'libnbd-bin', proof: ['/usr/bin/nbdfuse'] },
  { package: 'fuse3', proof: ['/usr/bin/fusermount3'] },
  { package: 'python3', proof: ['/usr/bin/python3'] },
  { package: 'python3-venv', proof: ['/usr/share/doc/python3-venv'] },
  { package: 'python3-pip', proof: ['/usr/bin/pip3'] },
  { package: 'virtualenvwrapper', proof: ['/usr/share/virtualenvwrapper/virtualenvwrapper.sh'] },
  { package: 'python3-flask', proof: ['/usr/lib/python3/dist-packages/flask'] },
  { package: 'python3-django', proof: ['/usr/lib/python3/dist-packages/django'] },
  // Django's admin pages link to it; the package only recommends it, and collectstatic fails on the dangling link.
  { package: 'libjs-jquery', proof: ['/usr/share/javascript/jquery/jquery.js'] },
  { package: 'python3-fastapi', proof: ['/usr/lib/python3/dist-packages/fastapi'] },
  { package: 'python3-uvicorn', proof: ['/usr/lib/python3/dist-packages/uvicorn'] },
  // What makes uvicorn fast, and able to speak websockets.
  { package: 'python3-websockets', proof: ['/usr/lib/python3/dist-packages/websockets'] },
  { package: 'python3-uvloop', proof: ['/usr/lib/python3/dist-packages/uvloop'] },
  { package: 'python3-httptools', proof: ['/usr/lib/python3/dist-packages/httptools'] },
  { package: 'uvicorn', proof: ['/usr/bin/uvicorn'] },
  { package: 'gunicorn', proof: ['/usr/bin/gunicorn'] },
  // Every locale, ready made (230 MB): which ones members' programs set is not known before.
  { package: 'locales-all', proof: ['/usr/share/doc/locales-all'] },
  { package: 'ca-certificates', proof: ['/etc/ssl/certs/ca-certificates.crt'] },
  { package: 'openssl', proof: ['/usr/bin/openssl'] },
  { package: 'util-linux', proof: ['/usr/bin/setpriv'] },
  { package: 'mount', proof: ['/usr/bin/mount', '/bin/mount'] },
  { package: 'procps', proof: ['/usr/bin/ps', '/bin/ps'] },
];

/** What `npm test` needs beside them: a browser, a database server, an application that nobody here wrote. */
export const TEST_PACKAGES: readonly Requirement[] = [
  { package: 'chromium', proof: ['/usr/bin/chromium'] },
  { package: 'fonts-dejavu-core', proof: ['/usr/share/fonts/truetype/dejavu/DejaVuSans.ttf'] },
  { package: 'postgresql', proof: ['/usr/share/doc/postgresql'] },
  { package: 'radicale', proof: ['/usr/bin/radicale'] },
  { package: 'curl', proof: ['/usr/bin/curl'] },
  // Servers that members start by a command of their own.
  { package: 'python3-hypercorn', proof: ['/usr/bin/hypercorn'] },
  { package: 'daphne', proof: ['/usr/bin/daphne'] },
  { package: 'python3-tornado', proof: ['/usr/lib/python3/dist-packages/tornado'] },
  { package: 'python3-waitress', proof: ['/usr/bin/waitress-serve'] },
];

/** What `npm run bench` needs beside those. */
export const BENCH_PACKAGES: readonly Requirement[] = [
  { package: 'wrk', proof: ['/usr/bin/wrk'] },
  { package: 'fio', proof: ['/usr/bin/fio'] },
];

export function missingPackages(requirements: readonly Requirement[]): string[] {
  return requirements.filter(({ proof }) => !proof.some((path) => existsSync(path))).map((entry) => entry.package);
}

async function aptGet(arguments_: readonly string[], deadlineMs: number): Promise<void> {
  const output: string[] = [];
  const code = await new Promise<number | null>((resolve, reject) => {
    const child = spawn('apt-get', ['-o', 'DPkg::Lock::Timeout=300', ...arguments_], {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive', LC_ALL: 'C.UTF-8' },
      timeout: deadlineMs,
    });
    const keep = (chunk: Buffer): void => {
      output.push(chunk.toString('utf8'));
      if (output.length > 400) output.shift();
    };
    child.stdout.on('data', keep);
    child.stderr.on('data', keep);
    child.on('error', reject);
    child.on('close', resolve);
  });
  if (code !== 0) {
    throw new HoldfastError(
      'set-up-missing',
      `apt-get ${arguments_[0] ?? ''} failed. Its last lines say why; mend that and start again.`,
      {
        details: output.join('').trimEnd().split('\n').slice(-12),
      },
    );
  }
}

/**
 * Debian starts a service as soon as its package is installed (nginx on port 80, a database). The platform runs its own
 * instances, so services are told not to start for the time of the installation: Debian policy, invoke-rc.d(8).
 */
async function withoutServices(work: () => Promise<void>): Promise<void> {
  const policy = '/usr/sbin/policy-rc.d';
  const ours = '#!/bin/sh\n# Made by Holdfast while it installs packages; removed afterwards.\nexit 101\n';
  const mayWrite = !existsSync(policy) || readFileSync(policy, 'utf8') === ours;
  if (mayWrite) writeFileSync(policy, ours, { mode: 0o755 });
  try {
    await work();
  } finally {
    if (mayWrite) rmSync(policy, { force: true });
  }
}

/** Installs what is missing. `say` gets a short line per step. Returns what was installed. */
export async function installPackages(
  requirements: readonly Requirement[],
  say: (line: string) => void,
): Promise<string[]> {
  const missing = missingPackages(requirements);
  if (missing.length === 0) return [];
  if (!existsSync('/usr/bin/apt-get')) {
    throw new HoldfastError(
      'set-up-missing',
      `These are missing: ${missing.join(', ')}. This is not a Debian system, so please install them yourself.`,
    );
  }
  say(`Installing ${missing.length} Debian package${missing.length === 1 ? '' : 's'}: ${missing.join(' ')}`);
  await withoutServices(async () => {
    await aptGet(['update', '-q'], 600_000);
    await aptGet(['install', '-y', '-q', '--no-install-recommends', ...missing], 1_800_000);
  });
  const still = missingPackages(requirements);
  if (still.length > 0) {
    throw new HoldfastError(
      'set-up-missing',
      `Debian installed everything, but these are still not where they belong: ${still.join(', ')}.`,
    );
  }
  return missing;
}
