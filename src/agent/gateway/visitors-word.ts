/**
 * Headers by which a proxy or a single sign-on tells the program behind it where a visitor comes from, how the site was asked for, and who they
 * are. Servers and frameworks believe them, or refuse requests in which two of them differ. Nobody but this gateway stands before a site,
 * so one that a visitor sends is a lie; those that are true are set anew. Left alone: what services before this platform set
 * (CF-Connecting-IP, True-Client-IP), which a program has to ask for by name. Headers with underscores nginx drops by itself.
 */
const NAMES = [
  'Forwarded',
  'X-Forwarded-*',
  'X-Original-*',
  'X-Rewrite-Url',
  'X-Host',
  'X-Real-Ip',
  'X-Client-Ip',
  'Client-Ip',
  'X-Cluster-Client-Ip',
  'X-Originating-Ip',
  'X-Remote-*',
  'Remote-*',
  'X-Auth-Request-*',
  'X-Authenticated-*',
  'X-Ssl-*',
  'X-Scheme',
  'X-Url-Scheme',
  'Front-End-Https',
  'Script-Name',
  'X-Script-Name',
  // "Proxy: ..." becomes HTTP_PROXY in a program, which would send its own requests there (CVE-2016-5385 and others).
  'Proxy',
  // Rack lets these say which files it hands to its server instead of sending them.
  'X-Sendfile-Type',
  'X-Accel-*',
];

/** Drops them. Belongs into every location that passes a request on; what `proxy_set_header` sets is not touched. */
export const NOT_BELIEVED = `more_clear_input_headers ${NAMES.map((name) => `"${name}"`).join(' ')};`;
