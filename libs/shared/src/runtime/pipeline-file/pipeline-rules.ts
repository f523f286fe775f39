import type { HandlerDefinition } from '#shared/contracts/handler';
import { configStep, SHORT_STEP_KEYS } from '#shared/contracts/pipeline-config';
import type { Json, JsonObject } from '#shared/domain/json';
import { findCycle } from '#shared/domain/pipeline';
import { didYouMean } from '#shared/runtime/pipeline-file/closest-name';
import type { Path } from '#shared/runtime/pipeline-file/located-yaml';
import { describeValue, isObject, schemaFaults, type PathFault } from '#shared/runtime/pipeline-file/schema-faults';

/** A step as it stands in the file: nothing of it is checked, so every rule looks only at what has the right type. */
interface WrittenStep {
  readonly path: Path;
  readonly raw: JsonObject;
  /** null when it has none that is text. */
  readonly name: string | null;
  /** null when they are no mapping. */
  readonly options: JsonObject | null;
  readonly optionsPath: Path;
  readonly short: boolean;
}

type Handlers = ReadonlyMap<string, HandlerDefinition>;

/** Every rule that spans more than one value of the file: names, needs, handlers and their options, pools, back-off. */
export function ruleFaults(config: JsonObject, handlers: Handlers): PathFault[] {
  const pools = isObject(config['resources']) ? config['resources'] : {};
  const faults = twoBackOffs(config['retry'], ['retry']);
  for (const steps of writtenPipelines(config)) {
    faults.push(...repeatedNames(steps), ...wrongNeeds(steps), ...circles(steps));
    for (const step of steps) {
      faults.push(...handlerFaults(step, handlers), ...tokenFaults(step, pools), ...twoBackOffs(step.raw, step.path));
    }
  }
  return faults;
}

function writtenPipelines(config: JsonObject): WrittenStep[][] {
  const short = writtenSteps(config['steps'], ['steps'], true);
  const pipelines = isObject(config['pipelines']) ? Object.entries(config['pipelines']) : [];
  const full = pipelines.map(([name, pipeline]) =>
    writtenSteps(isObject(pipeline) ? pipeline['steps'] : null, ['pipelines', name, 'steps'], false),
  );
  return [short, ...full];
}

function writtenSteps(list: Json | undefined, base: Path, short: boolean): WrittenStep[] {
  if (!Array.isArray(list)) return [];
  return list.flatMap((raw, index): WrittenStep[] => {
    if (!isObject(raw)) return [];
    const step = { path: [...base, index], raw, name: typeof raw['name'] === 'string' ? raw['name'] : null, short };
    if (short) return [{ ...step, options: shortOptions(raw), optionsPath: step.path }];
    const options = Object.hasOwn(raw, 'options') ? raw['options'] : {};
    return [{ ...step, options: isObject(options) ? options : null, optionsPath: [...step.path, 'options'] }];
  });
}

/** A step's options in the short form: every key that is not one of its own. */
export function shortOptions(step: Readonly<Record<string, Json | undefined>>): JsonObject {
  const own: readonly string[] = SHORT_STEP_KEYS;
  const options = Object.entries(step).filter(
    (entry): entry is [string, Json] => !own.includes(entry[0]) && entry[1] !== undefined,
  );
  return Object.fromEntries(options);
}

function repeatedNames(steps: readonly WrittenStep[]): PathFault[] {
  const seen = new Set<string>();
  return steps.flatMap(({ name, path }) => {
    if (name === null) return [];
    const again = seen.has(name);
    seen.add(name);
    const expected = 'a name that no other step has';
    return again ? [{ path: [...path, 'name'], expected, found: `"${name}" again` }] : [];
  });
}

/** In the short form `needs` is an option like any other. */
function needsOf({ raw: { needs }, short }: WrittenStep): string[] {
  return Array.isArray(needs) && !short ? needs.filter((need) => typeof need === 'string') : [];
}

function wrongNeeds(steps: readonly WrittenStep[]): PathFault[] {
  const names = steps.flatMap(({ name }) => name ?? []);
  return steps.flatMap((step) =>
    needsOf(step).flatMap((need, index, needs) => {
      const fault = (expected: string, found: string): PathFault[] => [
        { path: [...step.path, 'needs', index], expected, found },
      ];
      if (need === step.name) return fault('another step', `"${need}", the step itself`);
      if (needs.indexOf(need) < index) return fault('each step once', `"${need}" again`);
      if (names.includes(need)) return [];
      return fault('a step of this pipeline', `"${need}"${didYouMean(need, names)}`);
    }),
  );
}

/** Each circle once: the steps of one that was found are taken out before the next is looked for. */
function circles(steps: readonly WrittenStep[]): PathFault[] {
  const named = steps.flatMap((step) => (step.name === null ? [] : [{ ...step, name: step.name }]));
  let left = named.map((step, index) => {
    const needs = Object.hasOwn(step.raw, 'needs') ? needsOf(step) : named.slice(0, index).slice(-1).map(nameOf);
    return { ...step, needs: needs.filter((need) => need !== step.name) };
  });
  const faults: PathFault[] = [];
  for (let circle = findCycle(left); circle; circle = findCycle(left)) {
    const members = new Set(circle);
    const found = `the circle ${circle.join(' → ')}`;
    const first = left.find(({ name }) => members.has(name));
    const path = [...(first?.path ?? []), 'needs'];
    faults.push({ path, expected: 'steps that do not wait for each other', found });
    left = left.filter(({ name }) => !members.has(name));
  }
  return faults;
}

const nameOf = ({ name }: { readonly name: string }): string => name;

function handlerFaults(step: WrittenStep, handlers: Handlers): PathFault[] {
  const key = !step.short && step.raw['uses'] !== undefined ? 'uses' : 'name';
  const uses = step.raw[key];
  if (typeof uses !== 'string') return [];
  const handler = handlers.get(uses);
  if (!handler) {
    const names = [...handlers.keys()];
    const expected = `${key === 'name' ? '"uses" or a name that is' : ''} a handler (${names.join(', ')})`.trim();
    return [{ path: [...step.path, key], expected, found: `"${uses}"${didYouMean(uses, names)}` }];
  }
  if (!step.options) return [];
  const faults = schemaFaults(handler.options, step.options, step.optionsPath, `handler ${handler.name}`);
  return step.short ? faults.map(hintAtFullForm) : faults;
}

function hintAtFullForm(fault: PathFault): PathFault {
  const key = fault.path.at(-1);
  const isStepKey = fault.path.length === 3 && typeof key === 'string' && Object.hasOwn(configStep.shape, key);
  if (!isStepKey || !fault.found.startsWith('the key ')) return fault;
  return { ...fault, found: `the key "${key}", which only steps under "pipelines:" have` };
}

function tokenFaults(step: WrittenStep, pools: JsonObject): PathFault[] {
  const { resources } = step.raw;
  if (step.short || !isObject(resources)) return [];
  return Object.entries(resources).flatMap(([name, tokens]) => {
    const path = [...step.path, 'resources', name];
    const pool = Object.hasOwn(pools, name) ? pools[name] : undefined;
    if (pool === undefined) {
      const known = Object.keys(pools);
      const expected =
        known.length === 0 ? 'a pool under "resources:" (there is none)' : `a pool (${known.join(', ')})`;
      return [{ path, expected, found: `"${name}"${didYouMean(name, known)}` }];
    }
    const most = isObject(pool) ? pool['max_tokens'] : undefined;
    if (typeof tokens !== 'number' || typeof most !== 'number' || tokens <= most) return [];
    return [{ path, expected: `at most the ${most} tokens that the pool has`, found: describeValue(tokens) }];
  });
}

function twoBackOffs(settings: Json | undefined, path: Path): PathFault[] {
  if (!isObject(settings) || settings['back_off'] === undefined || settings['back_off_seconds'] === undefined)
    return [];
  return [{ path: [...path, 'back_off'], expected: 'either back_off or back_off_seconds', found: 'both' }];
}
