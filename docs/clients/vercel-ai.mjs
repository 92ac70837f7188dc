// Vercel AI SDK: npm install ai @ai-sdk/openai-compatible zod
import { createOpenAICompatible } from '@ai-sdk/openai-compatible';
import { Output, embed, generateText, isStepCount, streamText, tool } from 'ai';
import { z } from 'zod';

const { UNDERSTUDY_URL, UNDERSTUDY_KEY, UNDERSTUDY_MODEL = 'policy/demo', UNDERSTUDY_EMBEDDINGS = 'sim/echo' } = process.env;
const understudy = createOpenAICompatible({
  name: 'understudy',
  baseURL: `${UNDERSTUDY_URL}/v1`,
  apiKey: UNDERSTUDY_KEY,
  supportsStructuredOutputs: true,
});
const model = understudy(UNDERSTUDY_MODEL);
const ask = { model, maxRetries: 0 }; // Understudy retries.

const { text, response } = await generateText({ ...ask, prompt: 'Hello' });
console.log(text, '| answered by', response.headers['x-understudy-model']);

const { textStream } = streamText({ ...ask, prompt: 'Hello' });
for await (const piece of textStream) process.stdout.write(piece);
console.log();

const { embedding } = await embed({ model: understudy.textEmbeddingModel(UNDERSTUDY_EMBEDDINGS), value: 'Hello', maxRetries: 0 });
console.log('embedding of', embedding.length, 'numbers');

// Tools and structured output want a model that has them; policy/demo repeats what it is told.
if (UNDERSTUDY_MODEL !== 'policy/demo') {
  const weather = tool({
    description: 'The weather in a city',
    inputSchema: z.object({ city: z.string() }),
    execute: ({ city }) => (console.log('tool: weather in', city), 'sunny'),
  });
  const told = await generateText({ ...ask, prompt: 'How is the weather in Lisbon?', tools: { weather }, stopWhen: isStepCount(3) });
  console.log(told.text);

  const schema = z.object({ city: z.string(), population: z.number() });
  const { output } = await generateText({ ...ask, prompt: 'The largest city of Portugal', output: Output.object({ schema }) });
  console.log('object:', output.city, output.population);
}
