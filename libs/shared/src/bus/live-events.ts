import { ALL_EVENTS, eventsSubject } from '#shared/contracts/subjects';
import type { NatsBus, Unsubscribe } from '#shared/bus/nats-bus';
import { notify } from '#shared/bus/signals';

const PREFIX = eventsSubject('');

/** Fire and forget: dropped while disconnected, and while the server takes nothing. */
export function publishEvents(bus: NatsBus, jobId: string, payload: string): void {
  if (!bus.isStalled) notify(bus, eventsSubject(jobId), payload);
}

/** Gives each message's job and text, as sent. `scope` is a job's id or `all`. */
export function subscribeEvents(
  bus: NatsBus,
  scope: string,
  onMessage: (jobId: string, payload: string) => void,
): Unsubscribe {
  const subject = scope === 'all' ? ALL_EVENTS : eventsSubject(scope);
  const subscription = bus.subscribe(subject, (message) => {
    onMessage(message.subject.slice(PREFIX.length), message.string());
  });
  return () => subscription.unsubscribe();
}
