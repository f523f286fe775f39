import type { NatsBus } from '#shared/bus/nats-bus';
import { notify } from '#shared/bus/signals';
import { SCHEDULER_WAKE } from '#shared/contracts/subjects';

/** Says that a schedule may be due earlier than the schedulers know. Lost, it costs them a second. */
export class ScheduleWake {
  constructor(private readonly bus: NatsBus) {}

  wake(): void {
    notify(this.bus, SCHEDULER_WAKE);
  }
}
