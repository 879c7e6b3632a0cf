import type { Generated, Kysely } from 'kysely';

/**
 * The tables, the same in SQLite and PostgreSQL. Times are ISO 8601 text in UTC (their order is the order of time), yes/no
 * is 1/0, structures are JSON text: types that both databases hand back unchanged.
 */
export type YesNo = 0 | 1;

export interface AccountTable {
  id: Generated<number>;
  name: string;
  role: 'member' | 'operator';
  /** creating: the home is being made. deleting: everything it had is being removed. Both are resumed after a crash. */
  state: 'creating' | 'ready' | 'deleting';
  disabled: YesNo;
  plan: string;
  /** Unix uid; null for the operator, who has no home. Never given to another account afterwards. */
  uid: number | null;
  volume: string | null;
  /** 0 while the agent still has to be told of new limits. */
  limits_told: YesNo;
  password_hash: string;
  must_change_password: YesNo;
  default_python: string | null;
  default_python3: string | null;
  default_save_and_run: string | null;
  created_at: string;
  /** Grows with every change of its tasks; what the agent confirmed last is in tasks_told. */
  tasks_revision: Generated<number>;
  tasks_told: Generated<number>;
}

/** Scheduled and always-on tasks. */
export interface TaskTable {
  id: Generated<number>;
  account_id: number;
  kind: 'scheduled' | 'always-on';
  command: string;
  description: string;
  enabled: YesNo;
  /** Schedule as JSON; null of an always-on task. */
  schedule: string | null;
  skip_late: YesNo;
  overlap: YesNo;
  created_at: string;
}

export interface PlanTable {
  name: string;
  /** PlanLimits as JSON. */
  limits: string;
}

export interface SessionTable {
  /** SHA-256 of the cookie's value, hexadecimal. */
  id_hash: string;
  account_id: number;
  csrf_token: string;
  created_at: string;
  last_seen_at: string;
  /** When it ends however much it is used. */
  expires_at: string;
}

export interface TokenTable {
  account_id: number;
  /** SHA-256 of the token, hexadecimal. */
  token_hash: string;
  created_at: string;
}

export interface SiteTable {
  /** 12 hexadecimal characters. */
  id: string;
  /** The number that PythonAnywhere's clients know it by. */
  number: number;
  account_id: number;
  /** deleting: the agent still has to stop it. */
  state: 'present' | 'deleting';
  domain: string;
  kind: 'wsgi' | 'command' | 'static';
  enabled: YesNo;
  python_version: string;
  virtualenv: string;
  source_directory: string;
  working_directory: string;
  command: string;
  force_https: YesNo;
  protection_enabled: YesNo;
  protection_username: string;
  /** crypt(3) hash, "" when no password was ever set. */
  protection_hash: string;
  stop_first: YesNo;
  workers: number;
  certificate_pem: string | null;
  private_key_pem: string | null;
  /** Grows with every change; what the agent confirmed last is in told_revision. */
  revision: number;
  told_revision: number;
  /** The starter project that the agent still has to write, or null. */
  quickstart: 'flask' | 'django' | 'fastapi' | 'static' | 'manual' | 'command' | null;
  created_at: string;
}

export interface StaticFileTable {
  id: Generated<number>;
  site_id: string;
  url: string;
  path: string;
}

export interface StaticHeaderTable {
  id: Generated<number>;
  site_id: string;
  url: string;
  name: string;
  value: string;
}

export interface ShareTable {
  token: string;
  account_id: number;
  path: string;
  created_at: string;
}

export interface SettingTable {
  name: string;
  /** JSON. */
  value: string;
}

/** Numbers that only grow, whatever is deleted. */
export interface CounterTable {
  name: 'uid' | 'site';
  /** The number given out last. */
  value: number;
}

export interface AuditTable {
  id: Generated<number>;
  at: string;
  actor: string;
  address: string;
  action: string;
  subject: string;
  outcome: 'ok' | 'refused' | 'failed';
  detail: string;
}

export type Severity = 'minor' | 'major' | 'critical';

export interface IncidentTable {
  /** Counted from 1, as people speak of them. */
  id: Generated<number>;
  /** The agent's id of the trouble it was made of: one trouble, one incident. */
  trouble: string;
  state: 'open' | 'resolved';
  /** What it is now, and the worst it has been. */
  severity: Severity;
  worst: Severity;
  opened_at: string;
  resolved_at: string | null;
  /** Trouble as JSON, as the agent last told it. */
  record: string;
  /** Names of the accounts that were hit, as JSON. */
  accounts: string;
  /** How many sites these have. */
  sites: number;
  /** Impact on requests as JSON; null while not counted yet. */
  requests: string | null;
  /** 1 once the requests have been counted for the last time. */
  counted: YesNo;
  /** What the control plane adds to the timeline: TimelineEntry[] as JSON. */
  entries: string;
  /** What the operators were told last, as JSON; null: nothing yet. */
  told: string | null;
}

export interface IncidentNoteTable {
  id: Generated<number>;
  incident_id: number;
  at: string;
  by: string;
  text: string;
  public: YesNo;
}

/** What is to be sent to operators, and what became of it. */
export interface NotificationTable {
  id: Generated<number>;
  incident_id: number;
  at: string;
  channel: 'webhook' | 'email';
  what: 'opened' | 'updated' | 'resolved';
  state: 'waiting' | 'sent' | 'failed';
  /** In words, for the page of the incident. */
  outcome: string;
  /** The incident as it was when this was to be told: IncidentNews as JSON. */
  content: string;
}

export interface DrillRunTable {
  id: string;
  started_at: string;
  /** DrillRun as JSON. */
  run: string;
}

export interface Tables {
  accounts: AccountTable;
  plans: PlanTable;
  sessions: SessionTable;
  tokens: TokenTable;
  sites: SiteTable;
  static_files: StaticFileTable;
  static_headers: StaticHeaderTable;
  shares: ShareTable;
  tasks: TaskTable;
  settings: SettingTable;
  counters: CounterTable;
  audit: AuditTable;
  incidents: IncidentTable;
  incident_notes: IncidentNoteTable;
  notifications: NotificationTable;
  drill_runs: DrillRunTable;
}

/** A database, or a transaction in it. */
export type Database = Kysely<Tables>;
