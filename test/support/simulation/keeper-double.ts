import type { Keeper, ThreadKeeperOptions } from '../../../apps/step-worker/src/keeper/keeper';
import { LeaseRenewal } from '../../../apps/step-worker/src/keeper/lease-renewal';
import type { SharedDeadline } from '../../../apps/step-worker/src/keeper/shared-deadline';
import { runningWorld } from './running-world';
import { SimSession } from './sim-session';
import { SimRegistry } from './store-doubles';

/** In the place of ThreadKeeper: what renews a lease, without a thread. Loops are never blocked here, processes are. */
export class SimKeeper implements Keeper {
  readonly ready = Promise.resolve();
  store = 0;
  private readonly renewal: LeaseRenewal;

  constructor({ config, renewed, lost, log }: ThreadKeeperOptions) {
    const world = runningWorld();
    const { current: process } = world.time;
    if (!process) throw new Error('a keeper outside of a process');
    const registry = new SimRegistry(new SimSession(world, process));
    this.renewal = new LeaseRenewal({
      leaseMs: config.leaseMs,
      renew: (worker) => registry.renew(worker, config.leaseMs),
      tell: (message) => {
        if (message.kind === 'renewed') renewed(message);
        else if (message.kind === 'lost') lost(message.worker);
      },
      now: () => performance.now(),
      log,
    });
  }

  keep(worker: string, deadline: SharedDeadline): void {
    this.renewal.keep(worker, deadline.buffer);
  }

  async stop(): Promise<void> {
    this.renewal.stop();
  }
}
