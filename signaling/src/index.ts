export { ConfigError, type GatewayConfig, readConfig } from './config.ts';
export { createGateway, type Gateway, type GatewayAddress } from './gateway.ts';
export type { ClientLink, Identity, VisitConnection, Visits, VisitTelemetry } from './ports.ts';
