// OpenAI Node SDK: npm install openai
import OpenAI from 'openai';

const { UNDERSTUDY_URL, UNDERSTUDY_KEY, UNDERSTUDY_MODEL: model = 'policy/demo', UNDERSTUDY_EMBEDDINGS = 'sim/echo' } = process.env;
const client = new OpenAI({ baseURL: `${UNDERSTUDY_URL}/v1`, apiKey: UNDERSTUDY_KEY });
const messages = [{ role: 'user', content: 'Hello' }];

const { data, response } = await client.chat.completions.create({ model, messages }).withResponse();
console.log(data.choices[0].message.content, '| answered by', response.headers.get('x-understudy-model'));

const stream = await client.chat.completions.create({ model, messages, stream: true });
for await (const chunk of stream) process.stdout.write(chunk.choices[0]?.delta?.content ?? '');
console.log();

const answer = await client.responses.create({ model, input: 'Hello' });
console.log(answer.output_text);

const { data: vectors } = await client.embeddings.create({ model: UNDERSTUDY_EMBEDDINGS, input: 'Hello' });
console.log('embedding of', vectors[0].embedding.length, 'numbers');

// Tools and structured output want a model that has them; policy/demo repeats what it is told.
if (model !== 'policy/demo') {
  const city = { type: 'object', properties: { city: { type: 'string' } }, required: ['city'], additionalProperties: false };
  const tools = [{ type: 'function', function: { name: 'weather', parameters: city } }];
  const asked = await client.chat.completions.create({ model, messages, tools });
  console.log('tool:', asked.choices[0].message.tool_calls[0].function.arguments);

  const response_format = { type: 'json_schema', json_schema: { name: 'city', strict: true, schema: city } };
  const shaped = await client.chat.completions.parse({ model, messages, response_format });
  console.log('object:', JSON.parse(shaped.choices[0].message.content).city);
}
