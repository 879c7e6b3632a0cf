import { createHash } from 'node:crypto';
import { pagesPattern } from '../../model/pages.ts';
import { STATUS_ALIVE, STATUS_SCRIPT, STATUS_STYLE } from '../../model/status-page.ts';
import type { ErrorBody, ErrorCode } from '../../protocol/errors.ts';
import type { GatewayPlan } from './plan.ts';
import { NOT_BELIEVED } from './visitors-word.ts';

/** The platform's own pages: nothing from elsewhere, nothing framed. The editor adds style elements as it runs. */
const SECURITY_HEADERS = `
      add_header Content-Security-Policy "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; font-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'" always;
      add_header X-Content-Type-Options nosniff always;
      add_header Referrer-Policy same-origin always;
      add_header X-Frame-Options DENY always;
      add_header Cross-Origin-Opener-Policy same-origin always;
      add_header Permissions-Policy "camera=(), microphone=(), geolocation=()" always;`;

/** The control plane knows which of these an address has; of any other it would say that there is no such address. */
export const API_METHODS = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'] as const;

const CONTROL_HEADERS = `
      if ($request_method !~ "^(${API_METHODS.join('|')})$") { return 405; }
      if ($too_long) { return 431; }
      proxy_http_version 1.1;
      proxy_set_header Host $asked_host;
      # The control plane must not close when it has answered: with the rest of an upload unread, its end of the connection
      # breaks while nginx still writes, and nginx then drops the answer it has not read yet. nginx closes instead.
      proxy_set_header Connection "";
      proxy_set_header Upgrade "";
      ${NOT_BELIEVED}
      # Replaced, not appended: the control plane trusts what stands here.
      proxy_set_header X-Real-IP $remote_addr;
      proxy_set_header X-Forwarded-For $remote_addr;
      proxy_set_header X-Forwarded-Proto $scheme;
      proxy_set_header X-Forwarded-Host $asked_host;
      proxy_set_header X-Forwarded-Port $server_port;
      proxy_ignore_headers X-Accel-Redirect X-Accel-Expires X-Accel-Limit-Rate X-Accel-Charset;
      proxy_connect_timeout 3s;
      # Most clients read no answer before they have sent everything: what they still send is taken and dropped for so long.
      lingering_time 600s;
      lingering_timeout 30s;
      error_page 405 = @wrong_method;
      error_page 414 431 494 = @head_too_long;
      error_page 413 = @body_too_large;
      error_page 502 504 = @control_down;
      error_log GATEWAY/logs/error.log alert;`;

/** An answer of nginx in the control plane's stead: what pages know, and `detail` for clients. Its location has no types, or a path ending in .html gives one. */
function refusal(code: ErrorCode, message: string, more: Partial<ErrorBody> = {}): string {
  return JSON.stringify({ code, message, detail: message, ...more });
}

const HEAD_TOO_LONG = `
    error_page 414 431 494 = @head_too_long;
    location @head_too_long {
      types { }
      default_type application/json;
      add_header Cache-Control no-store always;
      return 431 '${refusal('too-large', 'The address or the headers of the request are too long. Delete the cookies of this address and try again.')}';
    }
`;

/** nginx's own words for a wrong method are a page without Allow. TRACE it refuses by itself, before it looks for a location. */
const WRONG_METHOD = `
    error_page 405 = @wrong_method;
    location @wrong_method {
      types { }
      default_type application/json;
      add_header Allow $own_methods always;
      add_header Cache-Control no-store always;
      return 405 '${refusal('method-not-allowed', '$request_method is not possible here, only $own_methods.')}';
    }
`;

/** The API: everything to the control plane's socket; uploads and events are passed on as they come. */
export function apiLocations(plan: GatewayPlan): string {
  const headers = CONTROL_HEADERS.replace('GATEWAY', plan.gateway);
  const pass = `proxy_pass http://unix:${plan.controlSocket}:;`;
  return `
    location /api/ {
      ${pass}${headers}
      proxy_read_timeout 150s;
      client_max_body_size 16m;
    }

    # Uploads of any size: the control plane knows the limit, and passes the bytes on while they come.
    location ~ ^/api/(holdfast/files|v[01]/user/[^/]*/+files/path) {
      ${pass}${headers}
      proxy_request_buffering off;
      proxy_max_temp_file_size 0;
      proxy_read_timeout 600s;
      proxy_send_timeout 600s;
      client_max_body_size 0;
    }

    # Shared files are viewed at addresses that clients know from PythonAnywhere.
    location ~ ^/user/[^/]+/shares/ {
      ${pass}${headers}
      proxy_read_timeout 150s;
    }

    location = /api/holdfast/events {
      ${pass}${headers}
      proxy_buffering off;
      proxy_read_timeout 3600s;
      gzip off;
    }

    # For Prometheus; the control plane asks for the token.
    location = /metrics {
      ${pass}${headers}
      proxy_read_timeout 30s;
    }

    location @control_down {
      types { }
      default_type application/json;
      add_header Retry-After 5 always;
      add_header Cache-Control no-store always;
      return 503 '${refusal('not-ready', 'The control plane does not answer just now. Sites do not need it. Try again in a few seconds.', { retryAfterSeconds: 5 })}';
    }

    location @body_too_large {
      types { }
      default_type application/json;
      add_header Cache-Control no-store always;
      return 413 '${refusal('too-large', 'The request is too large. Files are uploaded to the addresses of Files.')}';
    }
`;
}

const hashOf = (text: string): string => `'sha256-${createHash('sha256').update(text).digest('base64')}'`;

/** The public status page: plain files that the agent wrote. Nobody else has to be alive for it. */
export function statusLocations(plan: GatewayPlan): string {
  const policy = [
    "default-src 'none'",
    `style-src ${hashOf(STATUS_STYLE)}`,
    `script-src ${hashOf(STATUS_SCRIPT)}`,
    // The page asks whether it is still kept, and for the newest one.
    "connect-src 'self'",
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
  ].join('; ');
  return `
    location = /status {
      absolute_redirect off;
      return 308 /status/;
    }
    location = /status/${STATUS_ALIVE} {
      alias ${plan.gateway}/status/${STATUS_ALIVE};
      add_header Cache-Control no-store always;
      add_header X-Content-Type-Options nosniff always;
    }
    location ^~ /status/ {
      alias ${plan.gateway}/status/;
      index index.html;
      charset utf-8;
      add_header Cache-Control "public, max-age=2" always;
      add_header Access-Control-Allow-Origin * always;
      add_header Content-Security-Policy "${policy}" always;
      add_header X-Content-Type-Options nosniff always;
      add_header Referrer-Policy same-origin always;
    }
`;
}

/** The internal location of the pages that stand in for a site. */
export function pagesLocations(plan: GatewayPlan): string {
  return `
    location ^~ /.holdfast-page/ {
      internal;
      # Over HTTP/2 the length that was announced is looked at again here, and the page itself would be refused.
      client_max_body_size 0;
      alias ${plan.gateway}/errors/;
      charset utf-8;
      etag off;
      if_modified_since off;
      add_header Cache-Control no-store always;
      add_header X-Content-Type-Options nosniff always;
      add_header Retry-After $retry_after always;
      # So that a page that waits can tell an answer of the site from one of ours.
      add_header X-Holdfast-Page 1 always;
    }
`;
}

export function platformServer(plan: GatewayPlan, listenHttp: string, listenHttps: string): string {
  // An address in digits is the machine itself: somebody who has no name for it yet wants the platform.
  const names = `${plan.domain} www.${plan.domain} ~^\\d+\\.\\d+\\.\\d+\\.\\d+$ ~^\\[`;
  const origin = `https://$host${plan.httpsPort === 443 ? '' : `:${plan.httpsPort}`}`;
  return `
  server {
${listenHttp}
    server_name ${names};
    root ${plan.gateway}/pages;
    access_log ${plan.gateway}/logs/platform.log site;
    location ^~ /.well-known/acme-challenge/ {
      root ${plan.gateway}/acme;
      default_type text/plain;
    }
${WRONG_METHOD}${statusLocations(plan)}
    location / { return 308 ${origin}$request_uri; }
  }

  server {
${listenHttps}
    server_name ${names};
    root ${plan.gateway}/pages;
    access_log ${plan.gateway}/logs/platform.log site;
    # Clients of PythonAnywhere's API send doubled slashes that mean something to the control plane.
    merge_slashes off;
    recursive_error_pages on;
    error_page 497 =308 ${origin}$request_uri;
    error_page 595 =503 /.holdfast-page/control.html;
${WRONG_METHOD}${HEAD_TOO_LONG}${apiLocations(plan)}
${statusLocations(plan)}
    location /assets/ {
      try_files $uri =404;
      charset utf-8;
      add_header Cache-Control "public, max-age=31536000, immutable";${SECURITY_HEADERS}
    }

    # The certificates a client on another machine has to trust.
    location = /ca-bundle.pem {
      alias ${plan.gateway}/ca-bundle.pem;
      types { }
      default_type application/x-pem-file;
      add_header Cache-Control no-cache always;
      add_header X-Content-Type-Options nosniff always;
    }

    # A page shows what its address says. To an address that none has, the pages answer, too, with the status that is true.
    location ~ ${pagesPattern()} {
      try_files /index.html @no_pages;
      charset utf-8;
      add_header Cache-Control no-cache always;${SECURITY_HEADERS}
    }

    location / {
      try_files $uri @unknown;
      charset utf-8;
      add_header Cache-Control no-cache always;${SECURITY_HEADERS}
    }

    location @unknown {
      error_page 404 @page;
      return 404;
    }

    location @page {
      try_files /index.html @no_pages;
      charset utf-8;
      add_header Cache-Control no-cache always;${SECURITY_HEADERS}
    }

    location @no_pages { return 595; }
${pagesLocations(plan)}
  }
`;
}
