import { type ReactNode, useMemo, useState } from 'react';
import type { ResourceHistory } from '#shared/contracts/resource-history';
import { useParameters } from '../../ui/address';
import { Chart } from '../../ui/chart';
import { shownMinutes } from './history-span';
import { CHARTS, MOST_LINES, type Show, shownSteps, stepLines } from './step-lines';
import { megabytes, percents, seconds } from './step-rows';

/** Duration, CPU and memory of some steps over the last hour. The address says which steps, and which figures. */
export function StepCharts({ history }: { readonly history: ResourceHistory }): ReactNode {
  const [parameters, change] = useParameters();
  const show: Show = parameters.get('show') === 'average' ? 'average' : 'worst';
  const chosen = parameters.getAll('step');
  // Which are the busiest may change all the time: what is shown stays until another choice is made.
  const [busiest, setBusiest] = useState(history.steps);
  if (busiest.length === 0 && history.steps.length > 0) setBusiest(history.steps);
  const known = busiest.some((name) => history.steps.includes(name)) ? busiest : history.steps;
  const all = useMemo(() => new Set([...known, ...history.steps]), [known, history.steps]);
  const steps = shownSteps([...all], chosen);
  const key = steps.join('\n');
  const { timesMs, duration, cpu, memory } = useMemo(() => {
    const names = key.split('\n');
    const minutes = [...shownMinutes(history)];
    return {
      timesMs: minutes.map(({ at }) => Date.parse(at)),
      duration: stepLines(minutes, names, CHARTS.duration[show]),
      cpu: stepLines(minutes, names, CHARTS.cpu[show]),
      memory: stepLines(minutes, names, CHARTS.memory[show]),
    };
  }, [history, key, show]);
  const toggle = (name: string): void => {
    const next = steps.includes(name) ? steps.filter((each) => each !== name) : [...steps, name];
    if (next.length > 0) change({ step: next });
  };
  const worst = show === 'worst';
  return (
    <>
      <div className="buttons chart-choices">
        <button type="button" aria-pressed={worst} onClick={() => change({ show: '' })}>
          p95 and most
        </button>
        <button type="button" aria-pressed={!worst} onClick={() => change({ show: 'average' })}>
          averages
        </button>
        {chosen.length > 0 && (
          <button type="button" onClick={() => change({ step: '' })}>
            the busiest steps
          </button>
        )}
      </div>
      <Steps {...{ all, steps, toggle, leftOut: history.steps_left_out }} />
      <div className="step-charts">
        <Chart
          title={`Time of attempts, ${worst ? 'p95' : 'average'}`}
          {...{ timesMs, lines: duration }}
          format={seconds}
        />
        <Chart title={`CPU, ${worst ? 'most' : 'average'}`} {...{ timesMs, lines: cpu }} format={percents} />
        <Chart title={`Memory, ${worst ? 'most' : 'average'}`} {...{ timesMs, lines: memory }} format={megabytes} />
      </div>
    </>
  );
}

interface StepsProps {
  readonly all: ReadonlySet<string>;
  readonly steps: readonly string[];
  readonly toggle: (name: string) => void;
  readonly leftOut: number;
}

/** Which steps are shown: in the order of their names, so that they stay where they are. */
function Steps({ all, steps, toggle, leftOut }: StepsProps): ReactNode {
  const isFull = steps.length >= MOST_LINES;
  return (
    <fieldset className="step-choices">
      <legend>
        Steps in the charts{isFull ? ` (no more than ${MOST_LINES})` : ''}
        {leftOut > 0 ? `; ${leftOut} less busy ones are in the table alone` : ''}
      </legend>
      {[...all].toSorted().map((name) => {
        const isShown = steps.includes(name);
        const isLast = isShown && steps.length === 1;
        return (
          <label key={name}>
            <input
              type="checkbox"
              checked={isShown}
              disabled={isLast || (isFull && !isShown)}
              onChange={() => toggle(name)}
            />{' '}
            {name}
          </label>
        );
      })}
    </fieldset>
  );
}
