// What the REST API sends about the account, and about programs that act for it.

export interface Session {
  id: string;
  created_at: string;
  expires_at: string;
  address: string;
  agent: string;
  current: boolean;
}

export interface SecondFactor {
  enabled: boolean;
  recovery_codes_left: number;
}

export interface SecondFactorBegun {
  secret: string;
  uri: string;
  qr: string;
}

export interface AuditEntry {
  at: string;
  action: string;
  subject: string;
  address: string;
  agent: string;
}

export interface ApiKey {
  id: string;
  name: string;
  prefix: string;
  scope: "read" | "write";
  created_at: string;
  expires_at: string | null;
  last_used_at: string | null;
}

export interface Webhook {
  id: string;
  url: string;
  events: string[];
  description: string;
  enabled: boolean;
  state: string;
  failures: number;
  dropped: number;
  created_at: string;
}

export interface Delivery {
  id: string;
  type: string;
  state: string;
  attempts: number;
  last_status: number | null;
  detail: string;
  created_at: string;
}

export interface Listener {
  username: string;
  client_id_prefix: string;
  topic_prefix: string;
  home_assistant: boolean;
  discovery_prefix: string | null;
  url: string | null;
  created_at: string;
}
