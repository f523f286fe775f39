import type { Command } from 'commander';
import type { ResourceStatus } from '#shared/contracts/resource-status';
import type { CliContext } from '../cli-context';
import type { View } from '../output/printer';
import { resourceText } from '../output/resource-views';
import { oneLine } from '../output/words';

const EXAMPLES = `
Examples:
  $ sluice resources
  $ sluice resources -o json | jq .metrics.steps
  $ watch -n 2 npx sluice resources

Figures are of attempts and jobs that ended in the last hour: times, the average CPU, the most memory of an attempt (all
of them: -o json). CPU and memory are of the worker's process, which several
steps may share, or of the step's own where it has one (command, isolation: process).`;

const STALE =
  'The metrics service does not answer: this is what the gateway knows, and some of it may be old or missing.\n' +
  'Look whether it runs: `npm start` starts it again by itself; alone it is `npm run start:metrics`.';

export function addResources(parent: Command, context: CliContext): void {
  const command = parent
    .command('resources')
    .summary('show what steps take, what waits, who works')
    .description('Shows what steps have taken, what waits in the queues, who holds tokens, and what workers use.')
    .addHelpText('after', EXAMPLES);
  command.action(() =>
    context.act(command, async ({ client, printer }) => {
      const status = await client.resourceStatus();
      printer.one(status, RESOURCES);
      if (status.stale) printer.say(STALE);
    }),
  );
}

/** As ids, the workers are named. */
const RESOURCES: View<ResourceStatus> = {
  id: ({ workers }) => workers.map(({ id }) => oneLine(id)).join('\n'),
  columns: [],
  detail: (status, _, table) => resourceText(status, table),
};
