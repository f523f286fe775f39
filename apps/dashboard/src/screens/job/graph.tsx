import { type ReactNode, useMemo } from 'react';
import type { StepView } from '#shared/contracts/job';
import { Progress, Retries, Status } from '../../ui/status';
import { Countdown } from '../../ui/time';
import { BOX, layOut, pathOf } from './graph-layout';

/** The steps and what each needs, with how they stand. @param onSelect takes a step's name; an empty one: none */
export function Graph({
  steps,
  selected,
  onSelect,
}: {
  readonly steps: readonly StepView[];
  readonly selected: string | null;
  readonly onSelect: (step: string) => void;
}): ReactNode {
  const shape = JSON.stringify(steps.map(({ name, needs }) => ({ name, needs })));
  const layout = useMemo(() => layOut(JSON.parse(shape) as { name: string; needs: string[] }[]), [shape]);
  const byName = new Map(steps.map((step) => [step.name, step]));
  return (
    <div className="job-graph" tabIndex={0} role="group" aria-label="Steps and what they need">
      <div className="job-graph-room" style={{ width: layout.width, height: layout.height }}>
        <svg width={layout.width} height={layout.height} aria-hidden="true">
          {layout.lines.map(({ from, to, points }) => (
            <path
              key={`${from}\n${to}`}
              d={pathOf(points)}
              className={lineClass(byName.get(from), from === selected || to === selected)}
            />
          ))}
        </svg>
        {layout.boxes.map(({ step: { name, needs }, x, y }) => {
          const step = byName.get(name);
          if (!step) return null;
          return (
            <button
              key={name}
              type="button"
              className={`job-box job-box-${step.status}`}
              aria-pressed={name === selected}
              title={needs.length === 0 ? `${name}: needs no other step` : `${name}: needs ${needs.join(', ')}`}
              style={{ left: x, top: y, width: BOX.width, height: BOX.height }}
              onClick={() => onSelect(name === selected ? '' : name)}
            >
              <span className="job-box-name">{name}</span>
              <span className="job-box-state">
                <Status of={step.status} />
                <BoxNote step={step} />
              </span>
            </button>
          );
        })}
      </div>
    </div>
  );
}

function BoxNote({ step }: { readonly step: StepView }): ReactNode {
  if (step.status === 'retrying') {
    return (
      <span>
        <Retries count={step.retry_count} max={step.max_retries} /> <Countdown to={step.next_retry_at} />
      </span>
    );
  }
  return (
    <span>
      {step.retry_count > 0 && (
        <span title="retries">
          <span aria-hidden="true">↻ </span>
          <Retries count={step.retry_count} max={step.max_retries} />
        </span>
      )}
      {step.status === 'running' && step.progress > 0 && step.retry_count === 0 && (
        <Progress value={step.progress} label={`Progress of ${step.name}`} />
      )}
    </span>
  );
}

function lineClass(from: StepView | undefined, isSelected: boolean): string {
  const state = from?.status === 'completed' ? 'job-line job-line-done' : 'job-line';
  return isSelected ? `${state} job-line-selected` : state;
}
