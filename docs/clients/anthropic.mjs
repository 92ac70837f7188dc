// Anthropic Node SDK: npm install @anthropic-ai/sdk
import Anthropic from '@anthropic-ai/sdk';

const client = new Anthropic({ baseURL: process.env.UNDERSTUDY_URL, apiKey: process.env.UNDERSTUDY_KEY });
const ask = { model: 'policy/demo', max_tokens: 100, messages: [{ role: 'user', content: 'Hello' }] };

const message = await client.messages.create(ask);
console.log(message.content[0].text);

for await (const event of client.messages.stream(ask)) {
  if (event.type === 'content_block_delta' && event.delta.type === 'text_delta') process.stdout.write(event.delta.text);
}
console.log();
