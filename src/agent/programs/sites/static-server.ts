import type { SiteSpec } from '../../../protocol/sites.ts';
import { COMPRESSIBLE, HEADERS_MODULE } from '../../../runtime/nginx.ts';

/** Where a sandbox sees the table of types, see static-types.ts. */
export const TYPES_FILE = '/opt/holdfast/nginx-types.conf';

/** As the gateway's: whoever waits longer has left already. */
const LONGEST_WAIT = '3700s';
/** Requests that one site passes on to its server at a time: its workers, and as many as wait in the server's queue. */
const MOST_UNDER_WAY = 240;
const BUSY =
  '<!doctype html><title>This site is very busy</title><h1>This site is very busy</h1><p>More people are asking for it than it can serve at once. Try again in a few seconds.';

// eslint-disable-next-line no-control-regex
const CONTROL = /[\u0000-\u001f\u007f]/;

/** A parameter of nginx's configuration, in quotes. */
function quoted(text: string): string {
  return `"${text.replace(/[\\"]/g, '\\$&')}"`;
}

/** The same where nginx looks for variables: it knows no way to write a dollar but a variable that holds one. */
function literal(text: string): string {
  return quoted(text.replaceAll('$', '${dollar}'));
}

/** A regular expression that matches `text` itself. */
function pattern(text: string): string {
  return text.replace(/[\\^$.|?*+()[\]{}]/g, '\\$&');
}

/** `/static/`, `/static` and `static` are one prefix: "/static". The whole site is "". */
function prefixOf(url: string): string {
  return `/${url}`.replace(/\/{2,}/g, '/').replace(/\/$/, '');
}

/** URL prefix -> absolute path, without slashes at their ends. Of two mappings of one prefix the first counts. */
function mappingsOf(site: SiteSpec, directory: string): Map<string, string> {
  const mappings = new Map<string, string>();
  for (const { url, path } of site.staticFiles) {
    // The control plane has checked this; what is written into a configuration must not depend on it.
    if (CONTROL.test(url) || CONTROL.test(path)) continue;
    const absolute = path.startsWith('/') ? path : `${directory}/${path}`;
    if (!mappings.has(prefixOf(url))) mappings.set(prefixOf(url), absolute.replace(/\/+$/, ''));
  }
  return mappings;
}

function headersOf(site: SiteSpec): { maps: string; directives: string } {
  const headers = site.staticHeaders.filter(
    ({ url, name, value }) => !CONTROL.test(url + value) && /^[A-Za-z0-9!#$%&'*+.^_`|~-]+$/.test(name),
  );
  const maps = headers.map(
    ({ url, value }, index) =>
      `  map $uri $header_${index} { default ""; ${quoted(`~^${pattern(prefixOf(url))}(/|$)`)} ${literal(value)}; }\n`,
  );
  const directives = headers.map(({ name }, index) => `    add_header ${literal(name)} $header_${index} always;\n`);
  return { maps: maps.join(''), directives: directives.join('') };
}

/**
 * A Range header that is none is passed over, as if it were not there; nginx by itself answers 416. And it refuses to write to a file without
 * saying what is possible.
 */
const FILES = 'more_set_input_headers "Range: $range"; more_set_headers -s 405 "Allow: GET, HEAD";';

/**
 * A mapped directory, or a mapped file: which of the two is seen at each request. nginx redirects from a directory's name
 * to the one with a slash, and follows links that lead to files of the member's own (see docs/decisions/0012).
 */
function mappingLocations(prefix: string, path: string): string {
  const exact = prefix === '' ? '' : `    location = ${quoted(prefix)} { ${FILES} alias ${literal(path)}; }\n`;
  return `${exact}    location ^~ ${quoted(`${prefix}/`)} { ${FILES} alias ${literal(`${path}/`)}; }\n`;
}

/** A mapping of "/" before an application: files that are there are sent, everything else is the application's. */
function filesBeforeApplication(path: string): string {
  return `    location / {
      if ($request_method !~ "^(GET|HEAD)$") { return 590; }
      ${FILES}
      root ${literal(path === '' ? '/' : path)};
      set $bare "";
      if (-f $document_root$uri/index.html) { set $bare $uri; }
      if ($bare ~ "[^/]$") { return 301 $asked/$is_args$args; }
      try_files $uri $uri/index.html @application;
    }
`;
}

/** Everything that is not mapped goes on to the server, byte for byte and as it comes. */
const APPLICATION = `
      gzip off;
      proxy_pass http://server;
      proxy_http_version 1.1;
      proxy_set_header Host $http_host;
      proxy_set_header Connection $http_connection;
      proxy_set_header Upgrade $http_upgrade;
      proxy_request_buffering off;
      proxy_buffering off;
      proxy_buffer_size 64k;
      proxy_buffers 4 64k;
      # What these say is for the gateway, which obeys some of them and not others.
      proxy_ignore_headers X-Accel-Redirect X-Accel-Expires X-Accel-Limit-Rate X-Accel-Buffering X-Accel-Charset;
      proxy_pass_header X-Accel-Buffering;
      proxy_connect_timeout 5s;
      proxy_read_timeout ${LONGEST_WAIT};
      proxy_send_timeout ${LONGEST_WAIT};
      proxy_next_upstream off;
      limit_conn under_way ${MOST_UNDER_WAY};
      limit_conn_status 591;
      limit_conn_log_level info;
      error_page 502 504 = @unreached;
      error_page 591 = @busy;
    `;

/**
 * The configuration of the nginx that stands before a site's server inside its sandbox and sends the static files; undefined
 * for a site that needs none. `directory` is what a relative path is relative to. Pure.
 */
export function frontConfiguration(site: SiteSpec, directory: string): string | undefined {
  if (site.kind === 'command') return undefined;
  if (site.kind === 'wsgi' && site.staticFiles.length + site.staticHeaders.length === 0) return undefined;
  const sockets = `/var/sockets/${site.domain}`;
  const mappings = mappingsOf(site, directory);
  const whole = mappings.get('');
  const application = site.kind === 'wsgi';
  if (application) mappings.delete('');
  const headers = headersOf(site);
  const temp = '/dev/shm/holdfast-front';
  const rest = !application
    ? mappings.has('')
      ? ''
      : '    location / { return 404; }\n'
    : whole === undefined
      ? `    location / {${APPLICATION}}\n`
      : filesBeforeApplication(whole);
  return `load_module ${HEADERS_MODULE};
daemon off;
worker_processes 1;
pid ${temp}/nginx.pid;
error_log stderr error;
events { worker_connections 768; }
http {
  server_tokens off;
  absolute_redirect off;
  log_not_found off;
  access_log off;
  sendfile on;
  default_type application/octet-stream;
  types_hash_max_size 4096;
  include ${TYPES_FILE};
  # Files are made smaller here, where their ETags are made. The gateway leaves answers with a strong ETag as they are.
  gzip on;
  gzip_vary on;
  gzip_proxied any;
  gzip_comp_level 4;
  gzip_min_length 1024;
  gzip_types ${COMPRESSIBLE};
  client_body_temp_path ${temp}/body;
  proxy_temp_path ${temp}/proxy;
  fastcgi_temp_path ${temp}/fastcgi;
  uwsgi_temp_path ${temp}/uwsgi;
  scgi_temp_path ${temp}/scgi;
  # The gateway has its limits; what it lets in is let in here.
  client_max_body_size 0;
  client_header_buffer_size 4k;
  large_client_header_buffers 8 64k;
  client_header_timeout ${LONGEST_WAIT};
  client_body_timeout ${LONGEST_WAIT};
  send_timeout ${LONGEST_WAIT};
  # An early answer is read whole by a gateway that is still sending.
  lingering_time 600s;
  lingering_timeout 60s;
  map_hash_bucket_size 512;
  geo $dollar { default "$"; }
  map $http_range $range { default ""; "~^bytes=[ \\t]*([0-9]+-[0-9]*|-[0-9]+)([ \\t]*,[ \\t]*([0-9]+-[0-9]*|-[0-9]+))*[ \\t]*$" $http_range; }
  map $request_uri $asked { default /; "~^/*(/[^?]*)" $1; }
  map $request_uri $climbs { default ""; "~*^[^?]*(/|%2f|\\\\\\\\|%5c)(\\\\.|%2e){2}(/|%2f|\\\\\\\\|%5c|\\\\?|$)" 1; }
${headers.maps}${application ? `  limit_conn_zone $server_name zone=under_way:32k;\n  upstream server { server unix:${sockets}/server.sock; }\n` : ''}
  server {
    listen unix:${sockets}/app.sock;
    server_name site;
    index index.html;
    disable_symlinks if_not_owner from=$document_root;
    recursive_error_pages on;
    error_page 590 = @application;
    error_page 591 = @busy;
    if ($climbs) { return 400; }
${headers.directives}${[...mappings].map(([prefix, path]) => mappingLocations(prefix, path)).join('')}${rest}${
    application && whole !== undefined ? `    location @application {${APPLICATION}}\n` : ''
  }${application ? unreached() : ''}  }
}
`;
}

/** Nothing was sent to the server: its queue is full. Something was sent: the gateway says that the answer broke off. */
function unreached(): string {
  return `    location @unreached {
      if ($upstream_bytes_sent !~ "^(0|-)?$") { return 444; }
      return 591;
    }
    location @busy {
      default_type "text/html; charset=utf-8";
      add_header Retry-After 5 always;
      add_header Cache-Control no-store always;
      return 503 ${quoted(BUSY)};
    }
`;
}
