import type { Member } from '@bedside/service';

/** A gateway, as it says of itself to the cluster. */
export const memberOf = (id: string, boot: string, address = `http://${id}.test`): Member => ({
  kind: 'gateway',
  id,
  boot,
  version: '0.0.0',
  region: 'here',
  state: 'ready',
  address,
});
