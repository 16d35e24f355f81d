export { type Config, ConfigError, readConfig } from './config.ts';
export { ROUTER_RTP_CAPABILITIES } from './media/codecs.ts';
export { createMetrics, type Metrics } from './metrics.ts';
export { type BedsideNode, createNode } from './node.ts';
