// The account, and programs that act for it, by the names that they have here; the shapes are generated.

import type { ApiKeyView, AuditView, DeliveryView, ListenerView, SecondFactorView, SessionView, WebhookView } from "./api_types";

export type { SecondFactorBegun } from "./api_types";

export type Session = SessionView;
export type SecondFactor = SecondFactorView;
export type AuditEntry = AuditView;
export type ApiKey = ApiKeyView;
export type Webhook = WebhookView;
export type Delivery = DeliveryView;
export type Listener = ListenerView;
