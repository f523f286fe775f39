import './scheduled.css';
import type { ReactNode } from 'react';
import { useRowKeys } from '../../ui/keys';
import { HeldJobs } from './held-jobs';
import { NextDay } from './next-day';
import { Schedules } from './schedules';
import { WaitingJobs } from './waiting-jobs';

/** What has yet to run: by the clock, by a cron, or after other jobs. */
export function Scheduled(): ReactNode {
  useRowKeys('.row');
  return (
    <div className="scheduled">
      <h1>Scheduled</h1>
      <NextDay />
      <HeldJobs />
      <WaitingJobs />
      <Schedules />
    </div>
  );
}
