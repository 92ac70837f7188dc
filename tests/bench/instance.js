// Makes instances of Understudy's module with imports that do nothing, and answers how many ms each took.
import module from './index_bg.wasm';

function imports() {
  const all = {};
  for (const { module: from, name, kind } of WebAssembly.Module.imports(module)) {
    all[from] ??= {};
    if (kind === 'function') all[from][name] = () => 0;
    if (kind === 'tag') all[from][name] = new WebAssembly.Tag({ parameters: ['externref'] });
  }
  return all;
}

export default {
  fetch() {
    const given = imports();
    const times = Array.from({ length: 21 }, () => {
      const started = performance.now();
      new WebAssembly.Instance(module, given);
      return performance.now() - started;
    });
    return Response.json(times);
  },
};
