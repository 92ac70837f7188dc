// The yardstick: the least that a hand-written Worker does to pass a chat call on. It reads the body, sets the model and
// returns what the upstream answers.
export default {
  async fetch(request, env) {
    const body = await request.json();
    body.model = 'bench';
    const path = new URL(request.url).pathname.replace('/v1', '');
    return fetch(env.UPSTREAM + path, {
      method: 'POST',
      headers: { 'content-type': 'application/json', authorization: 'Bearer sk-bench' },
      body: JSON.stringify(body),
    });
  },
};
