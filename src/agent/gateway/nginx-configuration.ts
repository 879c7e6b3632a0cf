import { createHash } from 'node:crypto';
import { COMPRESSIBLE, HEADERS_MODULE } from '../../runtime/nginx.ts';
import { HEAD_BUFFERS, perhapsTooLong, tooLong } from './heads.ts';
import { heldDirectory } from './held-volumes.ts';
import { IMPACT_FORMAT, IMPACT_LOG } from './impact-log.ts';
import { API_METHODS, pagesLocations, platformServer } from './nginx-platform.ts';
import { PAGES, type PageText } from './pages.ts';
import type { GatewayPlan, GatewaySite } from './plan.ts';
import { SITES_LOG } from './unanswered.ts';
import { NOT_BELIEVED } from './visitors-word.ts';

export interface GatewayConfiguration {
  /** 16 hexadecimal characters, from the content; nginx answers it on the internal socket. */
  generation: string;
  /** File name -> text, below <home>/gateway/conf/<generation>/. */
  files: Map<string, string>;
}

/** Largest body of one request to a site, bytes. Bodies are buffered on the platform's own disk before they are passed on. */
export const SITE_BODY_LIMIT = '512m';
/**
 * How many requests of one volume's sites may be under way. Requests to a hung volume stay, and each takes two connections of one
 * worker. The kernel may have handed them all to the same worker, so all volumes together get three quarters of what one
 * worker has, in equal shares: however many volumes hang, each of the others keeps its whole share, and the platform's own pages the
 * last quarter. Below the least share a single busy site would notice; it is reached with 24 volumes on one host.
 */
export function connectionShare(connectionsPerWorker: number, volumes: number): number {
  return Math.max(256, Math.floor((connectionsPerWorker * 3) / 4 / 2 / Math.max(1, volumes)));
}
const MOST_OF_A_SITE = 2048;

/** Sites have their own request timeout; this only ends what hangs for good. Websockets send pings well within it. */
const SITE_READ_TIMEOUT = '3600s';

const GENERATION = '@generation@';

/** Entries of an nginx map; the values are all from fixed alphabets, so nothing needs quoting beyond the quotes. */
function map(source: string, target: string, fallback: string, entries: readonly [string, string][]): string {
  const lines = entries.map(([key, value]) => `    "${key}" "${value}";`).join('\n');
  return `  map ${source} ${target} {\n    default "${fallback}";\n${lines}${lines === '' ? '' : '\n'}  }\n`;
}

function listen(plan: GatewayPlan, port: number, tls: boolean, options: string): string {
  const flags = `${tls ? ' ssl' : ''}${tls && !plan.http2Directive ? ' http2' : ''}${options}`;
  const lines = [`    listen ${port}${flags};`];
  if (plan.ipv6) lines.push(`    listen [::]:${port}${flags}${options === '' ? '' : ' ipv6only=on'};`);
  if (tls && plan.http2Directive) lines.push('    http2 on;');
  return lines.join('\n');
}

/** `https://host:port`, without the port when it is the usual one. */
export function httpsOrigin(plan: Pick<GatewayPlan, 'httpsPort'>): string {
  return `https://$host${plan.httpsPort === 443 ? '' : `:${plan.httpsPort}`}`;
}

function maps(plan: GatewayPlan): string {
  const { sites } = plan;
  const retries = Object.entries(PAGES).flatMap(([name, page]: [string, PageText]): [string, string][] =>
    page.retryAfterSeconds === undefined ? [] : [[`/.holdfast-page/${name}.html`, String(page.retryAfterSeconds)]],
  );
  const pageNames = Object.keys(PAGES);
  const only = (keep: (site: GatewaySite) => boolean, value: (site: GatewaySite) => string): [string, string][] =>
    sites.filter(keep).map((site) => [site.id, value(site)]);
  // One entry of the domain map is a name of up to 253 bytes and two pointers: buckets of 512 hold it on any machine.
  const hashSize = 2 ** Math.ceil(Math.log2(Math.max(2048, sites.length * 4)));
  return [
    `  map_hash_bucket_size 512;\n  map_hash_max_size ${hashSize};\n  variables_hash_max_size 2048;\n`,
    map(
      '$host',
      '$site',
      '',
      sites.map((site) => [site.domain, site.id]),
    ),
    map(
      '$site',
      '$account',
      '',
      only(
        () => true,
        (site) => site.account,
      ),
    ),
    map(
      '$site',
      '$volume',
      '',
      only(
        (site) => site.volume !== undefined,
        (site) => site.volume ?? '',
      ),
    ),
    map(
      '$site',
      '$site_off',
      '',
      only(
        (site) => !site.enabled,
        () => '1',
      ),
    ),
    map(
      '$site',
      '$site_realm',
      'off',
      only(
        (site) => site.passwordLine !== undefined,
        (site) => site.domain,
      ),
    ),
    map(
      '$site',
      '$site_https',
      '',
      only(
        (site) => site.forceHttps,
        () => '1',
      ),
    ),
    map(
      '$site',
      '$site_streams',
      '',
      only(
        (site) => site.streams,
        () => '1',
      ),
    ),
    map('$scheme$site_https', '$to_https', '', [['http1', '1']]),
    map(
      '$ssl_server_name',
      '$certificate',
      plan.platformCertificate,
      sites.map((site) => [site.domain, site.certificate]),
    ),
    map('$uri', '$retry_after', '', retries),
    map('$uri', '$own_methods', 'GET, HEAD', [['~^/(api/|user/[^/]+/shares/)', API_METHODS.join(', ')]]),
    // Which page stood in for the site: from nginx, or from the waker.
    map(
      '$uri',
      '$own_page',
      '-',
      pageNames.map((name) => [`/.holdfast-page/${name}.html`, name]),
    ),
    map(
      '$upstream_http_x_holdfast_page',
      '$waker_page',
      '$own_page',
      pageNames.map((name) => [name, name]),
    ),
    map('$own_page', '$honest_page', '$own_page', [['-', '$waker_page']]),
    // Worth a line: a site's request of a second or longer, or one that failed; a websocket is meant to last.
    map('$site|$upgrade|$status|$request_time', '$impact', '1', [
      ['~^[^|]*\\|\\|[1-4]..\\|0\\.', ''],
      ['~^\\|', ''],
      ['~^[^|]*\\|websocket\\|', ''],
    ]),
    // A request line with a whole URL names the site, and its Host header may say something else (RFC 9112, 3.2.2); nor is
    // what follows a colon checked by nginx. A site is told its own name only, for it makes links of it.
    map('"$host|$http_host"', '$asked_host', '$host', [['~*^([^|]+)\\|\\1(:\\d+)?$', '$http_host']]),
    // The path as it was sent is what a site gets: one that only becomes this after dots are resolved is not this.
    map('$request_uri', '$acme', '', [['~^/\\.well-known/acme-challenge/[A-Za-z0-9_-]+$', '1']]),
    map('$http_upgrade', '$upgrade', '', [['~*^websocket$', 'websocket']]),
    map('$http_upgrade', '$connection_header', 'close', [['~*^websocket$', 'upgrade']]),
    // No connection to a site is used twice, but it is not told so: a server that is to close the connection does it as soon as it has
    // answered, with the rest of the request unread, and its answer is lost while the gateway still sends.
    map('$http_upgrade', '$site_connection', '', [['~*^websocket$', 'upgrade']]),
    // An answer with a strong ETag is these bytes and no others, and who says no-transform means it (RFC 9110, 8.8.1 and 7.7). nginx's gzip
    // leaves alone what is encoded already, so such an answer to somebody who takes gzip is said to be encoded: as it is.
    map(
      '"$upstream_http_content_length|$upstream_http_content_encoding|$http_accept_encoding|$upstream_http_etag|$upstream_http_cache_control"',
      '$encoding',
      '$upstream_http_content_encoding',
      [
        // Shorter than gzip_min_length.
        ['~^(\\d{1,3}|10[01]\\d|102[0-3])\\|', '$upstream_http_content_encoding'],
        ['~*^[^|]*\\|\\|[^|]*gzip[^|]*\\|(\\"|[^|]*\\|.*no-transform)', 'identity'],
      ],
    ),
    map('"$server_protocol|$site_streams|$request_length|$request_uri"', '$too_long', '', tooLong()),
    map('"$server_protocol|$head"', '$head_size', '', perhapsTooLong()),
    // Nothing was sent to the site: it is asleep or gone, and the request can be held and sent for the first time.
    // Something was sent: it may have been carried out, and must never be sent again.
    map('$upstream_status:$upstream_bytes_sent:$head_size', '$reach', 'broken', [
      ['~^50[24]:(0|-)?:', 'asleep'],
      ['~^504:', 'late'],
      ['~:long$', 'long'],
    ]),
    map('$upstream_bytes_sent', '$reach_again', 'broken', [['~(^| )(0|-)$', 'busy']]),
  ].join('');
}

/** A slow visitor must not hold a worker: the whole answer is taken from it. A program says X-Accel-Buffering: no where it wants otherwise. */
const HELD = '      proxy_max_temp_file_size 256m;';
/** As much as the above keeps in memory is taken from the server at once; then a slow visitor slows the server. */
const AS_IT_COMES = `      proxy_buffering off;
      proxy_buffer_size 144k;
      proxy_buffers 4 144k;
      proxy_busy_buffers_size 144k;`;

/** What passes a request on to the site's current socket. */
function siteProxy(plan: GatewayPlan, how: 'held' | 'as it comes' = 'held'): string {
  const volumes = new Set(plan.sites.map((site) => site.volume).filter((volume) => volume !== undefined));
  const share = connectionShare(plan.connectionsPerWorker, volumes.size);
  return `
      proxy_pass http://unix:${plan.run}/s/$site/current/app.sock:;
      proxy_http_version 1.1;
      proxy_set_header Host $asked_host;
      proxy_set_header Connection $site_connection;
      proxy_set_header Upgrade $upgrade;
      ${NOT_BELIEVED}
      # Replaced, not appended: programs believe what stands here, and some of them the first address.
      proxy_set_header X-Real-IP $remote_addr;
      proxy_set_header X-Forwarded-For $remote_addr;
      proxy_set_header X-Forwarded-Proto $scheme;
      proxy_set_header X-Forwarded-Host $asked_host;
      proxy_set_header X-Forwarded-Port $server_port;
      # A site must not be able to send nginx to an internal location, nor to bend its limits. X-Accel-Buffering may.
      proxy_ignore_headers X-Accel-Redirect X-Accel-Expires X-Accel-Limit-Rate X-Accel-Charset;
      proxy_connect_timeout 5s;
      proxy_read_timeout ${SITE_READ_TIMEOUT};
      proxy_send_timeout 300s;
      more_set_headers -s "200 403 404" -t "text/html ${COMPRESSIBLE}" "Content-Encoding: $encoding";
${how === 'held' ? HELD : AS_IT_COMES}
      limit_conn sites ${Math.min(MOST_OF_A_SITE, share)};
      limit_conn volumes ${share};
      limit_conn_status 591;
      # Read by the agent, which tells the owner: see unanswered.ts.
      error_log ${plan.gateway}/logs/${SITES_LOG} error;`;
}

/** nginx forgets the error pages of the level above as soon as a location has one of its own, so each gets them all. */
function errorPages(plan: GatewayPlan): string {
  return `
      error_page 401 /.holdfast-page/protected.html;
      error_page 404 /.holdfast-page/unknown.html;
      error_page 413 /.holdfast-page/large.html;
      error_page 414 /.holdfast-page/address.html;
      error_page 431 494 =431 /.holdfast-page/head.html;
      error_page 497 =308 ${httpsOrigin(plan)}$request_uri;
      error_page 590 =503 /.holdfast-page/disabled.html;
      error_page 591 =503 /.holdfast-page/busy.html;
      error_page 592 =502 /.holdfast-page/broken.html;
      error_page 593 =504 /.holdfast-page/late.html;
      error_page 594 =503 /.holdfast-page/waking.html;
      error_page 596 =503 /.holdfast-page/repair.html;`;
}

function sitesServer(plan: GatewayPlan): string {
  return `
  server {
${listen(plan, plan.httpPort, false, ' default_server backlog=4096')}
${listen(plan, plan.httpsPort, true, ' default_server backlog=4096')}
    server_name _;
    # nginx writes a log with variables in its name only while this directory exists.
    root ${plan.gateway}/errors;
    access_log ${plan.logs}/$account/$host.access.log site if=$site;
    access_log ${plan.gateway}/logs/${IMPACT_LOG} impact if=$impact;
    client_max_body_size ${SITE_BODY_LIMIT};
    merge_slashes off;
    recursive_error_pages on;
${errorPages(plan)}

    location / {
      if ($site = "") { return 404; }
      if ($too_long = 414) { return 414; }
      if ($too_long) { return 431; }
      set $head $request_length;
      if ($to_https) { return 308 ${httpsOrigin(plan)}$request_uri; }
      if ($site_off) { return 590; }
      # The switch of a volume in trouble: see held-volumes.ts. Requests that wait already are left to finish.
      if (-f ${heldDirectory(plan.run)}/$volume) { return 596; }
      if ($site_streams) { return 598; }
      auth_basic $site_realm;
      auth_basic_user_file ${plan.gateway}/conf/${GENERATION}/passwords/$site;
${errorPages(plan)}
      error_page 502 504 = @unreached;
      error_page 598 = @streams;
${siteProxy(plan)}
    }

    # Like the location above. nginx cannot choose by the answer whether it holds it.
    location @streams {
      auth_basic $site_realm;
      auth_basic_user_file ${plan.gateway}/conf/${GENERATION}/passwords/$site;
${errorPages(plan)}
      error_page 502 504 = @unreached;
${siteProxy(plan, 'as it comes')}
    }

    # Asks the agent to wake the site. The agent answers with X-Accel-Redirect to @again, a named location, so that method
    # and body stay as they are; or with the page that says why it does not.
    location @unreached {
      if ($reach = broken) { return 592; }
      if ($reach = late) { return 593; }
      if ($reach = long) { return 431; }
      proxy_pass http://unix:${plan.run}/wake/wake.sock:;
      proxy_method GET;
      proxy_http_version 1.1;
      proxy_pass_request_headers off;
      proxy_pass_request_body off;
      proxy_set_header Content-Length "";
      proxy_set_header Connection close;
      proxy_set_header Host $host;
      proxy_set_header X-Holdfast-Site $site;
      proxy_connect_timeout 2s;
      proxy_read_timeout 120s;
      proxy_hide_header X-Holdfast-Page;
${errorPages(plan)}
      error_page 502 504 = @no_waker;
      error_log ${plan.gateway}/logs/error.log alert;
    }

    location @no_waker { return 594; }

    # For any kind of site: it was asleep, so there are few of these.
    location @again {
${errorPages(plan)}
      error_page 502 504 = @unreached_again;
${siteProxy(plan, 'as it comes')}
    }

    location @unreached_again {
      if ($reach_again = busy) { return 591; }
      return 592;
    }

    location ^~ /.well-known/acme-challenge/ {
      root ${plan.gateway}/acme;
      default_type text/plain;
      try_files $uri @acme_site;
    }

    # Without the site's password and without its redirect, so for nothing but a challenge.
    location @acme_site {
      if ($site = "") { return 404; }
      if ($acme = "") { return 404; }
      if ($too_long) { return 431; }
      set $head $request_length;
      if ($site_off) { return 590; }
      if (-f ${heldDirectory(plan.run)}/$volume) { return 596; }
${errorPages(plan)}
      error_page 502 504 = @unreached;
${siteProxy(plan)}
    }
${pagesLocations(plan)}
  }
`;
}

/** Makes the whole configuration. Pure. */
export function renderConfiguration(plan: GatewayPlan): GatewayConfiguration {
  const text = `# Written by the Holdfast agent; changes are overwritten.
load_module ${HEADERS_MODULE};
daemon off;
worker_processes ${plan.workers};
worker_rlimit_core 0;
# Workers of an older configuration finish what they carry, but not for ever: a hung volume must not keep one for each reload.
worker_shutdown_timeout 15m;
pid ${plan.gateway}/temp/nginx.pid;
error_log ${plan.gateway}/logs/error.log warn;

events {
  worker_connections ${plan.connectionsPerWorker};
}

http {
  server_tokens off;
  sendfile on;
  tcp_nopush on;
  types {
    text/html html;
    text/css css;
    text/plain txt;
    text/javascript js mjs;
    application/json json map;
    application/rss+xml rss;
    application/manifest+json webmanifest;
    application/wasm wasm;
    image/svg+xml svg;
    image/png png;
    image/jpeg jpg jpeg;
    image/webp webp;
    image/avif avif;
    image/x-icon ico;
    font/woff2 woff2;
  }
  default_type application/octet-stream;
  charset_types text/css text/plain text/javascript application/json;

  client_body_temp_path ${plan.gateway}/temp/body;
  proxy_temp_path ${plan.gateway}/temp/proxy;
  fastcgi_temp_path ${plan.gateway}/temp/fastcgi;
  uwsgi_temp_path ${plan.gateway}/temp/uwsgi;
  scgi_temp_path ${plan.gateway}/temp/scgi;

  # PythonAnywhere's format: combined, then X-Forwarded-For as the site gets it, then the time.
  log_format site '$remote_addr - $remote_user [$time_local] "$request" $status $body_bytes_sent "$http_referer" '
    '"$http_user_agent" "$remote_addr" response-time=$request_time';
  log_format impact '${IMPACT_FORMAT}';
  open_log_file_cache max=2000 inactive=60s valid=2s min_uses=1;
  access_log off;

  keepalive_timeout 65s;
  client_header_timeout 30s;
  client_body_timeout 60s;
  send_timeout 60s;
  reset_timedout_connection on;
  ${HEAD_BUFFERS}
  client_body_buffer_size 64k;
  # The head of an answer has to fit into the first; uWSGI's own bound is 64 KiB.
  proxy_buffer_size 64k;
  proxy_buffers 8 16k;
  proxy_busy_buffers_size 64k;
  proxy_next_upstream off;
  server_names_hash_bucket_size 512;
  limit_conn_zone $site zone=sites:4m;
  limit_conn_zone $volume zone=volumes:1m;
  limit_conn_log_level info;

  gzip on;
  gzip_vary on;
  gzip_proxied any;
  gzip_comp_level 4;
  gzip_min_length 1024;
  gzip_types ${COMPRESSIBLE};

  ssl_protocols TLSv1.2 TLSv1.3;
  ssl_prefer_server_ciphers off;
  ssl_session_cache shared:tls:10m;
  ssl_session_timeout 1d;
  ssl_session_tickets off;
  ssl_certificate ${plan.gateway}/certificates/$certificate;
  ssl_certificate_key ${plan.gateway}/certificates/$certificate;

${maps(plan)}
  # The agent asks here which configuration is in force, and on which ports.
  server {
    listen unix:${plan.run}/g/internal.sock;
    server_name _;
    default_type text/plain;
    location = /generation { return 200 "${GENERATION} ${plan.httpPort} ${plan.httpsPort}"; }
    location / { return 404; }
  }
${platformServer(plan, listen(plan, plan.httpPort, false, ''), listen(plan, plan.httpsPort, true, ''))}
${sitesServer(plan)}
}
`;
  const passwords = plan.sites.flatMap((site): [string, string][] =>
    site.passwordLine === undefined ? [] : [[`passwords/${site.id}`, `${site.passwordLine}\n`]],
  );
  const hash = createHash('sha256').update(text);
  for (const [name, line] of passwords) hash.update(`\0${name}\0${line}`);
  const generation = hash.digest('hex').slice(0, 16);
  return {
    generation,
    files: new Map([['nginx.conf', text.replaceAll(GENERATION, generation)], ...passwords]),
  };
}
