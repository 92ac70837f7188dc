// How the platform comes in: worker-build's shim, of which scripts/build.mjs makes this the end, brings a class behind proxies,
// and of such a class the platform makes one for every request. A plain object it takes as it is: 30 us less for each.
// What the shim does for a Wasm that trapped stays: the next request finds a new one.
const entry = {
  async fetch(request, env, ctx) {
    checkReinitialize();
    try {
      return await Entrypoint.prototype.fetch.call({ env, ctx }, request);
    } catch (error) {
      handleMaybeCritical(error);
      throw error;
    }
  },
};
