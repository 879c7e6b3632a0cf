/** The pages a visitor sees instead of a site. Self-contained: no other request, no internals, dark and light, phone to wide. */
export interface PageText {
  status: number;
  title: string;
  /** One or two plain sentences. */
  text: string;
  /** A sentence for the person who owns the site, when there is something for them to do. */
  owner?: string;
  /** Seconds after which trying again makes sense; sent as Retry-After. */
  retryAfterSeconds?: number;
  /** The page looks every retryAfterSeconds whether the site is back. */
  refresh?: boolean;
}

export const PAGES = {
  unknown: {
    status: 404,
    title: 'There is no site here',
    text: 'The address is right for this server, but nobody has put a site on it. Check the spelling, or come back later.',
    owner: 'If this is your domain, add a site for it on the Web page.',
  },
  disabled: {
    status: 503,
    title: 'This site is switched off',
    text: 'Its owner has switched it off for now.',
    owner: 'If it is your site, you can switch it on again on the Web page.',
  },
  failed: {
    status: 502,
    title: 'This site could not start',
    text: 'Something in the site itself keeps it from starting. There is nothing you can do but try again later.',
    owner: 'If it is your site, the Web page shows the step that failed and what your program said.',
  },
  address: {
    status: 414,
    title: 'This address is too long',
    text: 'The address that was asked for is longer than this server takes. Whoever made the link has put too much into it.',
    owner: 'If it is your site: send long values in the body of a request (POST). An address may have 26 kB.',
  },
  head: {
    status: 431,
    title: 'Your browser sent too much at once',
    text: 'The cookies for this address, or the address itself, are larger than this server takes. Delete the cookies of this site and try again.',
    owner:
      'If it is your site: the address and all headers of a request may have 60 KiB together; for a WSGI site the address counts twice.',
  },
  broken: {
    status: 502,
    title: 'The site broke off its answer',
    text: 'The site took your request and then stopped without answering. Before you send a form again, check whether it went through.',
    owner: 'If it is your site, its error log on the Web page says more.',
  },
  late: {
    status: 504,
    title: 'The site took too long',
    text: 'The site took your request but did not answer in time. Before you send a form again, check whether it went through.',
    owner: 'If it is your site, its server log on the Web page says more.',
  },
  waking: {
    status: 503,
    title: 'This site is waking up',
    text: 'It was asleep and needs a little longer than usual. This page tries again by itself in a few seconds.',
    retryAfterSeconds: 5,
    refresh: true,
  },
  busy: {
    status: 503,
    title: 'This site is very busy',
    text: 'More people are asking for it than it can serve at once. This page tries again by itself in a few seconds.',
    owner: 'If it is your site and this happens often, more workers may help.',
    retryAfterSeconds: 5,
    refresh: true,
  },
  repair: {
    status: 503,
    title: 'Storage is being repaired',
    text: 'The disk this site lives on is being repaired. Nothing is lost, and the site comes back by itself. This page tries again shortly.',
    retryAfterSeconds: 15,
    refresh: true,
  },
  control: {
    status: 503,
    title: 'The control panel is not available',
    text: 'The part of Holdfast that shows these pages does not answer just now. Sites do not need it. This page tries again by itself.',
    retryAfterSeconds: 5,
    refresh: true,
  },
  protected: {
    status: 401,
    title: 'This site asks for a password',
    text: 'Its owner lets in only people who have the user name and password.',
  },
  large: {
    status: 413,
    title: 'That is too much at once',
    text: 'What you tried to send is larger than a site may take in one request.',
  },
} as const satisfies Record<string, PageText>;

export type PageName = keyof typeof PAGES;

const escapes: Record<string, string> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' };
const escape = (text: string): string => text.replace(/[&<>"]/g, (character) => escapes[character] ?? character);

const STYLE = `
:root{color-scheme:light dark;--paper:#f6f5f1;--ink:#1d2326;--soft:#5b666b;--line:#d9d6cc;--mark:#2b6a6c}
@media(prefers-color-scheme:dark){:root{--paper:#14181a;--ink:#e8e6e0;--soft:#9aa5a9;--line:#2c3438;--mark:#6fb7b5}}
*{box-sizing:border-box}
body{margin:0;min-height:100vh;min-height:100svh;display:grid;place-items:center;padding:1.5rem;background:var(--paper);
color:var(--ink);font:1rem/1.6 system-ui,-apple-system,"Segoe UI",Roboto,"Helvetica Neue",sans-serif}
main{width:100%;max-width:34rem;border-top:3px solid var(--mark);padding-top:1.75rem}
p{margin:0 0 1rem;max-width:60ch}
.code{margin:0 0 .35rem;color:var(--mark);font-size:.875rem;font-weight:600;letter-spacing:.04em;font-variant-numeric:tabular-nums}
h1{margin:0 0 .75rem;font-size:clamp(1.5rem,1.2rem + 1.6vw,2.1rem);line-height:1.2;font-weight:650;text-wrap:balance}
.owner{margin-top:1.5rem;padding-top:1rem;border-top:1px solid var(--line);color:var(--soft);font-size:.9375rem}
a{color:var(--mark);text-underline-offset:.15em}`;

/** Asks now and then whether something else than such a page answers, and only then loads: a reader is not sent back to the beginning in between. */
function waitScript(seconds: number): string {
  return `setInterval(function(){fetch(location.href,{method:'HEAD',cache:'no-store',redirect:'manual'}).then(function(answer){
if(!answer.headers.has('x-holdfast-page'))location.replace(location.href)}).catch(function(){})},${seconds * 1000})`;
}

/** `statusUrl` is where the platform says what it is doing; the page about storage leads there. */
export function renderPage(name: PageName, statusUrl?: string): string {
  const page: PageText = PAGES[name];
  const about =
    name === 'repair' && statusUrl !== undefined
      ? `<p class="owner">What is being done about it: <a href="${escape(statusUrl)}">status page</a></p>\n`
      : '';
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="robots" content="noindex">
${page.refresh === true ? `<noscript><meta http-equiv="refresh" content="${page.retryAfterSeconds ?? 5}"></noscript>\n` : ''}<title>${escape(page.title)}</title>
<style>${STYLE}
</style>
</head>
<body>
<main>
<p class="code">${page.status}</p>
<h1>${escape(page.title)}</h1>
<p>${escape(page.text)}</p>
${page.owner === undefined ? '' : `<p class="owner">${escape(page.owner)}</p>\n`}${about}</main>
${page.refresh === true ? `<script>${waitScript(page.retryAfterSeconds ?? 5)}</script>\n` : ''}</body>
</html>
`;
}
