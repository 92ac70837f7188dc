// Anthropic Node SDK: npm install @anthropic-ai/sdk
import Anthropic from '@anthropic-ai/sdk';

const { UNDERSTUDY_URL, UNDERSTUDY_KEY, UNDERSTUDY_MODEL = 'policy/demo' } = process.env;
const client = new Anthropic({ baseURL: UNDERSTUDY_URL, apiKey: UNDERSTUDY_KEY });
const ask = { model: UNDERSTUDY_MODEL, max_tokens: 100, messages: [{ role: 'user', content: 'Hello' }] };

const message = await client.messages.create(ask);
console.log(message.content[0].text);

for await (const event of client.messages.stream(ask)) {
  if (event.type === 'content_block_delta' && event.delta.type === 'text_delta') process.stdout.write(event.delta.text);
}
console.log();

// Tools want a model that has them; policy/demo repeats what it is told.
if (UNDERSTUDY_MODEL !== 'policy/demo') {
  const tools = [{ name: 'weather', input_schema: { type: 'object', properties: { city: { type: 'string' } }, required: ['city'] } }];
  const asked = await client.messages.stream({ ...ask, tools }).finalMessage();
  console.log('tool:', JSON.stringify(asked.content.find((block) => block.type === 'tool_use').input));
}
