/**
 * How long the head of a request may be: its address and its headers. nginx takes more than is passed on, because what is too long for nginx
 * itself ends an HTTP/2 connection without an answer; what is only too long for a site gets a page.
 */

/** One buffer, taken when the small one does not do. Over HTTP/2 it bounds each field as it is sent, and all of them unpacked. */
export const HEAD_BUFFERS = `client_header_buffer_size 4k;
  large_client_header_buffers 1 96k;`;

/** Thousands of bytes. With what the gateway adds it fits into the 65535 bytes that uWSGI takes. */
const LONGEST_HEAD = 62;
const LONGEST_ADDRESS = 26;
/**
 * uWSGI keeps an address twice, as it was sent and as path or query, and all of it has to fit into the same 65535 bytes. What does not fit
 * it leaves out without a word: the query, or a header. [an address longer than this, a head of this], thousands of bytes.
 */
const WITH_ADDRESS = [
  [2, 58],
  [6, 50],
  [14, 42],
  [22, 38],
] as const;

/** A regular expression for numbers from `thousands` * 1000 on, of up to six digits. */
export function fromThousands(thousands: number): string {
  const tens = Math.floor(thousands / 10);
  const above = tens === 9 ? '' : `|[${tens + 1}-9]\\d`;
  return `(?:${tens}[${thousands % 10}-9]${above}|\\d{3,})\\d{3}`;
}

/** HTTP/2 sends a byte in at least five bits, and nginx counts what was sent. */
const packed = (thousands: number): number => Math.floor((thousands * 5) / 8);

/** Entries of a map of `"$server_protocol|$site_streams|$request_length|$request_uri"`: the status of a head that is not passed on. */
export function tooLong(): [string, string][] {
  return [
    // A command's server has its own limits and says so itself.
    [`~^[^|]*\\|[^|]*\\|${fromThousands(LONGEST_HEAD)}\\|.{0,${LONGEST_ADDRESS * 1000}}$`, '431'],
    [`~^[^|]*\\|[^|]*\\|${fromThousands(LONGEST_HEAD)}\\|`, '414'],
    [`~^[^|]*\\|\\|\\d{5,}\\|.{${LONGEST_ADDRESS * 1000 + 1}}`, '414'],
    ...WITH_ADDRESS.flatMap(([address, head]): [string, string][] => [
      [`~^HTTP/1[^|]*\\|\\|${fromThousands(head)}\\|.{${address * 1000 + 1}}`, '431'],
      [`~^HTTP/2[^|]*\\|\\|${fromThousands(packed(head))}\\|.{${address * 1000 + 1}}`, '431'],
    ]),
  ];
}

/** Entries of a map of `"$server_protocol|$head"`: over HTTP/2 it may have been more than uWSGI takes, which then closes without an answer. */
export function perhapsTooLong(): [string, string][] {
  return [[`~^HTTP/2[^|]*\\|${fromThousands(packed(LONGEST_HEAD + 3))}$`, 'long']];
}
