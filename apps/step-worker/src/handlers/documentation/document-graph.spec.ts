import type { EdgeDraft, NodeRef } from '#shared/store/graph/graph-model';
import { graphOfDocument } from './document-graph';
import { outlineOfMarkdown } from './markdown-outline';

const short = ({ kind, path, key }: NodeRef): string => `${kind} ${path}${key === undefined ? '' : `#${key}`}`;
const shown = ({ kind, from, to, elseTo }: EdgeDraft): string =>
  `${short(from)} ${kind} ${short(to)}${elseTo ? ` or ${short(elseTo)}` : ''}`;

describe('graphOfDocument', () => {
  const graph = graphOfDocument(
    'docs/a.md',
    'markdown',
    outlineOfMarkdown(
      [
        '[code](../src/x.ts)',
        '# One',
        '[site](https://x.example)',
        '### Deep',
        '[here](#one)',
        '## Two',
        '[b](b.md#part) [up](../../x)',
      ].join('\n'),
    ),
  );

  it('hangs headings below the higher ones and links into their sections', () => {
    expect(graph.edges.filter(({ kind }) => kind === 'contains').map(shown)).toEqual([
      'file docs/a.md contains document docs/a.md',
      'document docs/a.md contains heading docs/a.md#one',
      'heading docs/a.md#one contains heading docs/a.md#deep',
      'heading docs/a.md#one contains heading docs/a.md#two',
      'document docs/a.md contains link docs/a.md#../src/x.ts',
      'heading docs/a.md#one contains link docs/a.md#https://x.example',
      'heading docs/a.md#deep contains link docs/a.md##one',
      'heading docs/a.md#two contains link docs/a.md#b.md#part',
      'heading docs/a.md#two contains link docs/a.md#../../x',
    ]);
  });

  it('leads links into the repository to what they name, from the link and from the document', () => {
    expect(graph.edges.filter(({ kind }) => kind === 'links_to').map(shown)).toEqual([
      'link docs/a.md#../src/x.ts links_to file src/x.ts or directory src/x.ts',
      'document docs/a.md links_to file src/x.ts or directory src/x.ts',
      'link docs/a.md##one links_to heading docs/a.md#one or file docs/a.md',
      'link docs/a.md#b.md#part links_to heading docs/b.md#part or file docs/b.md',
      'document docs/a.md links_to heading docs/b.md#part or file docs/b.md',
    ]);
  });

  it('describes what it found', () => {
    expect(graph.nodes[0]).toMatchObject({
      ...{ kind: 'document', path: 'docs/a.md', name: 'a.md', text: 'code' },
      properties: { format: 'markdown', title: 'One', headings: 3, links: 5, truncated: false },
    });
    expect(graph.externalLinks).toBe(1);
    expect(graph.nodes.find(({ key }) => key === 'https://x.example')).toMatchObject({
      ...{ kind: 'link', name: 'site', position: 3 },
      properties: { target: 'https://x.example', external: true, line: 3 },
    });
  });
});
