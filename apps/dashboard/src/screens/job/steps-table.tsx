import type { ReactNode } from 'react';
import type { StepView } from '#shared/contracts/job';
import { figure } from '#shared/domain/words';
import { useRowKeys } from '../../ui/keys';
import { Progress, Retries, Status } from '../../ui/status';
import { Countdown, Took } from '../../ui/time';
import { ErrorWords, JsonFold, LongText } from './fold';

/** All steps with everything that is known of each. @param onSelect takes a step's name; an empty one: none */
export function StepsTable({
  steps,
  selected,
  onSelect,
}: {
  readonly steps: readonly StepView[];
  readonly selected: string | null;
  readonly onSelect: (step: string) => void;
}): ReactNode {
  useRowKeys('.row');
  return (
    <div className="scroll" tabIndex={0} role="region" aria-label="Steps, table">
      <table className="job-steps">
        <thead>
          <tr>
            {['Step', 'Status', 'Progress'].map(head)}
            <th scope="col" className="right">
              Retries
            </th>
            {['Next retry', 'Last error'].map(head)}
            {['Attempt', 'Duration', 'CPU', 'Memory'].map((name) => (
              <th key={name} scope="col" className="right">
                {name}
              </th>
            ))}
            {['Worker', 'Output'].map(head)}
          </tr>
        </thead>
        <tbody>
          {steps.map((step) => (
            <tr key={step.name} className={step.name === selected ? 'job-row-selected' : undefined}>
              <td>
                <button
                  type="button"
                  className="row job-link"
                  aria-pressed={step.name === selected}
                  onClick={() => onSelect(step.name === selected ? '' : step.name)}
                >
                  {step.name}
                </button>
                {step.uses !== step.name && <span className="quiet"> {step.uses}</span>}
              </td>
              <td>
                <Status of={step.status} />
              </td>
              <td className="job-progress">
                <Progress value={step.progress} label={`Progress of ${step.name}`} />
                {step.message !== null && (
                  <div>
                    <LongText text={step.message} />
                  </div>
                )}
              </td>
              <td className="right">
                <Retries count={step.retry_count} max={step.max_retries} />
              </td>
              <td>
                <Countdown to={step.next_retry_at} />
              </td>
              <td className="job-wide">
                <ErrorWords error={step.last_error} />
              </td>
              <td className="right">{step.attempt === 0 ? '–' : step.attempt}</td>
              <td className="right">
                <Took ms={step.duration_ms} since={step.started_at} isOn={step.status === 'running'} />
              </td>
              <td className="right">{figure(step.cpu_percent, ' %')}</td>
              <td className="right">{figure(step.memory_mb, ' MB')}</td>
              <td className="job-worker">{step.worker ?? '–'}</td>
              <td className="job-output">
                <JsonFold title="output" value={step.output} />
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

const head = (name: string): ReactNode => (
  <th key={name} scope="col">
    {name}
  </th>
);
