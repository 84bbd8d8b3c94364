// Every fault by its name. Each replaces decisions of natural.mjs by wrong ones; the first of its
// clauses is its main one.

import { ACK_FAULTS } from './faults-acks.mjs';
import { CREDENTIAL_FAULTS } from './faults-credentials.mjs';
import { DELIVERY_FAULTS } from './faults-deliveries.mjs';
import { REQUEST_FAULTS } from './faults-requests.mjs';
import { RESULT_FAULTS } from './faults-results.mjs';
import { ROBUSTNESS_FAULTS } from './faults-robustness.mjs';
import { STATE_FAULTS } from './faults-states.mjs';
import { TRANSPORT_FAULTS } from './faults-transport.mjs';

export const FAULTS = {
  ...TRANSPORT_FAULTS,
  ...REQUEST_FAULTS,
  ...CREDENTIAL_FAULTS,
  ...ACK_FAULTS,
  ...RESULT_FAULTS,
  ...STATE_FAULTS,
  ...DELIVERY_FAULTS,
  ...ROBUSTNESS_FAULTS,
};
