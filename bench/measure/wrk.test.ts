import { describe, expect, it } from 'vitest';
import { parseDuration, parseWrk } from './wrk.ts';

const REPORT = `Running 2s test @ http://127.0.0.1:8080/
  1 threads and 16 connections
  Thread Stats   Avg      Stdev     Max   +/- Stdev
    Latency     3.19ms  812.50us  21.43ms   93.30%
    Req/Sec     5.05k   192.37     5.36k    75.00%
  Latency Distribution
     50%    3.05ms
     75%    3.27ms
     90%    3.67ms
     99%    6.91ms
  10056 requests in 2.00s, 1.77MB read
Requests/sec:   5026.22
Transfer/sec:      0.88MB
`;

describe("wrk's report", () => {
  it('is read with times in milliseconds', () => {
    expect(parseWrk(REPORT)).toEqual({
      requestsPerSecond: 5026.22,
      requests: 10056,
      p50: 3.05,
      p90: 3.67,
      p99: 6.91,
      worst: 21.43,
      socketErrors: 0,
      badAnswers: 0,
    });
  });

  it('counts every kind of error', () => {
    const bad = REPORT.replace(
      'Requests/sec',
      '  Socket errors: connect 1, read 20, write 3, timeout 400\n  Non-2xx or 3xx responses: 17\nRequests/sec',
    );
    expect(parseWrk(bad)).toMatchObject({ socketErrors: 424, badAnswers: 17 });
  });

  it('is refused when it is cut off', () => {
    expect(() => parseWrk(REPORT.split('\n').slice(0, 6).join('\n'))).toThrow('no throughput');
  });
});

it('reads every unit of time wrk writes', () => {
  expect(['812.50us', '3.05ms', '1.20s', '1.50m', '1.00h'].map(parseDuration)).toEqual([
    0.8125, 3.05, 1200, 90_000, 3_600_000,
  ]);
  expect(() => parseDuration('12')).toThrow('is none');
});
