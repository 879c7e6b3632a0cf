/** Types that gzip makes smaller, as nginx's gzip_types wants them; nginx adds text/html by itself. */
export const COMPRESSIBLE =
  'text/css text/plain text/javascript text/xml text/csv text/markdown application/javascript application/json application/manifest+json application/xml application/rss+xml application/wasm image/svg+xml';

/** Debian's libnginx-mod-http-headers-more-filter. */
export const HEADERS_MODULE = '/usr/lib/nginx/modules/ngx_http_headers_more_filter_module.so';
