// The yardsticks: the least that a hand-written Worker does. The path's first part says which, the second which upstream.
//
//   /pass/ok/chat/completions       read the body, set the model, return what the upstream answers
//   /two/fail/chat/completions      the same with a second target, asked when the first answers with no 2xx
//   /loop/paced/chat/completions    hand a stream on with a reader and a writer, chunk after chunk
const call = (base, path, body) =>
  fetch(base + path, { method: 'POST', headers: { 'content-type': 'application/json', authorization: 'Bearer sk-bench' }, body });

async function two(env, path, body) {
  for (const base of ['/fail', '/ok']) {
    const response = await call(env.UPSTREAM + base, path, body);
    if (response.ok) return response;
    await response.body?.cancel();
  }
  return new Response('no target answered', { status: 502 });
}

function loop(response, ctx) {
  const { readable, writable } = new IdentityTransformStream();
  const pump = async () => {
    const [reader, writer] = [response.body.getReader(), writable.getWriter()];
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return writer.close();
      await writer.write(value);
    }
  };
  ctx.waitUntil(pump());
  return new Response(readable, response);
}

export default {
  async fetch(request, env, ctx) {
    const body = await request.json();
    body.model = 'bench';
    const [, kind, base, ...rest] = new URL(request.url).pathname.split('/');
    const path = `/${rest.join('/')}`;
    const text = JSON.stringify(body);
    if (kind === 'two') return two(env, path, text);
    const response = await call(`${env.UPSTREAM}/${base}`, path, text);
    return kind === 'loop' ? loop(response, ctx) : response;
  },
};
