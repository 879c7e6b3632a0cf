#!/bin/bash
# Five schedulers of npm in the nights when the clock changes: runs are left out, made twice, or looked for in the past; one spins, one throws.
#
# Seen: croner 11.0.1, cron-parser 5.10.6, cron 4.4.0, cron-schedule 6.0.0, node-cron 4.6.0 on Node 20.20.2. croner, cron and node-cron run a job on a
# clock of node:test that is moved on by half a minute at a time; cron-parser and cron-schedule are asked for the next moment after each moment. The
# process is in UTC, that of cron-schedule in the zone itself: it knows no other. All times here are UTC.
#
#   Europe/Berlin, 29 March 2026: 02:00-03:00 does not exist, the jump is at 01:00. 25 October 2026: 02:00-03:00 comes twice, from 00:00 and from 01:00.
#     30 2 * * *     node-cron    does not run in spring. In autumn it runs in the second pass, all others in the first.
#                                 In a process whose own zone is Europe/Berlin (TZ, or the machine's) it does not run in autumn either: from 01:30 on it sets
#                                 timers of 0 ms, hundreds a second, until the clock is past the repeated hour; then it says "missed execution". It takes
#                                 the milliseconds off its time with Date.setMilliseconds, which in a second pass leads into the first one.
#     0,30 2 * * *   croner       does not run in spring, and runs four times in autumn (only single values count as fixed, which its README says;
#                                 fixedTimeRule: 'no-wildcard' does what cron(8) says)
#                    cron-parser  in spring says 01:00 to one who asks anew each time, and 01:00 and 01:30 to one who keeps its iterator
#     */30 * * * *   node-cron    an hour and a half without a run in autumn, from 23:30 to 01:00 (its README says so)
#                    cron-schedule  the same, from 00:30 to 02:00
#                    cron         its job runs as it should, but asked on the day before, its next date after 01:00 is 00:30: who asks for the date after each
#                                 date gets 00:30, 01:00, 00:30 ... for ever (known as issue 1087 of kelektiv/node-cron)
#   America/New_York, 1 November 2026: 01:00-02:00 comes twice, from 05:00 and from 06:00. 02:30 comes once, at 07:30.
#     30 2 * * *     cron         runs twice: at 06:30, when the clock shows 01:30, and at 07:30
#   Australia/Lord_Howe, 4 October 2026: 02:00-02:30 does not exist, the jump is at 15:30 of the 3rd. 5 April 2026: 01:30-02:00 comes twice, from 14:30
#   and from 15:00; 02:15 comes once, at 15:45.
#     15 2 * * *     cron-parser  does not run in spring, and throws "Invalid expression, loop limit exceeded" in autumn
#                    cron         runs twice in both nights, at 15:15, when the clock shows 01:45, and at 15:45
#                    node-cron    does not run in spring
#     */30 * * * *   cron-parser  does not run at 15:30 in spring, when the clock shows 02:30
#
# Expected, after cron(8) of Debian: a line with a star neither in its minute nor in its hour runs once in either night, soon after the jump and in the
# first pass; a line with a star follows the clock. Nobody has to take that rule, but a next date lies ahead, and a wall time that exists once is one run.
# Exits 0 while they behave like that, 1 when one does not any more, 2 when it cannot be tried here.
set -u
for tool in node npm diff timeout; do
  command -v "$tool" >/dev/null || { echo "needs $tool" >&2; exit 2; }
done
node -e 'process.exit(require("node:test").mock?.timers ? 0 : 1)' || { echo "needs Node 20.4 or later" >&2; exit 2; }
work=$(mktemp -d /var/tmp/finding-cron.XXXXXX)
trap 'rm -rf "$work"' EXIT
cd "$work" || exit 2
echo '{ "private": true, "type": "module" }' >package.json
npm install --no-audit --no-fund --ignore-scripts --save-exact croner@11.0.1 cron-parser@5.10.6 cron@4.4.0 cron-schedule@6.0.0 node-cron@4.6.0 >npm.log 2>&1 || {
  cat npm.log >&2
  exit 2
}
node --version
npm ls --depth=0 | tail -n +2

cat >ask.js <<'NODE'
import { mock } from 'node:test';
import { CronJob, CronTime } from 'cron';
import { CronExpressionParser } from 'cron-parser';
import { parseCronExpression } from 'cron-schedule';
import { Cron } from 'croner';
import nodeCron from 'node-cron';

const [zone, from, until, line] = process.argv.slice(2);
const turn = () => new Promise((resolve) => setImmediate(resolve));

/** Moments at which a job runs while a clock that is not real goes from one moment to another. */
async function run(start, from, until) {
  mock.timers.enable({ apis: ['setTimeout', 'setInterval', 'Date'], now: from - 30_000 });
  try {
    const runs = [];
    const stop = start(() => runs.push(Date.now()));
    while (Date.now() < until - 30_000 && runs.length < 40) {
      mock.timers.tick(30_000);
      await turn();
    }
    await stop();
    return runs;
  } finally {
    mock.timers.reset();
  }
}

/** What is said to come next after each moment, on the day before. At most twelve, for one of them goes round in circles. */
function ask(next, from, until) {
  mock.timers.enable({ apis: ['Date'], now: from - 86_400_000 });
  try {
    const runs = [];
    for (let at = next(new Date(from - 1)); at && at.getTime() < until && runs.length < 12; at = next(at)) runs.push(at.getTime());
    return runs;
  } finally {
    mock.timers.reset();
  }
}

const programs = {
  croner: (line, ...night) =>
    run((tick) => { const job = new Cron(line, { timezone: zone }, tick); return () => job.stop(); }, ...night),
  'croner no-wildcard': (line, ...night) =>
    run((tick) => { const job = new Cron(line, { timezone: zone, fixedTimeRule: 'no-wildcard' }, tick); return () => job.stop(); }, ...night),
  cron: (line, ...night) =>
    run((tick) => { const job = CronJob.from({ cronTime: line, timeZone: zone, onTick: tick, start: true }); return () => job.stop(); }, ...night),
  'cron, asked': (line, ...night) => ask((at) => new CronTime(line, zone).getNextDateFrom(at, zone).toJSDate(), ...night),
  'node-cron': (line, ...night) =>
    run((tick) => { const job = nodeCron.schedule(line, tick, { timezone: zone }); return () => job.destroy(); }, ...night),
  'cron-parser': (line, ...night) => ask((at) => CronExpressionParser.parse(line, { tz: zone, currentDate: at }).next().toDate(), ...night),
  'cron-parser, kept': (line, from, until) => {
    const iterator = CronExpressionParser.parse(line, { tz: zone, currentDate: new Date(from - 1) });
    return ask(() => iterator.next().toDate(), from, until);
  },
  // Knows no zones; its own is the one of the process.
  'cron-schedule': (line, ...night) => ask((at) => parseCronExpression(line).getNextDate(at), ...night),
};

for (const [name, program] of Object.entries(programs)) {
  if ((name === 'cron-schedule') !== (process.env.TZ === zone)) continue;
  let runs;
  try {
    runs = (await program(line, Date.parse(from), Date.parse(until))).map((at) => new Date(at).toISOString().slice(11, 16)).join(' ');
  } catch (error) {
    runs = error.message;
  }
  console.log(`  ${name}: ${runs || 'none'}`);
}
process.exit(0);
NODE

# What node-cron does in a process of the same zone: what runs on a clock that is not real, where a timer of 0 ms takes a second so that this ends, and how
# many timers it sets in five seconds of a real clock that says it is 01:29:58.
cat >spin.js <<'NODE'
import { mock } from 'node:test';
import nodeCron from 'node-cron';

const RealDate = Date;
const realTimeout = setTimeout;
const logger = { info() {}, debug() {}, error() {}, warn: (text) => console.log(`    ${String(text).split('!')[0]}`) };

mock.timers.enable({ apis: ['setTimeout', 'setInterval', 'Date'], now: Date.parse('2026-10-24T22:59:30Z') });
const slowTimeout = globalThis.setTimeout;
globalThis.setTimeout = (work, delay) => slowTimeout(work, Math.max(1000, delay));
let runs = 0;
const job = nodeCron.schedule('30 2 * * *', () => { runs += 1; }, { timezone: 'Europe/Berlin', logger });
for (let tick = 0; tick < 480; tick += 1) {
  mock.timers.tick(30_000);
  await new Promise((resolve) => setImmediate(resolve));
}
console.log(`  node-cron: runs ${runs} times`);
await job.destroy();
mock.timers.reset();

const shift = RealDate.parse('2026-10-25T01:29:58Z') - RealDate.now();
globalThis.Date = class extends RealDate {
  constructor(...parts) {
    if (parts.length === 0) super(RealDate.now() + shift);
    else super(...parts);
  }
  static now() {
    return RealDate.now() + shift;
  }
};
let timers = 0;
globalThis.setTimeout = (...parts) => {
  timers += 1;
  return realTimeout(...parts);
};
nodeCron.schedule('30 2 * * *', () => {}, { timezone: 'Europe/Berlin', logger });
realTimeout(() => {
  console.error(`    (${timers} timers in five seconds)`);
  console.log(`  node-cron: ${timers > 20 ? 'spins' : 'waits'}`);
  process.exit(0);
}, 5000);
NODE

ask() {
  echo "$1 from $2 to $3: $4"
  for own in UTC "$1"; do
    TZ=$own timeout 120 node --no-warnings ask.js "$@" || echo "  ended with status $?"
  done
}
{
  ask Europe/Berlin 2026-03-28T23:00Z 2026-03-29T03:00Z '30 2 * * *'
  ask Europe/Berlin 2026-03-28T23:00Z 2026-03-29T03:00Z '0,30 2 * * *'
  ask Europe/Berlin 2026-10-24T23:00Z 2026-10-25T03:00Z '30 2 * * *'
  ask Europe/Berlin 2026-10-24T23:00Z 2026-10-25T03:00Z '0,30 2 * * *'
  ask Europe/Berlin 2026-10-24T23:00Z 2026-10-25T03:00Z '*/30 * * * *'
  for own in UTC Europe/Berlin; do
    echo "Europe/Berlin on 25 October 2026 in a process in $own: 30 2 * * *"
    TZ=$own timeout 120 node --no-warnings spin.js || echo "  ended with status $?"
  done
  ask America/New_York 2026-11-01T04:00Z 2026-11-01T09:00Z '30 2 * * *'
  ask Australia/Lord_Howe 2026-10-03T14:00Z 2026-10-03T17:00Z '15 2 * * *'
  ask Australia/Lord_Howe 2026-10-03T14:00Z 2026-10-03T17:00Z '*/30 * * * *'
  ask Australia/Lord_Howe 2026-04-04T14:00Z 2026-04-04T17:00Z '15 2 * * *'
} | tee seen

cat >expected <<'TEXT'
Europe/Berlin from 2026-03-28T23:00Z to 2026-03-29T03:00Z: 30 2 * * *
  croner: 01:00
  croner no-wildcard: 01:00
  cron: 01:00
  cron, asked: 01:00
  node-cron: none
  cron-parser: 01:30
  cron-parser, kept: 01:30
  cron-schedule: 01:30
Europe/Berlin from 2026-03-28T23:00Z to 2026-03-29T03:00Z: 0,30 2 * * *
  croner: none
  croner no-wildcard: 01:00
  cron: 01:00
  cron, asked: 01:00
  node-cron: none
  cron-parser: 01:00
  cron-parser, kept: 01:00 01:30
  cron-schedule: 01:00
Europe/Berlin from 2026-10-24T23:00Z to 2026-10-25T03:00Z: 30 2 * * *
  croner: 00:30
  croner no-wildcard: 00:30
  cron: 00:30
  cron, asked: 00:30
  node-cron: 01:30
  cron-parser: 00:30
  cron-parser, kept: 00:30
  cron-schedule: 00:30
Europe/Berlin from 2026-10-24T23:00Z to 2026-10-25T03:00Z: 0,30 2 * * *
  croner: 00:00 00:30 01:00 01:30
  croner no-wildcard: 00:00 00:30
  cron: 00:00 00:30
  cron, asked: 00:00 00:30
  node-cron: 01:00 01:30
  cron-parser: 00:00 00:30
  cron-parser, kept: 00:00 00:30
  cron-schedule: 00:00 00:30
Europe/Berlin from 2026-10-24T23:00Z to 2026-10-25T03:00Z: */30 * * * *
  croner: 23:00 23:30 00:00 00:30 01:00 01:30 02:00 02:30
  croner no-wildcard: 23:00 23:30 00:00 00:30 01:00 01:30 02:00 02:30
  cron: 23:00 23:30 00:00 00:30 01:00 01:30 02:00 02:30
  cron, asked: 23:00 23:30 00:00 00:30 01:00 00:30 01:00 00:30 01:00 00:30 01:00 00:30
  node-cron: 23:00 23:30 01:00 01:30 02:00 02:30
  cron-parser: 23:00 23:30 00:00 00:30 01:00 01:30 02:00 02:30
  cron-parser, kept: 23:00 23:30 00:00 00:30 01:00 01:30 02:00 02:30
  cron-schedule: 23:00 23:30 00:00 00:30 02:00 02:30
Europe/Berlin on 25 October 2026 in a process in UTC: 30 2 * * *
  node-cron: runs 1 times
  node-cron: waits
Europe/Berlin on 25 October 2026 in a process in Europe/Berlin: 30 2 * * *
    missed execution at Sun Oct 25 2026 02:30:00 GMT+0100 (Central European Standard Time)
  node-cron: runs 0 times
  node-cron: spins
America/New_York from 2026-11-01T04:00Z to 2026-11-01T09:00Z: 30 2 * * *
  croner: 07:30
  croner no-wildcard: 07:30
  cron: 06:30 07:30
  cron, asked: 06:30 07:30
  node-cron: 07:30
  cron-parser: 07:30
  cron-parser, kept: 07:30
  cron-schedule: 07:30
Australia/Lord_Howe from 2026-10-03T14:00Z to 2026-10-03T17:00Z: 15 2 * * *
  croner: 15:30
  croner no-wildcard: 15:30
  cron: 15:15 15:45
  cron, asked: 15:15 15:45
  node-cron: none
  cron-parser: none
  cron-parser, kept: none
  cron-schedule: 15:45
Australia/Lord_Howe from 2026-10-03T14:00Z to 2026-10-03T17:00Z: */30 * * * *
  croner: 14:00 14:30 15:00 15:30 16:00 16:30
  croner no-wildcard: 14:00 14:30 15:00 15:30 16:00 16:30
  cron: 14:00 14:30 15:00 15:30 16:00 16:30
  cron, asked: 14:00 14:30 15:00 15:30 16:00 16:30
  node-cron: 14:00 14:30 15:00 15:30 16:00 16:30
  cron-parser: 14:00 14:30 15:00 16:00 16:30
  cron-parser, kept: 14:00 14:30 15:00 16:00 16:30
  cron-schedule: 14:00 14:30 15:00 15:30 16:00 16:30
Australia/Lord_Howe from 2026-04-04T14:00Z to 2026-04-04T17:00Z: 15 2 * * *
  croner: 15:45
  croner no-wildcard: 15:45
  cron: 15:15 15:45
  cron, asked: 15:15 15:45
  node-cron: 15:45
  cron-parser: Invalid expression, loop limit exceeded
  cron-parser, kept: Invalid expression, loop limit exceeded
  cron-schedule: 15:45
TEXT
diff expected seen >changed && { echo "as seen"; exit 0; }
echo "another behaviour now (< as seen before, > now):"
cat changed
exit 1
