import { PRIORITIES } from '#shared/domain/status';
import { eventsSubject, isQueueName, workConsumer, workSubject } from './subjects';

describe('subjects and consumers', () => {
  it('are named as people see them', () => {
    expect(workSubject('default', 'high')).toBe('sluice.work.default.high');
    expect(workConsumer('default', 'high')).toBe('work_default_high');
    expect(eventsSubject('0190a')).toBe('sluice.events.0190a');
  });

  it('are different for every queue and priority, even when a queue is called like one', () => {
    const queues = ['a', 'a_high', 'high', 'a-high', 'low_high', '_'];
    const names = queues.flatMap((queue) => PRIORITIES.map((priority) => workConsumer(queue, priority)));
    expect(new Set(names).size).toBe(names.length);
  });

  it.each(['default', 'a', '0', 'gpu-2_x', 'x'.repeat(64)])('takes "%s" for a queue', (name) => {
    expect(isQueueName(name)).toBe(true);
  });

  it.each(['', 'a.b', 'a b', '*', '>', 'a>', 'Ä', 'Default', 'a\n', '$SYS', 'x'.repeat(65)])('refuses "%s"', (name) => {
    expect(isQueueName(name)).toBe(false);
  });
});
