import type { NatsBus } from '#shared/bus/nats-bus';
import { notify } from '#shared/bus/signals';
import { SCHEDULER_WAKE, WAKE_FOR_DEPENDANTS } from '#shared/contracts/subjects';

/** For commits after which dependants of jobs have to be told something: the schedulers would find out within a second. */
export const dependantsWaker =
  (bus: NatsBus): (() => void) =>
  () =>
    void notify(bus, SCHEDULER_WAKE, WAKE_FOR_DEPENDANTS);
