/** Languages by file extension, without the dot, in lower case. */
const BY_EXTENSION: ReadonlyMap<string, string> = new Map([
  ...all('typescript', 'ts mts cts tsx'),
  ...all('javascript', 'js mjs cjs jsx'),
  ...all('python', 'py pyi pyw'),
  ...all('java', 'java'),
  ...all('kotlin', 'kt kts'),
  ...all('scala', 'scala sc'),
  ...all('groovy', 'groovy gradle'),
  ...all('clojure', 'clj cljs cljc edn'),
  ...all('go', 'go'),
  ...all('rust', 'rs'),
  ...all('c', 'c h'),
  ...all('c++', 'cc cpp cxx hh hpp hxx'),
  ...all('objective-c', 'm mm'),
  ...all('c#', 'cs csx'),
  ...all('f#', 'fs fsi fsx'),
  ...all('swift', 'swift'),
  ...all('ruby', 'rb rake gemspec'),
  ...all('php', 'php phtml'),
  ...all('perl', 'pl pm'),
  ...all('lua', 'lua'),
  ...all('r', 'r'),
  ...all('julia', 'jl'),
  ...all('haskell', 'hs lhs'),
  ...all('ocaml', 'ml mli'),
  ...all('elixir', 'ex exs'),
  ...all('erlang', 'erl hrl'),
  ...all('dart', 'dart'),
  ...all('zig', 'zig'),
  ...all('nim', 'nim'),
  ...all('shell', 'sh bash zsh fish ksh'),
  ...all('powershell', 'ps1 psm1 psd1'),
  ...all('batch', 'bat cmd'),
  ...all('sql', 'sql'),
  ...all('graphql', 'graphql gql'),
  ...all('protobuf', 'proto'),
  ...all('html', 'html htm xhtml'),
  ...all('css', 'css'),
  ...all('scss', 'scss sass'),
  ...all('less', 'less'),
  ...all('vue', 'vue'),
  ...all('svelte', 'svelte'),
  ...all('json', 'json jsonc json5 jsonl ndjson geojson'),
  ...all('yaml', 'yaml yml'),
  ...all('toml', 'toml'),
  ...all('xml', 'xml xsd xsl xslt svg'),
  ...all('ini', 'ini cfg conf properties'),
  ...all('csv', 'csv tsv'),
  ...all('terraform', 'tf tfvars'),
  ...all('nix', 'nix'),
  ...all('jupyter', 'ipynb'),
  ...all('tex', 'tex bib'),
  ...all('markdown', 'md markdown mdown mkd'),
  ...all('mdx', 'mdx'),
  ...all('restructuredtext', 'rst'),
  ...all('asciidoc', 'adoc asciidoc'),
  ...all('text', 'txt text'),
]);

/** Languages by whole file name, in lower case. */
const BY_NAME: ReadonlyMap<string, string> = new Map([
  ...all('dockerfile', 'dockerfile containerfile'),
  ...all('makefile', 'makefile gnumakefile'),
  ...all('cmake', 'cmakelists.txt'),
  ...all('ruby', 'gemfile rakefile vagrantfile'),
  ...all('groovy', 'jenkinsfile'),
  ...all('starlark', 'build.bazel workspace'),
  ...all('go-module', 'go.mod go.sum'),
  ...all('shell', '.bashrc .profile .zshrc'),
  ...all('ini', '.editorconfig .npmrc .gitconfig'),
  ...all('ignore-list', '.gitignore .dockerignore .npmignore .prettierignore'),
  ...all('text', 'readme license licence copying notice authors changelog changes contributing install news todo'),
]);

/** Languages by the interpreter of a `#!` line, without its version. */
const BY_INTERPRETER: ReadonlyMap<string, string> = new Map([
  ...all('shell', 'sh bash zsh dash ksh fish'),
  ...all('python', 'python pypy'),
  ...all('javascript', 'node bun'),
  ...all('typescript', 'deno tsx ts-node'),
  ...all('ruby', 'ruby'),
  ...all('perl', 'perl'),
  ...all('php', 'php'),
  ...all('lua', 'lua luajit'),
  ...all('r', 'rscript'),
]);

function all(language: string, words: string): [string, string][] {
  return words.split(' ').map((word) => [word, language]);
}

/**
 * The language of a file by its name, or else by its `#!` line; null when neither tells.
 * @param name without folders
 * @param start the first bytes of the file
 */
export function languageOf(name: string, start: Buffer): string | null {
  const lower = name.toLowerCase();
  const dot = lower.lastIndexOf('.');
  const extension = dot > 0 ? lower.slice(dot + 1) : '';
  const stem = lower.startsWith('dockerfile.') ? 'dockerfile' : lower;
  return BY_NAME.get(stem) ?? BY_EXTENSION.get(extension) ?? byInterpreter(start);
}

function byInterpreter(start: Buffer): string | null {
  if (start[0] !== 0x23 || start[1] !== 0x21) return null;
  const [line = ''] = start.toString('latin1', 2, 200).split(/[\r\n]/, 1);
  const words = line.trim().split(/\s+/);
  const named = words.map((word) => word.slice(word.lastIndexOf('/') + 1));
  const interpreter = named[0] === 'env' ? named.slice(1).find((word) => !/^-|=/.test(word)) : named[0];
  return BY_INTERPRETER.get((interpreter ?? '').toLowerCase().replace(/[\d.]+$/, '')) ?? null;
}

/** Whether the first bytes are those of a binary file, as git tells it: by a NUL. */
export function isBinary(start: Buffer): boolean {
  return start.subarray(0, 8_000).includes(0);
}
