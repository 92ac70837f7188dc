// OpenAI Node SDK: npm install openai
import OpenAI from 'openai';

const client = new OpenAI({ baseURL: `${process.env.UNDERSTUDY_URL}/v1`, apiKey: process.env.UNDERSTUDY_KEY });
const messages = [{ role: 'user', content: 'Hello' }];

const { data, response } = await client.chat.completions.create({ model: 'policy/demo', messages }).withResponse();
console.log(data.choices[0].message.content, '| answered by', response.headers.get('x-understudy-model'));

const stream = await client.chat.completions.create({ model: 'policy/demo', messages, stream: true });
for await (const chunk of stream) process.stdout.write(chunk.choices[0]?.delta?.content ?? '');
console.log();

const answer = await client.responses.create({ model: 'policy/demo', input: 'Hello' });
console.log(answer.output_text);
