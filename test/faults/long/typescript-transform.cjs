const ts = require('typescript');

/** @type {import('typescript').TranspileOptions} */
const options = {
  compilerOptions: {
    target: ts.ScriptTarget.ES2022,
    module: ts.ModuleKind.CommonJS,
    esModuleInterop: true,
    experimentalDecorators: true,
    emitDecoratorMetadata: true,
    useDefineForClassFields: false,
    inlineSourceMap: true,
    inlineSources: true,
  },
};

/**
 * TypeScript without swc, whose native part refuses to load in a user namespace of one's own: to it, `/` is there in
 * the hands of somebody else.
 */
module.exports = {
  process: (text, fileName) => ({ code: ts.transpileModule(text, { ...options, fileName }).outputText }),
};
