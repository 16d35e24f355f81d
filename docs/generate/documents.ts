import { openApiDocument } from '../../signaling/src/rest/openapi.ts';
import { configurationDocument } from './configuration.ts';
import { errorsDocument } from './errors.ts';
import { metricsDocument } from './metrics.ts';
import { protocolDocument } from './protocol.ts';

/** Every generated file of docs/, by its name there. */
export function documents(): Readonly<Record<string, string>> {
  return {
    'protocol.md': text(protocolDocument()),
    'errors.md': text(errorsDocument()),
    'configuration.md': text(configurationDocument()),
    'metrics.md': text(metricsDocument()),
    'openapi.json': text(JSON.stringify(openApiDocument(), null, 2)),
  };
}

const text = (content: string): string => `${content.trimEnd()}\n`;
