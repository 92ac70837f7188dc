// Makes instances of Understudy's module with imports that do nothing, and answers the ms of the first and the mean of others;
// the clock has whole ms alone.
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
    const ms = (count) => {
      const started = performance.now();
      for (let i = 0; i < count; i++) new WebAssembly.Instance(module, given);
      return (performance.now() - started) / count;
    };
    return Response.json({ first_ms: ms(1), next_ms: ms(20) });
  },
};
