/** A drill: a real fault, caused on purpose, measured and scored. The code that runs it is in src/drills. */
export interface DrillDefinition {
  name: string;
  title: string;
  /** What is caused, and what must hold: plain words. */
  description: string;
  /** Rough length on an ordinary machine. */
  minutes: number;
}

/** Every drill there is, in the order they are shown. */
export const DRILLS: readonly DrillDefinition[] = [
  {
    name: 'outage-2020',
    title: 'The outage of 7 July 2020',
    description:
      'Forty accounts on five volumes; one disk of one volume stops answering under load. Its members wait a moment, everybody else notices nothing, and the mirror is whole again without a person.',
    minutes: 4,
  },
  {
    name: 'disk-hang',
    title: 'A disk hangs',
    description:
      'One disk stops answering. It is named and cut within a second, its volume goes on, the mirror is rebuilt.',
    minutes: 2,
  },
  {
    name: 'disk-hang-in-copy',
    title: 'The new disk hangs, too',
    description:
      'While the mirror is being rebuilt, the new disk stops answering. The volume is opened afresh from its complete disk within two seconds, and the next new disk is taken.',
    minutes: 6,
  },
  {
    name: 'disk-hang-in-copy-source',
    title: 'The disk that is copied from hangs',
    description:
      'While the mirror is being rebuilt, the last complete disk stops answering for twenty seconds. It is never cut: the volume is out of service honestly, comes back by itself, and the copy is finished.',
    minutes: 4,
  },
  {
    name: 'disk-error',
    title: 'A disk fails',
    description: 'One disk answers every request with an error. Nobody notices, and the mirror is rebuilt.',
    minutes: 2,
  },
  {
    name: 'disk-slow',
    title: 'A disk becomes slow',
    description:
      'One disk is many times slower than its peers for more than a minute. It is named, taken out and replaced; a short burst is not.',
    minutes: 4,
  },
  {
    name: 'disk-slow-reads',
    title: 'A disk becomes slow to read',
    description:
      'One disk takes 80 ms for each read and writes as quickly as ever. It is named within a minute and a half, taken out and replaced; nobody else notices.',
    minutes: 4,
  },
  {
    name: 'disk-flapping',
    title: 'A disk flaps',
    description: 'One disk stops and answers again, over and over. It is taken out once and not believed again.',
    minutes: 2,
  },
  {
    name: 'both-replicas',
    title: 'Both disks of a volume hang',
    description:
      'The volume is stopped honestly: its members get a clear "storage is being repaired" at once, everybody else goes on, and it comes back by itself with the first disk that answers.',
    minutes: 3,
  },
  {
    name: 'disk-lost-and-back',
    title: 'A disk disappears and returns',
    description:
      'One disk is gone, service goes on, and when the disk returns with its old content it is not believed but rebuilt.',
    minutes: 3,
  },
  {
    name: 'bit-rot',
    title: 'Silent corruption',
    description:
      "One replica's blocks are altered behind the platform's back. It is found, healed from the other replica, and reported.",
    minutes: 2,
  },
  {
    name: 'volume-full',
    title: 'A volume is full',
    description:
      'A volume runs out of room. Its members get honest errors, nobody else notices, and it goes on as soon as there is room.',
    minutes: 2,
  },
  {
    name: 'home-full',
    title: "The machine's own disk is full",
    description:
      'The disk on which the platform keeps its records and image files is filled to the last block. It is named as what it is, sites go on, nothing is lost, and it is over by itself once there is room.',
    minutes: 3,
  },
  {
    name: 'two-volumes',
    title: 'Disks of two volumes hang at once',
    description:
      'One disk of each of two volumes stops answering at the same moment. They are treated one after the other, the second as soon as the first volume has answered a durable write; nobody waits longer than 2.5 seconds.',
    minutes: 3,
  },
  {
    name: 'three-volumes',
    title: 'Disks of three volumes hang at once',
    description:
      'As with two volumes: each mirror goes on with its other disk, and nobody waits longer than 4 seconds.',
    minutes: 4,
  },
  {
    name: 'clock-set-back',
    title: 'The clock is set back while disks hang',
    description:
      "A disk was cut a moment ago, the platform's clock is set back by an hour, and a disk of another volume hangs. It is named and cut as quickly as ever, and nothing waits for an hour.",
    minutes: 4,
  },
  {
    name: 'agent-killed',
    title: 'The agent is killed while a disk hangs',
    description: 'The agent dies at the moment a disk hangs. It comes back and reacts; no program is restarted.',
    minutes: 2,
  },
  {
    name: 'control-killed',
    title: 'The control plane is down while a disk hangs',
    description:
      'The control plane is dead the whole time. The host repairs by itself, and the incident is there when control returns.',
    minutes: 2,
  },
  {
    name: 'agent-frozen',
    title: 'The agent is frozen while a disk hangs',
    description:
      'The agent lives and does nothing from the moment at which a disk hangs. It is replaced within four seconds, and its successor reacts.',
    minutes: 2,
  },
  {
    name: 'watcher-frozen',
    title: 'The watcher is frozen while a disk hangs',
    description:
      'Whoever looks at the disks does nothing any more. The agent replaces it within four seconds, and the disk is named by the next one.',
    minutes: 2,
  },
  {
    name: 'control-frozen',
    title: 'The control plane is frozen while a disk hangs',
    description:
      'The control plane lives and does nothing. The host repairs by itself, the control plane is replaced, and the incident is there.',
    minutes: 2,
  },
  {
    name: 'everything-killed',
    title: 'Power cut during a repair',
    description:
      'Every process is killed while a mirror is being rebuilt. The next start finishes the repair, and no acknowledged write is lost.',
    minutes: 3,
  },
];
