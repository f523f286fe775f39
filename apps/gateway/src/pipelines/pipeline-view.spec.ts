import { HANDLER_CATALOG } from '#shared/contracts/handler-catalog';
import { pipelineOf, stepNamed } from '../../../../test/support/drafts';
import { pipelineView } from './pipeline-view';

it('names secrets and never tells what looks like one', () => {
  const options = {
    url: 'https://me:s3cr3t@h/x?token=abc&a=1',
    headers: { Authorization: { secret: 'HOOK' }, 'X-Old': 'Bearer abc.def' },
    body: ['"quoted"', 1],
  };
  const view = pipelineView(pipelineOf([stepNamed('call', { uses: 'http', options })]), HANDLER_CATALOG);
  expect(view.steps[0]).toMatchObject({
    options: {
      url: 'https://***@h/x?token=***&a=***',
      headers: { Authorization: { secret: 'HOOK' }, 'X-Old': '***' },
      body: ['"quoted"', 1],
    },
    job_options: ['body'],
  });
});
