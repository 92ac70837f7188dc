// Vercel AI SDK: npm install ai @ai-sdk/openai-compatible
import { createOpenAICompatible } from '@ai-sdk/openai-compatible';
import { generateText, streamText } from 'ai';

const understudy = createOpenAICompatible({
  name: 'understudy',
  baseURL: `${process.env.UNDERSTUDY_URL}/v1`,
  apiKey: process.env.UNDERSTUDY_KEY,
});

const { text, response } = await generateText({ model: understudy('policy/demo'), prompt: 'Hello' });
console.log(text, '| answered by', response.headers['x-understudy-model']);

const { textStream } = streamText({ model: understudy('policy/demo'), prompt: 'Hello' });
for await (const piece of textStream) process.stdout.write(piece);
console.log();
