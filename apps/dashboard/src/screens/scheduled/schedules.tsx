import { type ReactNode, useState } from 'react';
import type { ScheduleView } from '#shared/contracts/schedule';
import { useSchedules } from '../../api/queries';
import { Empty, Failed, Loading } from '../../ui/states';
import { More } from '../../ui/more';
import { NewSchedule } from './new-schedule';
import { Schedule } from './schedule';

/** Recurring schedules: what each does, did and will do. */
export function Schedules(): ReactNode {
  const pages = useSchedules();
  const [isMaking, setMaking] = useState(false);
  const schedules: readonly ScheduleView[] = pages.data?.pages.flatMap(({ items }) => items) ?? [];
  return (
    <section className="panel" aria-labelledby="schedules">
      <div className="heading">
        <h2 id="schedules">Recurring schedules</h2>
        <button type="button" className="main" onClick={() => setMaking(true)}>
          New schedule
        </button>
      </div>
      {pages.isPending && <Loading what="the schedules" />}
      {pages.error && !pages.data && <Failed error={pages.error} onRetry={() => void pages.refetch()} />}
      {pages.data && schedules.length === 0 && (
        <Empty title="There is no schedule yet.">
          <p>A schedule submits a job again and again, as its cron says.</p>
        </Empty>
      )}
      {schedules.map((schedule) => (
        <Schedule key={schedule.id} schedule={schedule} />
      ))}
      <More pages={pages} />
      {isMaking && <NewSchedule onClose={() => setMaking(false)} />}
    </section>
  );
}
