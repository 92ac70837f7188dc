// Durable Objects that live in another process: each hands what it is asked to its namesake there (objects.js).
import { DurableObject } from 'cloudflare:workers';

export class Ledger extends DurableObject {
  fetch(request) {
    const headers = new Headers(request.headers);
    headers.set('x-object', this.ctx.id.toString());
    return this.env.THERE.fetch(new Request(request, { headers }));
  }
}
export default { fetch: () => new Response('no route', { status: 404 }) };
